package devices

import (
	"context"
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
	// A device speaks once a second; how late its silence is noticed.
	goneCheck = 250 * time.Millisecond
	// maxDevices bounds what strangers on the bus can make us remember.
	maxDevices = 1000
)

// Config adjusts a directory; the zero value works.
type Config struct {
	// Expected are the devices that the robot is known to have: name, and kind if known.
	Expected []*devicev1.Device
	// Log may be nil.
	Log *slog.Logger
}

// Directory knows the devices of one robot.
type Directory struct {
	conn   *bus.Conn
	robot  string
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
	status *signalingv1.DeviceStatus // never changed, only replaced
	heard  time.Time
}

// New returns a directory that listens on the bus.
func New(conn *bus.Conn, robot string, c Config) (*Directory, error) {
	d := &Directory{
		conn: conn, robot: robot, log: c.Log,
		entries: make(map[string]*entry), changed: make(chan struct{}),
		stills: make(map[string]*turns.Queue[size, *mediav1.VideoFrame]),
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, known := range c.Expected {
		known = proto.CloneOf(known)
		known.Robot = robot
		d.entries[known.GetName()] = &entry{status: &signalingv1.DeviceStatus{Device: known, Gone: true}}
	}
	var err error
	// A reader this slow has other worries than a missed state: each is repeated within a second.
	d.states, err = bus.Subscribe[*devicev1.Device](conn, bus.Address{Robot: robot, Device: bus.Any}.State(), stream.DropOldest(256))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.ended.Go(func() { d.listen(ctx) })
	d.ended.Go(func() { d.watch(ctx) })
	return d, nil
}

// Close ends the directory. Feeds that were opened are to be closed by themselves.
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

// heard takes note of what a device said.
func (d *Directory) heard(device *devicev1.Device, now time.Time) {
	if (bus.Address{Robot: device.GetRobot(), Device: device.GetName()}).Validate() != nil || device.GetRobot() != d.robot {
		d.log.Debug("somebody speaks for a device that cannot be", "robot", device.GetRobot(), "device", device.GetName())
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
		d.log.Warn("too many devices; one is ignored", "device", device.GetName())
		return
	default:
		d.entries[device.GetName()] = &entry{status: &signalingv1.DeviceStatus{Device: device}, heard: now}
	}
	d.tell()
}

// watch finds out who fell silent.
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
	silent := false
	for _, e := range d.entries {
		if !e.status.GetGone() && now.Sub(e.heard) > goneAfter {
			e.status = &signalingv1.DeviceStatus{Device: e.status.GetDevice(), Gone: true}
			silent = true
		}
	}
	if silent {
		d.tell()
	}
}

// tell wakes all who wait for a change; d.mu is held.
func (d *Directory) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// List returns all known devices by name, and a channel that is closed when the list is out of date. The devices must not be
// changed.
func (d *Directory) List() (*signalingv1.DeviceList, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := &signalingv1.DeviceList{}
	for _, name := range slices.Sorted(maps.Keys(d.entries)) {
		list.Devices = append(list.Devices, d.entries[name].status)
	}
	return list, d.changed
}

// Check returns nil for a known device, there or not. For others it returns codes.NotFound and says which there are.
func (d *Directory) Check(device string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.entries[device]; ok {
		return nil
	}
	names := slices.Sorted(maps.Keys(d.entries))
	if len(names) == 0 {
		return status.Errorf(codes.NotFound, "there is no device %q; no device of robot %q was heard of yet: is it running?", device, d.robot)
	}
	return status.Errorf(codes.NotFound, "there is no device %q; there are: %s", device, strings.Join(names, ", "))
}

// CheckAccepts returns nil for a device that accepts a stream, or of which nothing is known yet. For others it returns
// codes.FailedPrecondition.
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

// streamInfo returns what a device says of one of its streams, nil if it says nothing.
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
