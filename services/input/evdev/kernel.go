package evdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	linux "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"
)

const devices = "/dev/input"

// kernel gives access to devices. Tests replace it.
type kernel interface {
	// paths lists the event devices by number.
	paths() ([]string, error)
	// open opens one for reading.
	open(path string) (node, error)
}

// node is the part of an open device in use; *linux.InputDevice is one. Close may be called during
// ReadSlice, which then ends.
type node interface {
	describer
	stater
	ReadSlice(n int) ([]linux.InputEvent, error)
	Grab() error
	Close() error
}

type describer interface {
	Name() (string, error)
	InputID() (linux.InputID, error)
	CapableEvents(linux.EvType) []linux.EvCode
}

type stater interface {
	// AbsInfos describes the absolute axes, with their positions.
	AbsInfos() (map[linux.EvCode]linux.AbsInfo, error)
	// State tells for each key whether it is pressed. The kernel discards the key events that wait to be
	// read: the state is newer.
	State(linux.EvType) (linux.StateMap, error)
}

// linuxKernel is the real kernel.
type linuxKernel struct{}

func (linuxKernel) paths() ([]string, error) {
	entries, err := os.ReadDir(devices)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no device has ever been there
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return eventPaths(names), nil
}

// eventPaths picks the event devices among a folder's names, by number.
func eventPaths(names []string) []string {
	var numbers []int
	for _, name := range names {
		digits, event := strings.CutPrefix(name, "event")
		if n, err := strconv.Atoi(digits); event && err == nil && n >= 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var paths []string
	for _, n := range numbers {
		paths = append(paths, filepath.Join(devices, "event"+strconv.Itoa(n)))
	}
	return paths
}

// errNotInput means that the file exists but is not an event device.
var errNotInput = fmt.Errorf("not an event device: use one of %s/event…, "+
	"or a link under %s/by-id that ends in -event-joystick, -event-kbd or -event-mouse", devices, devices)

func (linuxKernel) open(path string) (node, error) {
	stat, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case stat.Mode()&fs.ModeCharDevice == 0:
		return nil, errNotInput
	}
	// Without O_NONBLOCK the library would make reading block a thread, which closing the device does
	// not end.
	d, err := linux.OpenWithFlags(path, os.O_RDONLY|unix.O_NONBLOCK)
	switch {
	case is(err, unix.ENOTTY), is(err, unix.EINVAL):
		return nil, errNotInput
	case err != nil:
		return nil, err
	}
	return d, nil
}

// is tells whether an error has that cause. The library passes on only the text of many errors.
func is(err error, cause unix.Errno) bool {
	return err != nil && (errors.Is(err, cause) || strings.HasSuffix(err.Error(), cause.Error()))
}
