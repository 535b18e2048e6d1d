package hearing

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/service"
)

// replayed is AudioService with the packets and the times of a recording.
type replayed struct {
	*service.Service
	of *Microphone
}

// StreamAudio implements AudioService.
func (s *replayed) StreamAudio(r *audiov1.StreamAudioRequest, to audiov1.AudioService_StreamAudioServer) error {
	if r.GetTap() == audiov1.AudioTap_AUDIO_TAP_SPEAKER || !asRecorded(r.GetFormat()) {
		return s.Service.StreamAudio(r, &dated{to, s.of})
	}
	packets := s.of.subscribe()
	defer packets.Close()
	ctx, cancel := context.WithCancelCause(to.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.of.kit.Stopping(), func() { cancel(device.ErrStopping) })()
	for {
		f, err := packets.Next(ctx)
		if err != nil {
			return device.Status(context.Cause(ctx), nil)
		}
		if err := to.Send(&audiov1.StreamAudioResponse{Frame: f, DroppedCount: int64(packets.Lost())}); err != nil {
			return err
		}
	}
}

// asRecorded reports whether a listener takes what was recorded.
func asRecorded(f *mediav1.AudioFormat) bool {
	return (f.GetMediaType() == "" || f.GetMediaType() == pcm.Opus) && f.GetSampleFormat() == "" &&
		(f.GetSampleRateHz() == 0 || f.GetSampleRateHz() == pcm.OpusRate) && f.GetChannels() == 0
}

// dated sends sound that was decoded with the times and the epochs of the recording.
type dated struct {
	audiov1.AudioService_StreamAudioServer
	of *Microphone
}

// Send implements the stream of a call.
func (d *dated) Send(r *audiov1.StreamAudioResponse) error {
	f := r.GetFrame()
	epoch, captured := d.of.line.recorded(f.GetCaptureTime().AsTime())
	return d.AudioService_StreamAudioServer.Send(&audiov1.StreamAudioResponse{DroppedCount: r.GetDroppedCount(),
		Frame: &mediav1.AudioFrame{Epoch: epoch, Sequence: f.GetSequence(), CaptureTime: timestamppb.New(captured),
			Format: f.GetFormat(), SampleIndex: f.GetSampleIndex(), SampleCount: f.GetSampleCount(), Data: f.GetData(),
			ReplayTime: f.GetCaptureTime()}})
}
