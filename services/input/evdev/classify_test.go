package evdev

import (
	"testing"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// masked are the codes in a bit mask, the form in which the kernel reports what a device can send.
func masked(from int, mask ...byte) (codes []linux.EvCode) {
	for i, b := range mask {
		for bit := range 8 {
			if b>>bit&1 == 1 {
				codes = append(codes, linux.EvCode(from+8*i+bit))
			}
		}
	}
	return codes
}

func join(lists ...[]linux.EvCode) (all []linux.EvCode) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// mediaKeys are those of a keyboard's second device.
var mediaKeys = []linux.EvCode{
	linux.KEY_MUTE, linux.KEY_VOLUMEDOWN, linux.KEY_VOLUMEUP, linux.KEY_POWER, linux.KEY_SLEEP, linux.KEY_WWW,
	linux.KEY_CALC, linux.KEY_MAIL, linux.KEY_PLAYPAUSE, linux.KEY_NEXTSONG,
}

// arrows are the keys that the kernel's driver gives a Wiimote, besides its buttons.
var arrows = []linux.EvCode{linux.KEY_UP, linux.KEY_DOWN, linux.KEY_LEFT, linux.KEY_RIGHT, linux.KEY_NEXT,
	linux.KEY_PREVIOUS}

// reported are devices from public reports and lists (systemd's udev, SDL and others), with their kinds.
var reported = map[string]struct {
	keys, axes, moves []linux.EvCode
	want              string
}{
	"Xbox 360 wired": {masked(0x130, 0xdb, 0x7c), masked(0, 0x3f, 0, 3), nil, source.Gamepad},
	"Xbox One S over Bluetooth": {join([]linux.EvCode{linux.KEY_ENTER, linux.KEY_BACK, linux.KEY_UNKNOWN},
		masked(0x130, 0xff, 0x7f)), masked(0, 0x27, 6, 3), nil, source.Gamepad},
	"DualShock 4": {masked(0x130, 0xdb, 0x7f), masked(0, 0x3f, 0, 3), nil, source.Gamepad},
	"DualShock 4, touchpad": {join(masked(0x110, 1), masked(0x140, 0x20, 0x24)),
		masked(0, 3, 0, 0, 0, 0, 0x80, 0x60, 2), nil, source.Other},
	"DualShock 4, motion": {nil, masked(0, 0x3f), nil, source.Other},
	"DualShock 3": {join(masked(0x130, 0xdb, 0x7f), masked(0x220, 0xf)), masked(0, 0x3f), nil,
		source.Gamepad},
	"Switch Pro, motion":                {nil, masked(0, 0x3f), nil, source.Other},
	"Switch Pro by USB, no buttons yet": {nil, masked(0, 0x27, 0, 3), nil, source.Gamepad},
	"Switch Pro over Bluetooth": {join(masked(0x120, 0xff, 0xff), masked(0x2c0, 3)), masked(0, 0x1b, 0, 3),
		nil, source.Gamepad},
	"Steam Controller": {join(masked(0x120, 6, 0, 0xdb, 0x7f), masked(0x150, 3), masked(0x220, 0xf)),
		masked(0, 0x1b, 0, 0x33), nil, source.Gamepad},
	"Steam Controller as keyboard": {join(masked(0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xcf, 1, 0xdf, 0xff, 0x80, 0xe0), masked(0x110, 0x1f)), nil, masked(0, 3, 9), source.Keyboard},
	"Guitar Hero": {masked(0x130, 0xff, 0x1f), masked(0, 0x27, 0, 3), nil, source.Gamepad},
	"G27 wheel": {join(masked(0x120, 0xff, 0xff), masked(0x2c0, 0x7f)), masked(0, 0x27, 0, 3),
		nil, source.Gamepad},
	"Driving Force wheel":         {masked(0x120, 0xff, 0x0f), masked(0, 0x23, 0, 3), nil, source.Gamepad},
	"wheel with buttons of a pad": {masked(0x130, 0xff, 0x3f), masked(0, 0x3f, 0, 3), nil, source.Gamepad},
	"Dual Action":                 {masked(0x120, 0xff, 0x0f), masked(0, 0x27, 0, 3), nil, source.Gamepad},
	"N30 Pro 2":                   {masked(0x130, 0xff, 0x7f), masked(0, 0x27, 6, 3), nil, source.Gamepad},
	"SNES pad":                    {masked(0x120, 0xff, 3), masked(0, 3), nil, source.Gamepad},
	"stick with one button":       {masked(0x120, 1), masked(0, 3), nil, source.Gamepad},
	"flight stick":                {masked(0x120, 0x3f), masked(0, 0x27, 0, 3), nil, source.Gamepad},
	"Saitek X52": {join(masked(0x120, 0xff, 0xff), masked(0x2c0, 0xff, 0xff, 0x7f)),
		masked(0, 0x7f, 0, 3, 0, 0, 3), nil, source.Gamepad},
	"rudder pedals": {nil, masked(0, 7), nil, source.Gamepad},
	"Wiimote": {join(arrows, masked(0x100, 6), masked(0x130, 3, 0x10)), nil, nil,
		source.Gamepad},
	"Wiimote, motion":           {nil, masked(0, 0x38), nil, source.Other},
	"Wiimote, infrared camera":  {nil, masked(0x10, 0xff), nil, source.Other},
	"accelerometer of two axes": {nil, masked(0, 3), nil, source.Other},
	"Calliope keyboard, media keys": {join(mediaKeys, masked(0x120, 0x51)), []linux.EvCode{linux.ABS_VOLUME}, nil,
		source.Other},
	"receiver, media keys and axes": {join(mediaKeys, []linux.EvCode{linux.BTN_LEFT, linux.BTN_RIGHT},
		masked(0x120, 3)), masked(0, 3), masked(0, 3, 1), source.Mouse},
	"lamp controller":                 {join(mediaKeys, masked(0x120, 0x3f)), masked(0, 0xff, 7), nil, source.Other},
	"one joystick button and nothing": {masked(0x120, 1), nil, nil, source.Other},
	"mouse with 20 buttons":           {masked(0x110, 0xff, 0xff, 0x0f), nil, masked(0, 3, 1), source.Mouse},
	"trackpoint with media keys":      {join(mediaKeys, masked(0x110, 0x87, 0x68)), nil, masked(0, 3), source.Mouse},
	"trackpoint":                      {masked(0x110, 7), nil, masked(0, 3), source.Mouse},
	"mouse of a virtual machine":      {masked(0x110, 7), masked(0, 3), masked(8, 1), source.Mouse},
	"touchpad": {join(masked(0x110, 1), masked(0x140, 0x20, 0xe5)),
		masked(0, 3, 0, 0, 1, 0, 0x80, 0xf3, 6), nil, source.Other},
	"touch screen": {[]linux.EvCode{linux.BTN_TOUCH}, masked(0, 3, 0, 0, 0, 0, 0x80, 0x60, 2),
		nil, source.Other},
	"drawing tablet": {join([]linux.EvCode{linux.BTN_TOOL_PEN, linux.BTN_STYLUS, linux.BTN_TOUCH},
		masked(0x110, 7)), masked(0, 3, 0, 0, 7), nil, source.Other},
	"drawing tablet, its buttons": {join([]linux.EvCode{linux.BTN_STYLUS}, masked(0x100, 0xff, 3),
		masked(0x130, 0x3f)), masked(0, 3, 1), nil, source.Other},
	"drawing tablet, buttons and wheel": {join(masked(0x100, 0xff), masked(0x130, 0x3f)), masked(0, 3),
		[]linux.EvCode{linux.REL_WHEEL}, source.Other},
	"3D mouse": {masked(0x100, 3), masked(0, 0x3f), nil, source.Other},
	"remote control": {join(mediaKeys, arrows, []linux.EvCode{linux.KEY_OK, linux.KEY_BACK,
		linux.KEY_MENU}), nil, nil, source.Other},
	"keyboard": {masked(0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef,
		0xff), nil, nil, source.Keyboard},
	"keyboard with buttons of joysticks": {join(masked(0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		masked(0x120, 0xff, 0xff)), masked(0, 0x3f), nil, source.Keyboard},
	"power button": {[]linux.EvCode{linux.KEY_POWER}, nil, nil, source.Other},
	"nothing":      {nil, nil, nil, source.Other},
}

func TestReportedDevices(t *testing.T) {
	for name, d := range reported {
		events := map[linux.EvType][]linux.EvCode{linux.EV_KEY: d.keys, linux.EV_ABS: d.axes, linux.EV_REL: d.moves}
		if got := classify(func(e linux.EvType) []linux.EvCode { return events[e] }); got != d.want {
			t.Errorf("%s: %s, want %s", name, got, d.want)
		}
	}
}

// sensor is a device that the kernel marks as a motion sensor.
type sensor struct{ node }

func (sensor) Properties() []linux.EvProp { return []linux.EvProp{linux.INPUT_PROP_ACCELEROMETER} }

func TestAccelerometerOfThreeAxes(t *testing.T) {
	n := (&FakeDevice{Events: map[linux.EvType][]linux.EvCode{linux.EV_ABS: masked(0, 7)}}).open()
	if got := kindOf(n); got != source.Gamepad {
		t.Errorf("pedals: %s", got)
	}
	if got := kindOf(sensor{n}); got != source.Other {
		t.Errorf("accelerometer: %s", got)
	}
}

// TestTrueFirst: of several candidates for a gamepad, a pad is preferred to a joystick, and that to a
// device with axes only.
func TestTrueFirst(t *testing.T) {
	plug := func(k *FakeKernel, path, name string) {
		d := reported[name]
		k.Plug(path, &FakeDevice{Name: name, Events: map[linux.EvType][]linux.EvCode{linux.EV_KEY: d.keys,
			linux.EV_ABS: d.axes, linux.EV_REL: d.moves}})
	}
	for name, tt := range map[string]struct {
		there []string // in the order of the kernel
		match string
		want  string
	}{
		"media keys first": {[]string{"Calliope keyboard, media keys", "lamp controller", "Xbox 360 wired"},
			source.Gamepad, "Xbox 360 wired"},
		"pedals first": {[]string{"rudder pedals", "G27 wheel", "DualShock 4, motion", "DualShock 4",
			"Xbox 360 wired"}, source.Gamepad, "DualShock 4"},
		"wheel and pedals": {[]string{"rudder pedals", "G27 wheel", "Wiimote"}, source.Gamepad, "G27 wheel"},
		"pedals only":      {[]string{"keyboard", "rudder pedals"}, source.Gamepad, "rudder pedals"},
		"any is the first": {[]string{"rudder pedals", "Xbox 360 wired"}, AnyKind, "rudder pedals"},
		"a mouse":          {[]string{"Xbox 360 wired", "trackpoint", "mouse with 20 buttons"}, source.Mouse, "trackpoint"},
	} {
		k := NewFakeKernel()
		for i, there := range tt.there {
			plug(k, "/dev/input/event"+string(rune('0'+i)), there)
		}
		d, info, err := NewOn(k, Config{Match: tt.match}).find()
		if err != nil || info.Name != tt.want {
			t.Errorf("%s: %q, %v, want %s", name, info.Name, err, tt.want)
			continue
		}
		d.close()
		for path, d := range k.devices {
			if d.Open() != 0 {
				t.Errorf("%s: %s is still open", name, path)
			}
		}
	}
}
