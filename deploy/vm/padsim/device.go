package padsim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

const uinputFile = "/dev/uinput"

// Device is a plugged-in device.
type Device struct {
	sysfs string // its folder in sysfs

	mu   sync.Mutex
	fd   int
	gone bool
}

// Plug makes the device. It returns at once; the kernel and udev take a moment to make its device file. It needs root
// and the kernel modules uinput and evdev.
func (d Description) Plug() (*Device, error) { return d.plug(uinputFile) }

func (d Description) plug(file string) (*Device, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: run \"modprobe uinput\" as root", file)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range d.requests() {
		if err := r.do(fd); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", d.Name, err), unix.Close(fd))
		}
	}
	name := make([]byte, sysNameSize)
	if err := (request{code: getSysName, data: name}).do(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Name, err), unix.Close(fd))
	}
	text, _, _ := bytes.Cut(name, []byte{0})
	return &Device{sysfs: filepath.Join("/sys/devices/virtual/input", string(text)), fd: fd}, nil
}

// Path returns the device file, or an error that wraps fs.ErrNotExist until it exists.
func (d *Device) Path() (string, error) {
	found, err := filepath.Glob(filepath.Join(d.sysfs, "event*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%s: the event device does not exist yet: %w", d.sysfs, errors.Join(err, fs.ErrNotExist))
	}
	path := filepath.Join("/dev/input", filepath.Base(found[0]))
	_, err = os.Stat(path)
	return path, err
}

// Report reports events that belong together. It never blocks.
func (d *Device) Report(events ...Event) error {
	b := make([]byte, 0, (len(events)+1)*eventSize)
	for _, e := range events {
		b = e.append(b)
	}
	b = Event{Type: evSyn}.append(b)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return fs.ErrClosed
	}
	n, err := unix.Write(d.fd, b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("the kernel accepted %d of %d bytes", n, len(b))
	}
	return err
}

// Unplug removes the device. It may be called more than once.
func (d *Device) Unplug() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return nil
	}
	d.gone = true
	return errors.Join(request{code: destroy}.do(d.fd), unix.Close(d.fd))
}
