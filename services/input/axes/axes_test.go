package axes

import (
	"math"
	"slices"
	"testing"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

func one(a source.Axis, value int32, deadZone *float64) *Set {
	info := source.Info{Kind: source.Other, Axes: []source.Axis{a}}
	return New(info, map[linux.EvCode]int32{a.Code: value}, deadZone)
}

func zone(v float64) *float64 { return &v }

func TestNormalize(t *testing.T) {
	const x, z = linux.ABS_X, linux.ABS_Z
	tests := map[string]struct {
		axis     source.Axis
		opened   int32
		deadZone *float64
		want     map[int32]float64
	}{
		"stick of xpad": {source.Axis{Code: x, Minimum: -32768, Maximum: 32767}, 0, nil,
			map[int32]float64{-32768: -1, 0: 0, 32767: 1, 16384: 16384.0 / 32767, -16384: -0.5}},
		"stick of 0 to 255": {source.Axis{Code: x, Minimum: 0, Maximum: 255}, 128, nil,
			map[int32]float64{0: -1, 128: 0, 255: 1, 127: -1.0 / 128, 64: -0.5}},
		"flat is zero, and no jump after it": {source.Axis{Code: x, Minimum: -100, Maximum: 100, Flat: 20}, 0, nil,
			map[int32]float64{20: 0, -20: 0, 21: 1.0 / 80, -21: -1.0 / 80, 60: 0.5, 100: 1, -100: -1}},
		"dead zone in place of flat": {source.Axis{Code: x, Minimum: -100, Maximum: 100, Flat: 90}, 0, zone(0.5),
			map[int32]float64{50: 0, 75: 0.5, -75: -0.5, 100: 1}},
		"dead zone 0 in place of flat": {source.Axis{Code: x, Minimum: -100, Maximum: 100, Flat: 90}, 0, zone(0),
			map[int32]float64{1: 0.01, 100: 1}},
		"trigger": {source.Axis{Code: z, Minimum: 0, Maximum: 200}, 0, nil,
			map[int32]float64{0: 0, 100: 0.5, 200: 1}},
		"trigger with dead zone": {source.Axis{Code: z, Minimum: 0, Maximum: 200}, 0, zone(0.2),
			map[int32]float64{0: 0, 20: 0, 110: 0.5, 200: 1}},
		"half of a stick with the code of a trigger": {source.Axis{Code: z, Minimum: 0, Maximum: 255}, 120, nil,
			map[int32]float64{0: -1, 128: 0, 255: 1}},
		"hat with a large dead zone": {source.Axis{Code: linux.ABS_HAT0X, Minimum: -1, Maximum: 1}, 0, zone(0.9),
			map[int32]float64{-1: -1, 0: 0, 1: 1}},
		"trigger with the code of a hat": {source.Axis{Code: linux.ABS_HAT2X, Minimum: 0, Maximum: 255}, 0, nil,
			map[int32]float64{0: 0, 255: 1}},
		"outside of the range": {source.Axis{Code: x, Minimum: -10, Maximum: 10}, 0, nil,
			map[int32]float64{-11: -1, math.MinInt32: -1, math.MaxInt32: 1}},
		"the widest range": {source.Axis{Code: x, Minimum: math.MinInt32, Maximum: math.MaxInt32, Flat: math.MaxInt32}, 0,
			nil,
			map[int32]float64{math.MinInt32: -1, 0: 0, math.MaxInt32: 1}},
		"empty range": {source.Axis{Code: x}, 0, nil,
			map[int32]float64{0: 0, 100: 0, -100: 0}},
		"empty range with a dead zone": {source.Axis{Code: linux.ABS_HAT0Y, Minimum: 5, Maximum: 5, Flat: 3}, 5, zone(0.9),
			map[int32]float64{0: 0, 5: 0, 100: 0}},
		"upside down": {source.Axis{Code: x, Minimum: 10, Maximum: -10}, 0, nil,
			map[int32]float64{-10: 0, 0: 0, 10: 0}},
		"flat of all the range": {source.Axis{Code: x, Minimum: -100, Maximum: 100, Flat: 1000}, 0, nil,
			map[int32]float64{90: 0, 95: 0.5, 100: 1}},
		"flat below 0": {source.Axis{Code: x, Minimum: -100, Maximum: 100, Flat: -5}, 0, nil,
			map[int32]float64{1: 0.01, 100: 1}},
		"range of two values": {source.Axis{Code: z, Minimum: 0, Maximum: 1}, 0, nil,
			map[int32]float64{0: 0, 1: 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := one(tt.axis, tt.opened, tt.deadZone)
			for v, want := range tt.want {
				if got := s.Normalize(tt.axis.Code, v); math.Abs(got-want) > 1e-9 {
					t.Errorf("%d is %v, want %v", v, got, want)
				}
			}
			if got := s.Normalize(tt.axis.Code, s.Rest(tt.axis.Code)); got != 0 {
				t.Errorf("at rest it is %v", got)
			}
			if d := s.Describe(); len(d) != 1 || d[0].GetMinimum() != tt.axis.Minimum || d[0].GetMaximum() != tt.axis.Maximum {
				t.Errorf("described as %v", d)
			}
		})
	}
	if got := one(source.Axis{Code: x, Maximum: 9}, 0, nil).Normalize(linux.ABS_GAS, 5); got != 0 {
		t.Errorf("an axis that there is not: %v", got)
	}
}

// TestCentered uses evtest's output for real pads.
func TestCentered(t *testing.T) {
	byte255 := func(codes ...linux.EvCode) (list []source.Axis) {
		for _, c := range codes {
			list = append(list, source.Axis{Code: c, Maximum: 255})
		}
		return list
	}
	tests := map[string]struct {
		axes     []source.Axis
		values   map[linux.EvCode]int32
		centered []linux.EvCode
	}{
		"xpad": {
			[]source.Axis{{Code: linux.ABS_X, Minimum: -32768, Maximum: 32767}, {Code: linux.ABS_Z, Maximum: 1023},
				{Code: linux.ABS_RX, Minimum: -32768, Maximum: 32767}, {Code: linux.ABS_RZ, Maximum: 1023},
				{Code: linux.ABS_HAT0X, Minimum: -1, Maximum: 1}},
			map[linux.EvCode]int32{linux.ABS_X: 2765, linux.ABS_RX: -152, linux.ABS_Z: 1},
			[]linux.EvCode{linux.ABS_X, linux.ABS_RX, linux.ABS_HAT0X},
		},
		"DualShock 4 by hid-generic": {
			byte255(linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RX, linux.ABS_RY, linux.ABS_RZ),
			map[linux.EvCode]int32{linux.ABS_X: 127, linux.ABS_Y: 130, linux.ABS_Z: 125, linux.ABS_RZ: 128},
			[]linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RZ},
		},
		"DualSense by hid-playstation": {
			byte255(linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RX, linux.ABS_RY, linux.ABS_RZ),
			map[linux.EvCode]int32{linux.ABS_X: 127, linux.ABS_Y: 130, linux.ABS_RX: 125, linux.ABS_RY: 128},
			[]linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_RX, linux.ABS_RY},
		},
		"Xbox over Bluetooth": {
			append(byte255(linux.ABS_GAS, linux.ABS_BRAKE), source.Axis{Code: linux.ABS_X, Maximum: 65535},
				source.Axis{Code: linux.ABS_Z, Maximum: 65535}),
			map[linux.EvCode]int32{linux.ABS_X: 31673, linux.ABS_Z: 32082},
			[]linux.EvCode{linux.ABS_X, linux.ABS_Z},
		},
		"flight stick": {
			byte255(linux.ABS_X, linux.ABS_Y, linux.ABS_RZ, linux.ABS_THROTTLE),
			map[linux.EvCode]int32{linux.ABS_X: 128, linux.ABS_Y: 128, linux.ABS_RZ: 128, linux.ABS_THROTTLE: 128},
			[]linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_RZ},
		},
		"stick pushed while it is opened": {
			byte255(linux.ABS_X, linux.ABS_Y),
			map[linux.EvCode]int32{linux.ABS_X: 255},
			[]linux.EvCode{linux.ABS_X, linux.ABS_Y},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := New(source.Info{Kind: source.Gamepad, Axes: tt.axes}, tt.values, nil)
			if s.Silent() {
				t.Error("it has spoken")
			}
			check(t, s, tt.centered)
		})
	}
}

func check(t *testing.T, s *Set, centered []linux.EvCode) {
	t.Helper()
	for _, a := range s.Describe() {
		if want := slices.Contains(centered, linux.EvCode(a.GetCode())); a.GetCentered() != want {
			t.Errorf("%s: centered is %v", a.GetName(), a.GetCentered())
		}
	}
}

func TestSilentPad(t *testing.T) {
	info := source.Info{Kind: source.Gamepad}
	for _, c := range []linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RX, linux.ABS_RZ,
		linux.ABS_MT_POSITION_X} {
		info.Axes = append(info.Axes, source.Axis{Code: c, Maximum: 255})
	}
	s := New(info, nil, nil)
	if !s.Silent() {
		t.Fatal("all axes are 0, and it counts as having spoken")
	}
	for _, c := range s.Codes() {
		if got := s.Normalize(c, s.Rest(c)); got != 0 {
			t.Errorf("axis %d rests at %v", c, got)
		}
	}
	s.Hear(map[linux.EvCode]int32{})
	if !s.Silent() {
		t.Error("it spoke with all axes at 0")
	}
	s.Hear(map[linux.EvCode]int32{linux.ABS_X: 128, linux.ABS_Y: 127, linux.ABS_Z: 129, linux.ABS_RZ: 128})
	if s.Silent() {
		t.Error("it has spoken, and counts as silent")
	}
	check(t, s, []linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RZ})
	s.Hear(map[linux.EvCode]int32{linux.ABS_RX: 128})
	check(t, s, []linux.EvCode{linux.ABS_X, linux.ABS_Y, linux.ABS_Z, linux.ABS_RZ}) // decided once
	if s.Has(linux.ABS_MT_POSITION_X) || !s.Has(linux.ABS_RX) {
		t.Error("axes of fingers are in, or others are not")
	}
	info.Kind = source.Other
	if New(info, nil, nil).Silent() {
		t.Error("a tablet whose pen is in the corner counts as silent")
	}
}

// FuzzNormalize checks what must hold for any numbers of any device: a share between -1 and 1, 0 at
// rest, and growing with the value.
func FuzzNormalize(f *testing.F) {
	f.Add(uint16(0), int32(-32768), int32(32767), int32(128), 0.1, int32(5), int32(6))
	f.Add(uint16(2), int32(0), int32(255), int32(15), 0.0, int32(0), int32(255))
	f.Add(uint16(16), int32(-1), int32(1), int32(0), 0.9, int32(-1), int32(1))
	f.Add(uint16(0), int32(math.MinInt32), int32(math.MaxInt32), int32(math.MinInt32), 0.9, int32(math.MinInt32),
		int32(math.MaxInt32))
	f.Add(uint16(0), int32(7), int32(7), int32(9), 0.5, int32(7), int32(8))
	f.Fuzz(func(t *testing.T, code uint16, minimum, maximum, flat int32, deadZone float64, a, b int32) {
		use := &deadZone
		if !(deadZone >= 0 && deadZone <= MaxDeadZone) {
			use = nil
		}
		c := linux.EvCode(code)
		s := one(source.Axis{Code: c, Minimum: minimum, Maximum: maximum, Flat: flat}, a, use)
		low, high := s.Normalize(c, min(a, b)), s.Normalize(c, max(a, b))
		if !(low >= -1 && low <= high && high <= 1) {
			t.Errorf("%d is %v and %d is %v", min(a, b), low, max(a, b), high)
		}
		if rest := s.Normalize(c, s.Rest(c)); rest != 0 {
			t.Errorf("at rest it is %v", rest)
		}
		if ends := s.Normalize(c, maximum); s.Has(c) && minimum < maximum && ends != 1 && s.Rest(c) != maximum {
			t.Errorf("at its maximum it is %v", ends)
		}
	})
}
