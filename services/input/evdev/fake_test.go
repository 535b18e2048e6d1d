package evdev

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	linux "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"
)

// NewOn returns a source on another kernel.
func NewOn(k *FakeKernel, c Config) *Source { return &Source{c, k, system()} }

// FakeKernel has devices that a test controls. It is modelled on drivers/input/evdev.c.
type FakeKernel struct {
	mu      sync.Mutex
	devices map[string]*FakeDevice
	errs    map[string]error // of opening
}

// NewFakeKernel returns a kernel without devices.
func NewFakeKernel() *FakeKernel {
	return &FakeKernel{devices: map[string]*FakeDevice{}, errs: map[string]error{}}
}

// Plug makes a device appear.
func (k *FakeKernel) Plug(path string, d *FakeDevice) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices[path] = d
}

// Fail makes opening a path fail, or no longer, if err is nil.
func (k *FakeKernel) Fail(path string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.errs, path)
	if err != nil {
		k.errs[path] = &fs.PathError{Op: "open", Path: path, Err: err}
	}
}

// Unplug removes a device, even if programs have it open.
func (k *FakeKernel) Unplug(path string) {
	k.mu.Lock()
	d := k.devices[path]
	delete(k.devices, path)
	k.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	for _, c := range d.clients {
		c.woken.Broadcast()
	}
}

func (k *FakeKernel) paths() ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(mergeKeys(k.devices, k.errs))), nil
}

func mergeKeys(devices map[string]*FakeDevice, errs map[string]error) map[string]bool {
	all := map[string]bool{}
	for path := range devices {
		all[path] = true
	}
	for path := range errs {
		all[path] = true
	}
	return all
}

func (k *FakeKernel) open(path string) (node, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.errs[path]; err != nil {
		return nil, err
	}
	d := k.devices[path]
	if d == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
	}
	return d.open(), nil
}

// FakeDevice is one device. Its fields are set before it is plugged.
type FakeDevice struct {
	Name    string
	ID      linux.InputID
	Events  map[linux.EvType][]linux.EvCode
	Axes    map[linux.EvCode]linux.AbsInfo
	Buffer  int              // events that wait for a reader; 0: 64
	Stamp   func() time.Time // of events; nil: now
	StateFn func()           // called before the state of keys is read
	Dropped int              // how often events were lost; read it when nothing is sent
	Misused int              // how often it was queried after it was closed; read it when nobody has it open

	mu      sync.Mutex
	keys    map[linux.EvCode]bool
	clients []*client
	grabbed *client
	opened  int
	gone    bool
}

// Pad is a pad as xpad presents it. The kernel buffers eight of its reports, which it assumes to have up
// to 14 events, rounded up to a power of two.
func Pad() *FakeDevice {
	stick := linux.AbsInfo{Minimum: -32768, Maximum: 32767, Fuzz: 16, Flat: 128}
	hat := linux.AbsInfo{Minimum: -1, Maximum: 1}
	return &FakeDevice{
		Name: "Microsoft X-Box 360 pad", ID: linux.InputID{BusType: 3, Vendor: 0x045e, Product: 0x028e}, Buffer: 128,
		Events: map[linux.EvType][]linux.EvCode{
			linux.EV_KEY: {linux.BTN_SOUTH, linux.BTN_EAST, linux.BTN_NORTH, linux.BTN_WEST, linux.BTN_START},
			linux.EV_ABS: {linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RZ, linux.ABS_HAT0X, linux.ABS_HAT0Y},
		},
		Axes: map[linux.EvCode]linux.AbsInfo{
			linux.ABS_X: stick, linux.ABS_Y: stick, linux.ABS_Z: {Maximum: 255}, linux.ABS_RZ: {Maximum: 255},
			linux.ABS_HAT0X: hat, linux.ABS_HAT0Y: hat,
		},
	}
}

// Send makes the device send events and then SYN_REPORT.
func (d *FakeDevice) Send(events ...linux.InputEvent) {
	d.Raw(append(slices.Clone(events), linux.InputEvent{Type: linux.EV_SYN, Code: linux.SYN_REPORT})...)
}

// Raw makes the device send events as they are.
func (d *FakeDevice) Raw(events ...linux.InputEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Now()
	if d.Stamp != nil {
		at = d.Stamp()
	}
	for _, e := range events {
		e.Time = syscall.NsecToTimeval(at.UnixNano())
		d.remember(e)
		for _, c := range d.clients {
			if d.grabbed == nil || d.grabbed == c {
				c.pass(e)
			}
		}
	}
}

func (d *FakeDevice) remember(e linux.InputEvent) {
	switch e.Type {
	case linux.EV_KEY:
		if d.keys == nil {
			d.keys = map[linux.EvCode]bool{}
		}
		d.keys[e.Code] = e.Value != 0
	case linux.EV_ABS:
		if a, there := d.Axes[e.Code]; there {
			a.Value = e.Value
			d.Axes[e.Code] = a
		}
	}
}

// Open is how many programs have the device open.
func (d *FakeDevice) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.clients)
}

// Grabbed tells whether somebody has grabbed the device.
func (d *FakeDevice) Grabbed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.grabbed != nil
}

// Idle tells whether everything sent has been read.
func (d *FakeDevice) Idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.ContainsFunc(d.clients, func(c *client) bool { return len(c.queue) > 0 })
}

func (d *FakeDevice) open() *client {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &client{device: d, woken: sync.NewCond(&d.mu)}
	d.clients = append(d.clients, c)
	d.opened++
	return c
}

// client is one program's view of the open device.
type client struct {
	device *FakeDevice
	woken  *sync.Cond // with the device's mu
	queue  []linux.InputEvent
	whole  int // events of the queue up to the last SYN_REPORT
	closed bool
}

func (c *client) pass(e linux.InputEvent) {
	report := e.Type == linux.EV_SYN && e.Code == linux.SYN_REPORT
	if report && c.whole == len(c.queue) {
		return
	}
	c.queue = append(c.queue, e)
	room := c.device.Buffer
	if room == 0 {
		room = 64
	}
	if len(c.queue) >= room {
		dropped := linux.InputEvent{Time: e.Time, Type: linux.EV_SYN, Code: linux.SYN_DROPPED}
		c.queue, c.whole = []linux.InputEvent{dropped, e}, 0
		c.device.Dropped++
	}
	if report {
		c.whole = len(c.queue)
		c.woken.Broadcast()
	}
}

// flush discards waiting events of a type, and groups that have become empty.
func (c *client) flush(t linux.EvType) {
	var left []linux.InputEvent
	c.whole = 0
	inGroup := 1 // a leading SYN_REPORT ends a group of which a part was read
	for _, e := range c.queue {
		report := e.Type == linux.EV_SYN && e.Code == linux.SYN_REPORT
		if e.Type == t || report && inGroup == 0 {
			continue
		}
		left = append(left, e)
		inGroup++
		if report {
			inGroup, c.whole = 0, len(left)
		}
	}
	c.queue = left
}

// err turns the kernel's errors into go-evdev's, which keep only their text.
func (c *client) err() error {
	switch {
	case c.closed:
		c.device.Misused++
		return errors.New(unix.EBADF.Error())
	case c.device.gone:
		return errors.New("cannot get absBits: " + unix.ENODEV.Error())
	}
	return nil
}

func (c *client) lock() func() { c.device.mu.Lock(); return c.device.mu.Unlock }

func (c *client) Name() (string, error) { defer c.lock()(); return c.device.Name, c.err() }

func (c *client) InputID() (linux.InputID, error) { defer c.lock()(); return c.device.ID, c.err() }

func (c *client) CapableEvents(t linux.EvType) []linux.EvCode {
	defer c.lock()()
	return c.device.Events[t]
}

func (c *client) AbsInfos() (map[linux.EvCode]linux.AbsInfo, error) {
	defer c.lock()()
	return maps.Clone(c.device.Axes), c.err()
}

func (c *client) State(t linux.EvType) (linux.StateMap, error) {
	if f := c.device.StateFn; f != nil {
		f()
	}
	defer c.lock()()
	c.flush(t)
	return maps.Clone(c.device.keys), c.err()
}

func (c *client) Grab() error {
	defer c.lock()()
	if c.device.grabbed != nil {
		return errors.New(unix.EBUSY.Error())
	}
	c.device.grabbed = c
	return c.err()
}

func (c *client) ReadSlice(n int) ([]linux.InputEvent, error) {
	defer c.lock()()
	for {
		switch {
		case c.closed:
			return nil, &fs.PathError{Op: "read", Path: "event", Err: os.ErrClosed}
		case c.device.gone:
			return nil, &fs.PathError{Op: "read", Path: "event", Err: unix.ENODEV}
		case c.whole > 0:
			n = min(n, c.whole)
			events := slices.Clone(c.queue[:n])
			c.queue, c.whole = c.queue[n:], c.whole-n
			return events, nil
		}
		c.woken.Wait()
	}
}

func (c *client) Close() error {
	defer c.lock()()
	c.closed = true
	if c.device.grabbed == c {
		c.device.grabbed = nil
	}
	c.device.clients = slices.DeleteFunc(c.device.clients, func(x *client) bool { return x == c })
	c.woken.Broadcast()
	return nil
}

func key(c linux.EvCode, value int32) linux.InputEvent {
	return linux.InputEvent{Type: linux.EV_KEY, Code: c, Value: value}
}

func abs(c linux.EvCode, value int32) linux.InputEvent {
	return linux.InputEvent{Type: linux.EV_ABS, Code: c, Value: value}
}

func syn(c linux.EvCode) linux.InputEvent { return linux.InputEvent{Type: linux.EV_SYN, Code: c} }
