package peer

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
)

// Microphone is the sound of a device: of an audio device, a network camera, or a peer that sends some. Frames are Opus
// packets. They have the epoch and the sequence that gRPC listeners see, so a gap is a loss; sample_index counts from
// the first frame that arrived by this connection.
type Microphone struct {
	feed    *feed[*mediav1.AudioFrame]
	dropped atomic.Uint64
}

// Microphone returns the sound of a device, which need not exist yet.
func (r *Robot) Microphone(device string) *Microphone {
	return &Microphone{feed: newFeed(r, streamKey{device, "audio"}, webrtc.RTPCodecTypeAudio, listen)}
}

// Frames yields the sound as it comes; frames that overtook others come first. At most n wait for a slow reader, who
// then loses the oldest. Errors are those of [Camera.Frames].
func (m *Microphone) Frames(ctx context.Context, n int) iter.Seq2[*mediav1.AudioFrame, error] {
	return m.feed.read(ctx, n, func(*mediav1.AudioFrame) bool { return true }, &m.dropped)
}

// Dropped returns how many frames the loops over Frames of this Microphone did not get because they were too slow.
func (m *Microphone) Dropped() uint64 { return m.dropped.Load() }

// listen reads sound until the track ends.
func listen(f *feed[*mediav1.AudioFrame], c *connection, track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	f.arrive(c, track.SSRC())
	defer f.left(c)
	audio, ids := frames.NewAudio(frames.AudioConfig{}), originIDs(receiver)
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		frame, err := audio.Push(&packet.Header, packet.Payload, time.Now())
		if err != nil {
			continue // no sound, or too late
		}
		if o, ok := ids.Of(&packet.Header); ok {
			frame.Epoch, frame.Sequence = o.Epoch, o.Sequence
			if !o.Captured.IsZero() {
				frame.CaptureTime = timestamppb.New(o.Captured)
			}
		}
		f.publish(frame)
	}
}
