package evdev

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	linux "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/source"
)

// handle is an open device. It may be closed by any goroutine; everything else is for one goroutine.
type handle struct {
	path string

	mu     sync.Mutex // keeps the node open while it is queried; reading does without
	node   node
	closed bool
}

func openDevice(k kernel, path string) (*handle, error) {
	n, err := k.open(path)
	if err != nil {
		return nil, explain(path, err)
	}
	return &handle{path: path, node: n}, nil
}

// ask calls f unless the device has been closed.
func (d *handle) ask(f func(node) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	return explain(d.path, f(d.node))
}

// close ends a pending read. It may be called more than once.
func (d *handle) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		_ = d.node.Close() // of a file that was only read
	}
}

// describe asks the device what it is.
func (d *handle) describe() (info source.Info, err error) {
	err = d.ask(func(n node) error {
		name, err := n.Name()
		if err != nil {
			return err
		}
		id, err := n.InputID()
		if err != nil {
			return err
		}
		axes, err := n.AbsInfos()
		if err != nil {
			return err
		}
		info = source.Info{
			Driver: "evdev", Path: d.path, Name: strings.ToValidUTF8(name, "�"), Kind: kindOf(n),
			ID: fmt.Sprintf("%04x:%04x", id.Vendor, id.Product), Axes: announced(axes),
		}
		return nil
	})
	return info, err
}

// kindOf tells what kind of device it is, by what it can send and by whether the kernel marks it as a
// motion sensor.
func kindOf(n node) string {
	kind := classify(n.CapableEvents)
	sensor, tells := n.(interface{ Properties() []linux.EvProp })
	if kind == source.Gamepad && tells && slices.Contains(sensor.Properties(), linux.INPUT_PROP_ACCELEROMETER) {
		return source.Other
	}
	return kind
}

// rank orders gamepads: the lowest is the best. One that is gone is the worst.
func (d *handle) rank() (r int) {
	err := d.ask(func(n node) error { r = rank(n.CapableEvents); return nil })
	if err != nil {
		return math.MaxInt
	}
	return r
}

// announced lists the axes by code.
func announced(infos map[linux.EvCode]linux.AbsInfo) (list []source.Axis) {
	for c := range linux.EvCode(linux.ABS_CNT) {
		if a, there := infos[c]; there {
			list = append(list, source.Axis{Code: c, Minimum: a.Minimum, Maximum: a.Maximum, Flat: a.Flat})
		}
	}
	return list
}

// state asks the device for the state of its keys and axes.
func (d *handle) state() (s source.State, err error) {
	err = d.ask(func(n node) error {
		keys, err := n.State(linux.EV_KEY)
		if err != nil {
			return err
		}
		for c, pressed := range keys {
			if pressed {
				s.Keys = append(s.Keys, c)
			}
		}
		infos, err := n.AbsInfos()
		s.Axes = make(map[linux.EvCode]int32, len(infos))
		for c, a := range infos {
			s.Axes[c] = a.Value
		}
		return err
	})
	return s, err
}

// grab takes the device for this process alone.
func (d *handle) grab() error { return d.ask(node.Grab) }

func (d *handle) read(n int) ([]linux.InputEvent, error) {
	events, err := d.node.ReadSlice(n)
	return events, explain(d.path, err)
}

// explain translates an error of the kernel into its meaning and a remedy.
func explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: there is no such device", path, device.ErrAway)
	case is(err, unix.ENODEV), is(err, unix.ENXIO):
		return fmt.Errorf("%s: %w: it was unplugged", path, device.ErrAway)
	case is(err, unix.EBUSY):
		return fmt.Errorf("%s: %w: another program has grabbed it, perhaps one that remaps keys, or another "+
			"waldo-input with grab: end that program, or set grab to false", path, device.ErrBusy)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: %s", path, fs.ErrPermission, permissionRemedy)
	}
	return fmt.Errorf("%s: %w", path, err)
}

const permissionRemedy = "add the user of this process to the group input, or assign the device to one of its " +
	"groups with a udev rule"
