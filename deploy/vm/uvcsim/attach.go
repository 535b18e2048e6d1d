package uvcsim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	hostController = "/sys/devices/platform/vhci_hcd.0"

	deviceID  = 1<<16 | 1 // bus and number of the device on the side that serves it; any will do
	highSpeed = 3
)

// ErrNoPort means that all ports of the virtual host controller are taken.
var ErrNoPort = errors.New("no free port on the virtual USB host controller")

// Plugged is a camera plugged into a port of this machine.
type Plugged struct {
	conn io.Closer
	done chan struct{}
	err  error // set before done is closed
}

// Attach plugs the camera into a free port of this machine's virtual host controller. It returns at once; the kernel
// takes a moment to find the camera and make its device file. It needs root and the kernel module vhci-hcd.
func (c *Camera) Attach() (*Plugged, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the USB cable: %w", err)
	}
	ours, kernels := pair[0], pair[1]
	err = errors.Join(syscall.SetNonblock(ours, true), attach(port, kernels))
	err = errors.Join(err, syscall.Close(kernels)) // the kernel keeps its own reference
	if err != nil {
		return nil, errors.Join(fmt.Errorf("plug into port %d: %w", port, err), syscall.Close(ours))
	}
	conn := os.NewFile(uintptr(ours), "usb cable")
	p := &Plugged{conn: conn, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = c.Serve(conn)
	}()
	return p, nil
}

// Unplug pulls the cable, waits until the camera has noticed, and returns Serve's result.
func (p *Plugged) Unplug() error {
	p.conn.Close()
	<-p.done
	return p.err
}

// Done is closed when the camera is no longer plugged in, for any reason.
func (p *Plugged) Done() <-chan struct{} { return p.done }

func attach(port, socket int) error {
	line := fmt.Sprintf("%d %d %d %d", port, socket, deviceID, highSpeed)
	return os.WriteFile(filepath.Join(hostController, "attach"), []byte(line), 0)
}

func freePort() (int, error) {
	f, err := os.Open(filepath.Join(hostController, "status"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errors.New("virtual USB host controller not found: run \"modprobe vhci-hcd\" as root")
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return parseFreePort(f)
}

// parseFreePort finds the first free high-speed port in the controller's status table, whose lines begin with hub,
// port, and state.
func parseFreePort(r io.Reader) (int, error) {
	const free = 4
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[0] != "hs" {
			continue
		}
		port, portErr := strconv.Atoi(fields[1])
		state, stateErr := strconv.Atoi(fields[2])
		if portErr == nil && stateErr == nil && state == free && port >= 0 {
			return port, nil
		}
	}
	return 0, errors.Join(ErrNoPort, lines.Err())
}
