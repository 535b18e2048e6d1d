package uplink

import (
	"context"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
	"github.com/waldo-robot/waldo/services/uplink/pace"
)

const (
	// wantEvery is how often it is seen which streams want a key frame.
	wantEvery = 50 * time.Millisecond
	// askAgain is how long a camera that was asked for a key frame is left alone.
	askAgain = 500 * time.Millisecond
	// askTime bounds a call to a camera.
	askTime = time.Second
)

// keepDecodable asks cameras for the key frames with which their streams go on, until ctx ends. While the link is full
// it does not ask: what is largest would come when there is least room.
func (s *session) keepDecodable(ctx context.Context, sender *sender) {
	asked := map[outbox.Stream]time.Time{}
	for pause(ctx, wantEvery) == nil {
		wanting := s.box.Wanting()
		for _, of := range wanting {
			if time.Since(asked[of]) >= askAgain && sender.fits(pace.SmallestPart) {
				asked[of] = time.Now()
				s.askForKeyFrame(ctx, of)
			}
		}
		if len(wanting) == 0 {
			clear(asked)
		}
	}
}

func (s *session) camera(device string) camerav1.CameraServiceClient {
	return camerav1.NewCameraServiceClient(s.kit.Bus().Client(bus.Address{Robot: s.config.robot, Device: device}))
}

// askForKeyFrame is best effort: a camera that cannot be asked sends one by itself.
func (s *session) askForKeyFrame(ctx context.Context, of outbox.Stream) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err := s.camera(of.Device).RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{Stream: of.Name})
	if err != nil && ctx.Err() == nil {
		s.kit.Log.Debug("no key frame", "of", of.Device, "stream", of.Name, "error", err)
	}
}
