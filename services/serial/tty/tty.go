// Package tty is a serial line of the machine: a USB board (CDC-ACM, FTDI …), a UART, or a pseudo
// terminal. It is a driver on top of go.bug.st/serial that adds what the library leaves to its users: a
// second program is refused, an unplugged board is distinguished from a closed port, and a line without
// modem control, such as a pseudo terminal, is accepted.
//
// See package port for concurrency and shutdown.
package tty

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/serial/port"
)

// Config holds the settings of the line. The zero value is 115200 baud, 8N1.
type Config struct {
	Baud int  // bits per second; 0 means 115200
	Mode Mode // bits of a character
	// DTR and RTS are set when the port is opened; nil leaves them as the system sets them. Many boards
	// restart when DTR changes.
	DTR, RTS *bool
}

// DefaultBaud is the default rate.
const DefaultBaud = 115200

// Port is an open line. It implements [port.Port] and [port.Drainer].
type Port struct {
	path   string
	line   serial.Port
	lock   *os.File // keeps others out while it is open
	closed atomic.Bool
}

// Open opens a line by its path, which may be a link such as those in /dev/serial/by-id. The error wraps
// device.ErrAway if nothing is there, device.ErrBusy if another program uses it, port.ErrPort if it is
// not a serial line, or fs.ErrPermission.
func Open(path string, c Config) (*Port, error) {
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	p := &Port{path: path, lock: lock}
	if p.line, err = serial.Open(path, c.mode()); err != nil {
		return nil, errors.Join(openError(path, err), lock.Close())
	}
	if err := p.setModem(c); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (c Config) mode() *serial.Mode {
	mode := c.Mode.serial()
	mode.BaudRate = c.Baud
	if c.Baud == 0 {
		mode.BaudRate = DefaultBaud
	}
	return &mode
}

// acquire opens the device file and locks it. TIOCEXCL, which the library sets, does not stop root; the
// lock stops every program that checks it.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		err = errors.Join(err, f.Close())
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, busy(path)
		}
		return nil, fmt.Errorf("%s: %w: %w", path, port.ErrPort, err)
	}
	return f, nil
}

func busy(path string) error {
	return fmt.Errorf("%s: %w: another program uses it; stop it first (fuser -v %[1]s names it)", path, device.ErrBusy)
}

// openError distinguishes the ways in which opening fails.
func openError(path string, err error) error {
	var portErr *serial.PortError
	if errors.As(err, &portErr) {
		switch portErr.Code() {
		case serial.PortBusy:
			return busy(path)
		case serial.PermissionDenied:
			err = fs.ErrPermission
		case serial.PortNotFound:
			err = fs.ErrNotExist
		default:
			return fmt.Errorf("%s: %w: %w", path, port.ErrPort, err)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV),
		errors.Is(err, unix.EIO):
		return fmt.Errorf("%s: %w: there is no such port%s", path, device.ErrAway, others())
	case errors.Is(err, unix.EBUSY):
		return busy(path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: add the user to the group that owns the port, usually dialout", path, fs.ErrPermission)
	default:
		return fmt.Errorf("%s: %w", path, err)
	}
}

// others lists the ports there are, by their best names.
func others() string {
	const most = 8
	var found []string
	for _, pattern := range []string{"/dev/serial/by-id/*", "/dev/ttyACM*", "/dev/ttyUSB*"} {
		paths, _ := filepath.Glob(pattern) // fails only for a bad pattern
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return ", and no USB port at all"
	}
	return "; there are: " + strings.Join(found[:min(len(found), most)], ", ")
}

// setModem sets the configured modem lines. A line without modem control is accepted.
func (p *Port) setModem(c Config) error {
	for _, line := range []struct {
		name string
		want *bool
		set  func(bool) error
	}{{"dtr", c.DTR, p.line.SetDTR}, {"rts", c.RTS, p.line.SetRTS}} {
		if line.want == nil {
			continue
		}
		if err := line.set(*line.want); err != nil && !errors.Is(err, unix.ENOTTY) && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%s: set %s: %w", p.path, line.name, err)
		}
	}
	return nil
}

// Read implements [port.Port].
func (p *Port) Read(b []byte) (int, error) {
	for {
		n, err := p.line.Read(b)
		if n > 0 {
			return n, nil
		}
		if err != nil || p.closed.Load() {
			return 0, p.failure("read", err)
		}
	}
}

// Write implements [port.Port].
func (p *Port) Write(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, p.failure("write", nil)
	}
	written := 0
	for written < len(b) {
		n, err := p.line.Write(b[written:])
		written += n
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return written, p.failure("write", err)
		}
	}
	return written, nil
}

// Drain implements [port.Drainer].
func (p *Port) Drain() error {
	for {
		err := p.line.Drain()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return p.failure("drain", err)
		}
	}
}

// failure distinguishes a closed port from a board that has gone. The library reports "closed" for both.
func (p *Port) failure(what string, err error) error {
	if p.closed.Load() {
		return fmt.Errorf("%s %s: %w", what, p.path, os.ErrClosed)
	}
	return fmt.Errorf("%s %s: %w: %w", what, p.path, device.ErrAway, err)
}

// Close implements [port.Port].
func (p *Port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	err := p.line.Close()
	if errors.Is(err, unix.EIO) || errors.Is(err, unix.ENODEV) {
		err = nil // of a board that has gone
	}
	return errors.Join(err, p.lock.Close())
}
