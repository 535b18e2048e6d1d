package devices

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/turns"
)

const (
	goneAfter = 2 * time.Second
	// goneCheck is how late silence is noticed; a device announces itself once a second.
	goneCheck = 250 * time.Millisecond
	// forgetAfter is how long a device is remembered that has said goodbye.
	forgetAfter = 10 * time.Second
	// maxDevices bounds the memory that strangers on the bus can use up.
	maxDevices = 1000
)

// Config adjusts a directory; the zero value works.
type Config struct {
	// Expected are the devices that robot.yaml names: name, and kind if known.
	Expected []*devicev1.Device
	// Log may be nil.
	Log *slog.Logger
}

// Directory knows the devices of one robot.
type Directory struct {
	conn   *bus.Conn
	robot  string
	holder string // of limits, see Limit
	log    *slog.Logger
	cancel context.CancelFunc
	states *bus.Subscription[*devicev1.Device]
	ended  sync.WaitGroup

	mu      sync.Mutex
	entries map[string]*entry
	changed chan struct{} // closed and replaced at each change
	stills  map[string]*turns.Queue[size, *mediav1.VideoFrame]
}

type entry struct {
	status   *signalingv1.DeviceStatus // never changed, only replaced
	heard    time.Time
	expected bool
}

// left reports whether the device was stopped on purpose, is not expected back, and has been away for some time.
func (e *entry) left(now time.Time) bool {
	return !e.expected && e.status.GetGone() && now.Sub(e.heard) > forgetAfter &&
		e.status.GetDevice().GetState() == devicev1.DeviceState_DEVICE_STATE_STOPPING
}

// New returns a directory that follows the bus.
func New(conn *bus.Conn, robot string, c Config) (*Directory, error) {
	d := &Directory{
		conn: conn, robot: robot, holder: "gateway " + rand.Text()[:8], log: c.Log,
		entries: make(map[string]*entry), changed: make(chan struct{}),
		stills: make(map[string]*turns.Queue[size, *mediav1.VideoFrame]),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, known := range c.Expected {
		known = proto.CloneOf(known)
		known.Robot = robot
		d.entries[known.GetName()] = &entry{
			status: &signalingv1.DeviceStatus{Device: known, Gone: true}, expected: true,
		}
	}
	var err error
	// A reader this slow can miss a state: each is repeated within a second.
	d.states, err = bus.Subscribe[*devicev1.Device](conn, bus.Address{Robot: robot, Device: bus.Any}.State(),
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

// Close ends the directory. Open feeds must be closed separately.
func (d *Directory) Close() {
	d.cancel()
	d.states.Close()
	d.ended.Wait()
}

func (d *Directory) listen(ctx context.Context) {
	for device, err := range d.states.All(ctx) {
		if err != nil {
			return
		}
		d.heard(device, time.Now())
	}
}

// heard records the announcement of a device.
func (d *Directory) heard(device *devicev1.Device, now time.Time) {
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
		e.heard = now
		if !e.status.GetGone() && proto.Equal(e.status.GetDevice(), device) {
			return
		}
		e.status = &signalingv1.DeviceStatus{Device: device}
	case len(d.entries) >= maxDevices:
		d.log.Warn("too many devices: one is ignored", "device", device.GetName())
		return
	default:
		d.entries[device.GetName()] = &entry{status: &signalingv1.DeviceStatus{Device: device}, heard: now}
	}
	d.tell()
}

// watch detects devices that have fallen silent, and forgets those that have left.
func (d *Directory) watch(ctx context.Context) {
	tick := time.NewTicker(goneCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.markGone(now)
		}
	}
}

func (d *Directory) markGone(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	for name, e := range d.entries {
		if e.left(now) {
			delete(d.entries, name)
			delete(d.stills, name)
			changed = true
		}
		if !e.status.GetGone() && now.Sub(e.heard) > goneAfter {
			e.status = &signalingv1.DeviceStatus{Device: e.status.GetDevice(), Gone: true}
			changed = true
		}
	}
	if changed {
		d.tell()
	}
}

// tell wakes everyone waiting for a change; d.mu is held.
func (d *Directory) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// List returns all known devices by name, and a channel that is closed when the list is out of date. The devices must
// not be changed.
func (d *Directory) List() (*signalingv1.DeviceList, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := &signalingv1.DeviceList{}
	for _, name := range slices.Sorted(maps.Keys(d.entries)) {
		list.Devices = append(list.Devices, d.entries[name].status)
	}
	return list, d.changed
}

// Check returns nil for a known device, present or not. For others it returns codes.NotFound with the known ones.
func (d *Directory) Check(device string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.entries[device]; ok {
		return nil
	}
	names := slices.Sorted(maps.Keys(d.entries))
	if len(names) == 0 {
		return status.Errorf(codes.NotFound, "there is no device %q; no device of robot %q has announced itself yet: is "+
			"it running?", device, d.robot)
	}
	return status.Errorf(codes.NotFound, "there is no device %q; there are: %s", device, strings.Join(names, ", "))
}

// CheckAccepts returns nil for a device that accepts a stream, or that has not announced itself yet. For others it
// returns codes.FailedPrecondition.
func (d *Directory) CheckAccepts(device, name string) error {
	info := d.streamInfo(device, name)
	d.mu.Lock()
	e := d.entries[device]
	known := e != nil && !e.heard.IsZero()
	d.mu.Unlock()
	if known && info.GetDirection() != devicev1.StreamDirection_STREAM_DIRECTION_IN {
		return status.Errorf(codes.FailedPrecondition, "%s accepts no stream %q", device, name)
	}
	return nil
}

// streamInfo returns the description of a device's stream, nil if there is none.
func (d *Directory) streamInfo(device, name string) *devicev1.StreamInfo {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[device]
	if e == nil {
		return nil
	}
	for _, s := range e.status.GetDevice().GetStreams() {
		if s.GetName() == name {
			return s
		}
	}
	return nil
}
