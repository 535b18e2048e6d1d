package device

import (
	"context"
	"strings"
	"sync"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/device/vital"
	"github.com/waldo-robot/waldo/pkg/systemd"
)

// report tells systemd of a device that serves, until the function that it returns is called: that it is ready, its
// state and the reason, and that it is alive. Ready means listening, and on the bus if that is there: hardware may be
// away for as long as it likes.
func (p *Process) report(unit *systemd.Unit) (stop func()) {
	now, changes := p.kit.watch()
	unit.Ready(stateOf(now))
	ctx, cancel := context.WithCancel(context.Background())
	var owned sync.WaitGroup
	owned.Go(func() {
		defer changes.Close()
		for d, err := range changes.All(ctx) {
			if err != nil {
				return
			}
			unit.Status(stateOf(d))
		}
	})
	if unit.Watched() {
		owned.Go(func() { p.feed(ctx, unit) })
	}
	return func() {
		cancel()
		owned.Wait()
	}
}

// feed proves to systemd that the device is alive as the launcher would find out: by questions over gRPC. A device that
// cannot be asked, because it does not take calls from this machine, is not taken for one that hangs.
func (p *Process) feed(ctx context.Context, unit *systemd.Unit) {
	probe, err := vital.Dial(vital.Local(p.listening), p.guard.self)
	if err != nil {
		p.kit.Log.Error("the watchdog of systemd is not fed", "error", err)
		return
	}
	defer probe.Close()
	unit.Watch(ctx, func(ctx context.Context) bool { return probe.Ask(ctx) != vital.Silent })
}

// stateOf is the state of a device in words: "away: there is no camera".
func stateOf(d *devicev1.Device) string {
	state := strings.ToLower(strings.TrimPrefix(d.GetState().String(), "DEVICE_STATE_"))
	if reason := d.GetStateReason(); reason != "" {
		return state + ": " + reason
	}
	return state
}
