package devices

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// feedBuffer is how many frames may wait to be packetized. A device that cannot make key frames on request sends the
// first who asks all frames since the last one at once; of network cameras they are 20 s apart and more. Losses show as
// gaps in the sequence.
const feedBuffer = 30 * 30

// feedPatience is how long a frame may wait to be packetized: longer than a slow computer takes for such a group, and
// shorter than what a driver would take for the present. What has waited longer is a gap in the sequence too.
const feedPatience = time.Second

// soundBuffer is how many frames of sound may wait to be forwarded: a fifth of a second. Losses show as gaps in the
// sequence.
const soundBuffer = 10

// held is one stream of a device, held until it is closed. For sound it implements [tracks.AudioFeed].
type held[M proto.Message] struct {
	*bus.Subscription[M]
	hold *bus.Hold
}

// hold subscribes to a stream and holds it. The device need not be there.
func hold[M proto.Message](d *Directory, s tracks.Stream, policy stream.Policy) (*held[M], error) {
	address := bus.Address{Robot: d.robot, Device: s.Device}
	frames, err := bus.Subscribe[M](d.conn, address.Out(s.Name), policy)
	if err != nil {
		return nil, fmt.Errorf("stream %s of %s: %w", s.Name, s.Device, err)
	}
	return &held[M]{frames, d.conn.Hold(address, s.Name, "gateway")}, nil
}

// Close releases the stream.
func (h *held[M]) Close() {
	h.hold.Close()
	h.Subscription.Close()
}

// feed is one held stream of a camera. It implements [tracks.VideoFeed].
type feed struct {
	*held[*mediav1.VideoFrame]
	directory *Directory
	stream    tracks.Stream
	camera    camerav1.CameraServiceClient
}

// Video subscribes to a stream and holds it until the feed is closed. The device need not be there.
func (d *Directory) Video(s tracks.Stream) (tracks.VideoFeed, error) {
	frames, err := hold[*mediav1.VideoFrame](d, s, stream.DropOldest(feedBuffer).Within(feedPatience))
	if err != nil {
		return nil, err
	}
	return &feed{held: frames, directory: d, stream: s, camera: d.camera(s.Device)}, nil
}

// Audio subscribes to a stream of sound and holds it until the feed is closed. The device need not be there.
func (d *Directory) Audio(s tracks.Stream) (tracks.AudioFeed, error) {
	frames, err := hold[*mediav1.AudioFrame](d, s, stream.DropOldest(soundBuffer))
	if err != nil {
		return nil, err
	}
	return frames, nil
}

// RequestKeyFrame implements [tracks.VideoFeed].
func (f *feed) RequestKeyFrame(ctx context.Context) error {
	_, err := f.camera.RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{Stream: f.stream.Name})
	return err
}

// KeyFrames implements [tracks.VideoFeed]. A device that has never announced itself is assumed to encode what it sends.
func (f *feed) KeyFrames() tracks.KeyFrames {
	info := f.directory.streamInfo(f.stream.Device, f.stream.Name)
	if info == nil {
		return tracks.KeyFrames{OnRequest: true}
	}
	return tracks.KeyFrames{OnRequest: info.GetKeyFrameOnRequest(), AsIs: asIs(info)}
}

// asIs reports whether a stream is passed on as the hardware compresses it. A device that makes no key frames on
// request has no encoder of its own.
func asIs(info *devicev1.StreamInfo) bool {
	return info.GetPassedThrough() || !info.GetKeyFrameOnRequest()
}

// Carriers lists the stream itself and the alternatives that its device has to it, but no small ones, which are not for
// who has a choice. It returns a channel that is closed when anything changes about any device.
func (d *Directory) Carriers(s tracks.Stream) (list []tracks.Carrier, changed <-chan struct{}) {
	list = []tracks.Carrier{{Stream: s}}
	known, _, changed := d.Get(s.Device)
	for _, info := range known.GetDevice().GetStreams() {
		switch {
		case s.Name == info.GetName():
			list[0].MediaTypes, list[0].AsIs = info.GetMediaTypes(), asIs(info)
		case s.Name == info.GetAlternativeTo() && !info.GetSmall():
			list = append(list, tracks.Carrier{Stream: tracks.Stream{Device: s.Device, Name: info.GetName()},
				MediaTypes: info.GetMediaTypes(), AsIs: asIs(info)})
		}
	}
	return list, changed
}
