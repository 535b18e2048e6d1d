package actuator

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/actuator/captures"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// Captures is the stream of a camera that announces its pictures.
	Captures = "captures"
	// announcements is how many may wait to be noted.
	announcements = 256
	// resubscribe is how long it takes until the bus is asked again.
	resubscribe = time.Second
	// silence is how long no announcement comes until that is named as the cause of blindness.
	silence = time.Second
)

// watcher knows the captures of the camera that the driver must see. It is nil if the driver need not see any; all its
// methods work on nil.
type watcher struct {
	sight  drive.Sight
	seen   captures.Ring
	leased stream.Demand // for announcements, while there is a lease
	ended  func()        // ends the demand of the lease; nil without one
	since  control.Clock // of the demand of the lease
}

func newWatcher(s drive.Sight) *watcher {
	if !s.Watched() {
		return nil
	}
	return &watcher{sight: s}
}

// follow demands announcements for as long as somebody has the lease. The caller holds the actuator's mu.
func (w *watcher) follow(now control.Clock, leased bool) {
	switch {
	case w == nil || leased == (w.ended != nil):
	case leased:
		w.ended, w.since = w.leased.Want(), now
	default:
		w.ended()
		w.ended = nil
	}
}

// find returns what the sender of a command had seen.
func (w *watcher) find(now control.Clock, seen *timestamppb.Timestamp) control.Seen {
	if w == nil {
		return control.Seen{}
	}
	at, known := w.seen.Find(now, seen)
	return control.Seen{At: at, Known: known}
}

// silent reports whether announcements are demanded, and none came for a while. The caller holds the actuator's mu.
func (w *watcher) silent(now control.Clock) bool {
	if w == nil || w.ended == nil {
		return false
	}
	last := w.since
	if heard, ever := w.seen.Heard(); ever {
		last = max(last, heard)
	}
	return now-last >= silence
}

// describe returns what the driver sees as a message of the API. The caller holds the actuator's mu.
func (w *watcher) describe(arbiter *control.Arbiter, now control.Clock) *controlv1.Sight {
	if w == nil {
		return nil
	}
	slow, stop := w.sight.Ages()
	s := &controlv1.Sight{Camera: string(w.sight.See), Speed: arbiter.Allowed(now), Slow: durationpb.New(slow),
		Stop: durationpb.New(stop)}
	if age, known := arbiter.Age(now); known {
		s.Age = durationpb.New(age)
	}
	return s
}

// watchCamera holds the announcements of the camera, and notes them, while somebody has the lease.
func (a *Actuator) watchCamera(ctx context.Context) {
	camera := bus.Address{Robot: a.kit.Address().Robot, Device: string(a.watcher.sight.See)}
	_ = a.watcher.leased.While(ctx, func(ctx context.Context) error { // ends with ctx
		hold := a.kit.Bus().Hold(camera, Captures, fmt.Sprintf("actuator %.48s", a.kit.Address().Device))
		defer hold.Close()
		for ctx.Err() == nil {
			if err := a.note(ctx, camera); err != nil && ctx.Err() == nil {
				a.log.Warn("the pictures of the camera are not announced", "camera", camera.Device, "error", err)
				select {
				case <-ctx.Done():
				case <-time.After(resubscribe):
				}
			}
		}
		return ctx.Err()
	})
}

// note notes what the camera announces.
func (a *Actuator) note(ctx context.Context, camera bus.Address) error {
	list, err := bus.Subscribe[*mediav1.Capture](a.kit.Bus(), camera.Out(Captures), stream.DropOldest(announcements))
	if err != nil {
		return err
	}
	defer list.Close()
	for c, err := range list.All(ctx) {
		if err != nil {
			return err
		}
		if !a.watcher.seen.Add(a.clock(), c) {
			a.metrics.senseless.Inc()
		}
	}
	return nil
}
