package devices

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// Limit keeps a camera's stream below a bit rate, in bit/s, for some time; with the time 0 the limit ends. It returns
// the bit rate of the stream without limits.
func (d *Directory) Limit(ctx context.Context, s tracks.Stream, bps int64, ttl time.Duration) (int64, error) {
	r, err := d.camera(s.Device).LimitBitrate(ctx, &camerav1.LimitBitrateRequest{
		Stream: s.Name, Holder: d.holder, BitrateBps: bps, Ttl: durationpb.New(ttl),
	})
	return r.GetConfiguredBps(), err
}

// Pause has a camera encode nothing of a stream for some time; with the time 0 the pause ends. It is a limit of its
// own, so that the other one can be changed meanwhile.
func (d *Directory) Pause(ctx context.Context, s tracks.Stream, ttl time.Duration) error {
	_, err := d.camera(s.Device).LimitBitrate(ctx, &camerav1.LimitBitrateRequest{
		Stream: s.Name, Holder: d.holder + " pause", Ttl: durationpb.New(ttl),
	})
	return err
}

func (d *Directory) camera(name string) camerav1.CameraServiceClient {
	return camerav1.NewCameraServiceClient(d.conn.Client(bus.Address{Robot: d.robot, Device: name}))
}

// Small returns the stream that has the content of another in few bits and in the same media type; false if there is
// none.
func (d *Directory) Small(of tracks.Stream) (tracks.Stream, bool) {
	known, _, _ := d.Get(of.Device)
	streams := known.GetDevice().GetStreams()
	at := slices.IndexFunc(streams, func(s *devicev1.StreamInfo) bool { return s.GetName() == of.Name })
	if at < 0 {
		return tracks.Stream{}, false
	}
	content, types := cmp.Or(streams[at].GetAlternativeTo(), of.Name), streams[at].GetMediaTypes()
	for _, s := range streams {
		same := slices.ContainsFunc(s.GetMediaTypes(), func(t string) bool { return slices.Contains(types, t) })
		if s.GetSmall() && s.GetAlternativeTo() == content && s.GetName() != of.Name && same {
			return tracks.Stream{Device: of.Device, Name: s.GetName()}, true
		}
	}
	return tracks.Stream{}, false
}
