package evdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	linux "github.com/holoplot/go-evdev"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/input/source"
)

func keyboard() *FakeDevice {
	keys := []linux.EvCode{linux.KEY_ENTER}
	for l := 'A'; l <= 'Z'; l++ {
		keys = append(keys, linux.KEYFromString["KEY_"+string(l)])
	}
	return &FakeDevice{Name: "AT Translated Set 2 keyboard", Events: map[linux.EvType][]linux.EvCode{linux.EV_KEY: keys}}
}

func mouse() *FakeDevice {
	return &FakeDevice{Name: "Logitech USB Optical Mouse", Events: map[linux.EvType][]linux.EvCode{
		linux.EV_KEY: {linux.BTN_LEFT, linux.BTN_RIGHT}, linux.EV_REL: {linux.REL_X, linux.REL_Y, linux.REL_WHEEL}}}
}

func named(d *FakeDevice, name string) *FakeDevice { d.Name = name; return d }

func TestChoice(t *testing.T) {
	folder := t.TempDir()
	file, link, broken := filepath.Join(folder, "event9"), filepath.Join(folder, "usb-pad-event-joystick"),
		filepath.Join(folder, "usb-old")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink("event9", link),
		os.Symlink("event8", broken)); err != nil {
		t.Fatal(err)
	}
	k := NewFakeKernel()
	k.Plug("/dev/input/event0", keyboard())
	k.Plug("/dev/input/event1", mouse())
	k.Plug("/dev/input/event2", named(Pad(), "Wheel of luck"))
	k.Plug("/dev/input/event3", Pad())
	k.Plug(file, named(Pad(), "Pad of the path"))
	k.Fail("/dev/input/event4", unix.EACCES)
	for name, tt := range map[string]struct {
		config Config
		want   string // path, or the parts of the error, separated by |
	}{
		"a gamepad":        {Config{Match: source.Gamepad}, "/dev/input/event2"},
		"a keyboard":       {Config{Match: source.Keyboard}, "/dev/input/event0"},
		"a mouse":          {Config{Match: source.Mouse}, "/dev/input/event1"},
		"any":              {Config{Match: AnyKind}, "/dev/input/event0"},
		"any of that name": {Config{Match: AnyKind, Name: "luck"}, "/dev/input/event2"},
		"name in any case": {Config{Match: source.Gamepad, Name: "x-bOX"}, "/dev/input/event3"},
		"path":             {Config{Path: file}, file},
		"link":             {Config{Path: link}, file},
		"path wins":        {Config{Path: link, Match: source.Mouse, Name: "no such"}, file},
		"no such name": {Config{Match: source.Gamepad, Name: "Pro"},
			`no gamepad whose name contains "Pro"|"AT Translated Set 2 keyboard" (keyboard, /dev/input/event0)`},
		"not of that kind": {Config{Match: source.Keyboard, Name: "mouse"},
			`no keyboard whose name contains "mouse"|/dev/input/event3`},
		"permission": {Config{Match: source.Other}, "no permission to read /dev/input/event4: add the user"},
		"no such path": {Config{Path: filepath.Join(folder, "gone")},
			"there is no such device|(mouse, /dev/input/event1)"},
		"no such device": {Config{Path: os.DevNull}, "there is no such device"},
		"broken link":    {Config{Path: broken}, "there is no such device"},
	} {
		t.Run(name, func(t *testing.T) {
			d, info, err := NewOn(k, tt.config).find()
			if err == nil {
				d.close()
				if info.Path != tt.want {
					t.Errorf("found %+v, want %s", info, tt.want)
				}
				return
			}
			for part := range strings.SplitSeq(tt.want, "|") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want an error with %q", err, part)
				}
			}
		})
	}
	for path, d := range k.devices {
		if d.Open() != 0 {
			t.Errorf("%s is still open", path)
		}
	}
}

func TestErrorsAreBounded(t *testing.T) {
	k := NewFakeKernel()
	err := NewOn(k, Config{Match: source.Gamepad}).Run(t.Context(), nil)
	if !errors.Is(err, device.ErrAway) || !strings.Contains(err.Error(), "nor any other input device") {
		t.Errorf("no device at all: %v", err)
	}
	for i := range 500 {
		k.Plug(fmt.Sprintf("/dev/input/event%d", i), named(mouse(), strings.Repeat("\x01\"ü\xff", 60)))
		k.Fail(fmt.Sprintf("/dev/input/event%d", 500+i), unix.EPERM)
	}
	err = NewOn(k, Config{Match: source.Gamepad}).Run(t.Context(), nil)
	if text := fmt.Sprint(err); len(text) > 2000 || !strings.Contains(text, "and 494 more") {
		t.Errorf("%d bytes: %v", len(text), err)
	}
}

// TestPermissionOfAPath is the same remedy for a device that was named.
func TestPermissionOfAPath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "event0")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := NewFakeKernel()
	k.Fail(file, unix.EACCES)
	if err := NewOn(k, Config{Path: file}).Run(t.Context(), nil); !errors.Is(err, os.ErrPermission) ||
		!strings.Contains(err.Error(), "group input") {
		t.Errorf("got %v", err)
	}
	k.Fail(file, unix.EIO)
	if err := NewOn(k, Config{Path: file}).Run(t.Context(), nil); !errors.Is(err, unix.EIO) ||
		!strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestClassify(t *testing.T) {
	all := make([]linux.EvCode, linux.KEY_MAX)
	for c := range all {
		all[c] = linux.EvCode(c)
	}
	stick := []linux.EvCode{linux.ABS_X, linux.ABS_Y}
	for name, tt := range map[string]struct {
		events map[linux.EvType][]linux.EvCode
		want   string
	}{
		"pad": {Pad().Events, source.Gamepad},
		"flight stick": {map[linux.EvType][]linux.EvCode{linux.EV_KEY: {linux.BTN_TRIGGER},
			linux.EV_ABS: stick}, source.Gamepad},
		"pad without sticks": {map[linux.EvType][]linux.EvCode{linux.EV_KEY: {linux.BTN_SOUTH,
			linux.BTN_DPAD_UP}}, source.Gamepad},
		"keyboard":                      {keyboard().Events, source.Keyboard},
		"keyboard that claims all keys": {map[linux.EvType][]linux.EvCode{linux.EV_KEY: all}, source.Keyboard},
		"keyboard without a letter":     {map[linux.EvType][]linux.EvCode{linux.EV_KEY: letters()[1:]}, source.Other},
		"mouse":                         {mouse().Events, source.Mouse},
		"mouse with buttons of joystick": {map[linux.EvType][]linux.EvCode{linux.EV_KEY: {linux.BTN_LEFT,
			linux.BTN_TRIGGER}, linux.EV_REL: {linux.REL_X, linux.REL_Y}}, source.Mouse},
		"touchpad": {map[linux.EvType][]linux.EvCode{linux.EV_KEY: {linux.BTN_LEFT,
			linux.BTN_TOOL_FINGER}, linux.EV_ABS: stick}, source.Other},
		"motion sensor of a pad": {map[linux.EvType][]linux.EvCode{linux.EV_ABS: stick}, source.Other},
		"power button":           {map[linux.EvType][]linux.EvCode{linux.EV_KEY: {linux.KEY_POWER}}, source.Other},
		"nothing":                {nil, source.Other},
	} {
		if got := classify(func(e linux.EvType) []linux.EvCode { return tt.events[e] }); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// TestLinux tests what can be tested on a real kernel without a device.
func TestLinux(t *testing.T) {
	var k linuxKernel
	file := filepath.Join(t.TempDir(), "file")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{os.DevNull, "/dev/zero", file, fifo, t.TempDir()} {
		if _, err := openDevice(k, path); !errors.Is(err, errNotInput) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := openDevice(k, file+"x"); !errors.Is(err, device.ErrAway) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := List(); err != nil {
		t.Errorf("list: %v", err)
	}
	got := eventPaths([]string{"by-id", "event10", "event2", "js0", "mice", "event", "eventx", "event-1", "event0"})
	if want := []string{"/dev/input/event0", "/dev/input/event2", "/dev/input/event10"}; !slices.Equal(got, want) {
		t.Errorf("paths %v", got)
	}
	var _ node = (*linux.InputDevice)(nil)
}
