package presence

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	goneAfter = 2 * time.Second
	// goneCheck is how late silence is noticed at most.
	goneCheck = 50 * time.Millisecond
	// forgetAfter is how long a device is remembered that has said goodbye.
	forgetAfter = 10 * time.Second
	// maxDevices bounds the memory that strangers on the bus can use up.
	maxDevices = 1000
)

// DevicesConfig adjusts [FollowDevices]; the zero value works.
type DevicesConfig struct {
	// Expected are the devices that robot.yaml names: name, and kind if known.
	Expected []*devicev1.Device
	// Forgot is called when a device is forgotten. It must not call the Devices. May be nil.
	Forgot func(device string)
	// Log may be nil.
	Log *slog.Logger
}

// Devices are those of one robot.
type Devices struct {
	robot  string
	forgot func(string)
	log    *slog.Logger
	cancel context.CancelFunc
	states *bus.Subscription[bus.Unread[*devicev1.Device]]
	ended  sync.WaitGroup

	mu      sync.Mutex
	entries map[string]*entry
	changed chan struct{} // closed and replaced at each change
	away    string
}

type entry struct {
	status   *signalingv1.DeviceStatus // never changed, only replaced
	said     []byte                    // the announcement that says so
	heard    time.Time
	expected bool
}

// left reports whether the device was stopped on purpose, is not expected back, and has been away for some time.
func (e *entry) left(now time.Time) bool {
	return !e.expected && e.status.GetGone() && now.Sub(e.heard) > forgetAfter &&
		e.status.GetDevice().GetState() == devicev1.DeviceState_DEVICE_STATE_STOPPING
}

// FollowDevices follows the devices of a robot.
func FollowDevices(conn *bus.Conn, robot string, c DevicesConfig) (*Devices, error) {
	d := &Devices{
		robot: robot, forgot: c.Forgot, log: orDiscard(c.Log),
		entries: make(map[string]*entry), changed: make(chan struct{}),
	}
	if d.forgot == nil {
		d.forgot = func(string) {}
	}
	d.Expect(c.Expected)
	var err error
	// A reader this slow can miss a state: each is repeated within a second.
	d.states, err = bus.SubscribeUnread[*devicev1.Device](conn, bus.Address{Robot: robot, Device: bus.Any}.State(),
		stream.DropOldest(256))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.ended.Go(func() { d.listen(ctx) })
	d.ended.Go(func() { d.watch(ctx) })
	return d, nil
}

// watch looks for devices that have fallen silent, when one may have.
func (d *Devices) watch(ctx context.Context) {
	timer := time.NewTimer(goneAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-timer.C:
			timer.Reset(d.markGone(now))
		}
	}
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// every calls f at an interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, f func(now time.Time)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			f(now)
		}
	}
}

// Close ends it.
func (d *Devices) Close() {
	d.cancel()
	d.states.Close()
	d.ended.Wait()
}

// Expect names the devices that are expected, instead of those before: name, and kind if known.
func (d *Devices) Expect(expected []*devicev1.Device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	names := make(map[string]bool, len(expected))
	for _, known := range expected {
		name := known.GetName()
		names[name] = true
		if e := d.entries[name]; e != nil {
			e.expected = true
			continue
		}
		known = proto.CloneOf(known)
		known.Robot = d.robot
		d.entries[name] = &entry{status: &signalingv1.DeviceStatus{Device: known, Gone: true}, expected: true}
		changed = true
	}
	for name, e := range d.entries {
		e.expected = names[name]
		if !e.expected && e.heard.IsZero() {
			d.forgetLocked(name)
			changed = true
		}
	}
	if changed {
		d.tellLocked()
	}
}

// SetAway tells why the robot cannot be reached; empty if it can. Its devices are gone then as soon as they are not
// heard.
func (d *Devices) SetAway(reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away != reason {
		d.away = reason
		d.tellLocked()
	}
}

func (d *Devices) listen(ctx context.Context) {
	for state, err := range d.states.All(ctx) {
		if err != nil {
			return
		}
		now := time.Now()
		if d.repeated(state.Data, now) {
			continue
		}
		if device, ok := state.Read(); ok {
			d.heard(device, state.Data, now)
		}
	}
}

// repeated reports whether a device that is there says what it said last, as each does once a second. That need not be
// decoded.
func (d *Devices) repeated(said []byte, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.entries {
		if bytes.Equal(e.said, said) && !e.status.GetGone() {
			e.heard = now
			return true
		}
	}
	return false
}

// heard records the announcement of a device.
func (d *Devices) heard(device *devicev1.Device, said []byte, now time.Time) {
	if (bus.Address{Robot: device.GetRobot(), Device: device.GetName()}).Validate() != nil ||
		device.GetRobot() != d.robot {
		d.log.Debug("an announcement of an impossible device", "robot", device.GetRobot(), "device", device.GetName())
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[device.GetName()]
	switch {
	case e != nil:
		e.heard, e.said = now, said
		if !e.status.GetGone() && proto.Equal(e.status.GetDevice(), device) {
			return
		}
		e.status = &signalingv1.DeviceStatus{Device: device}
	case len(d.entries) >= maxDevices:
		d.log.Warn("too many devices: one is ignored", "device", device.GetName())
		return
	default:
		d.entries[device.GetName()] = &entry{status: &signalingv1.DeviceStatus{Device: device}, said: said, heard: now}
	}
	d.tellLocked()
}

// markGone detects devices that have fallen silent, and forgets those that have left. It returns after what time it has
// to be called again.
func (d *Devices) markGone(now time.Time) (again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	again = goneAfter // as of a device that is heard right now
	for name, e := range d.entries {
		if e.left(now) {
			d.forgetLocked(name)
			changed = true
		}
		if !e.status.GetGone() && now.Sub(e.heard) > goneAfter {
			e.status = &signalingv1.DeviceStatus{Device: e.status.GetDevice(), Gone: true}
			changed = true
		}
		if !e.status.GetGone() {
			again = min(again, goneAfter-now.Sub(e.heard))
		}
	}
	if changed {
		d.tellLocked()
	}
	return max(again, 0) + goneCheck
}

func (d *Devices) forgetLocked(name string) {
	delete(d.entries, name)
	d.forgot(name)
}

// tellLocked wakes everyone waiting for a change.
func (d *Devices) tellLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// List returns all known devices by name, and a channel that is closed when the list is out of date. The devices must
// not be changed.
func (d *Devices) List() (*signalingv1.DeviceList, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := &signalingv1.DeviceList{RobotAway: d.away}
	for _, name := range slices.Sorted(maps.Keys(d.entries)) {
		list.Devices = append(list.Devices, d.entries[name].status)
	}
	return list, d.changed
}

// Get returns a known device, nil for others. Heard is false for one that is only expected. Changed is closed when
// anything changes about any device.
func (d *Devices) Get(device string) (status *signalingv1.DeviceStatus, heard bool, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.entries[device]; e != nil {
		return e.status, !e.heard.IsZero(), d.changed
	}
	return nil, false, d.changed
}

// Names returns the names of all known devices, sorted.
func (d *Devices) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.entries))
}
