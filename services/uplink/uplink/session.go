package uplink

import (
	"context"
	"sync"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/services/uplink/outbox"
)

// session is one connection to the hub.
type session struct {
	*driver
	hub     *bus.Conn
	end     context.CancelCauseFunc
	box     *outbox.Box
	devices *presence.Devices
	work    sync.WaitGroup
}

func newSession(d *driver, hub *bus.Conn, devices *presence.Devices, end context.CancelCauseFunc) *session {
	return &session{driver: d, hub: hub, devices: devices, end: end, box: outbox.New(d.config.MaxAge, d.metrics.lose)}
}

// start begins the work, which ends with ctx.
func (s *session) start(ctx context.Context) {
	sender := newSender(s)
	s.work.Go(func() { s.follow(ctx) })
	s.work.Go(func() { sender.run(ctx) })
	s.work.Go(func() { s.keepDecodable(ctx, sender) })
	s.work.Go(func() { newSteering(s, sender).run(ctx) })
}

// follow has a relay for each device.
func (s *session) follow(ctx context.Context) {
	relays := map[string]*relay{}
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		list, changed := s.devices.List()
		seen := map[string]bool{}
		for _, status := range list.GetDevices() {
			d := status.GetDevice()
			if seen[d.GetName()] = !status.GetGone(); status.GetGone() {
				continue
			}
			if r := relays[d.GetName()]; r != nil {
				r.describe(d)
				continue
			}
			r := newRelay(s, d)
			relays[d.GetName()] = r
			running.Go(func() { r.run(ctx) })
		}
		for name, r := range relays {
			if !seen[name] {
				r.stop()
				delete(relays, name)
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// isOut reports whether a device produces a stream.
func isOut(d *devicev1.Device, stream string) bool {
	for _, s := range d.GetStreams() {
		if s.GetName() == stream && s.GetDirection() == devicev1.StreamDirection_STREAM_DIRECTION_OUT {
			return true
		}
	}
	return false
}
