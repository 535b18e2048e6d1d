package codes

import (
	"slices"
	"testing"

	linux "github.com/holoplot/go-evdev"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
)

func TestNames(t *testing.T) {
	for want, e := range map[string]struct {
		t linux.EvType
		c linux.EvCode
	}{
		"BTN_SOUTH":          {linux.EV_KEY, linux.BTN_GAMEPAD},
		"BTN_EAST":           {linux.EV_KEY, linux.BTN_EAST},
		"BTN_NORTH":          {linux.EV_KEY, linux.BTN_X},
		"BTN_LEFT":           {linux.EV_KEY, linux.BTN_MOUSE},
		"BTN_TRIGGER":        {linux.EV_KEY, linux.BTN_JOYSTICK},
		"BTN_0":              {linux.EV_KEY, linux.BTN_MISC},
		"BTN_TOOL_PEN":       {linux.EV_KEY, linux.BTN_DIGI},
		"BTN_GEAR_DOWN":      {linux.EV_KEY, linux.BTN_WHEEL},
		"BTN_TRIGGER_HAPPY1": {linux.EV_KEY, linux.BTN_TRIGGER_HAPPY},
		"KEY_A":              {linux.EV_KEY, linux.KEY_A},
		"KEY_MUTE":           {linux.EV_KEY, linux.KEY_MUTE},
		"REL_WHEEL":          {linux.EV_REL, linux.REL_WHEEL},
		"ABS_HAT0X":          {linux.EV_ABS, linux.ABS_HAT0X},
		"MSC_SCAN":           {linux.EV_MSC, linux.MSC_SCAN},
		"SYN_MT_REPORT":      {linux.EV_SYN, linux.SYN_MT_REPORT},
		"KEY_0x2f3":          {linux.EV_KEY, 0x2f3},
		"EV_0x1e_0xffff":     {0x1e, 0xffff},
	} {
		if got := Name(e.t, e.c); got != want {
			t.Errorf("%d %d: got %q, want %q", e.t, e.c, got, want)
		}
	}
}

// TestNamesAreFound checks that every name given to a key or an axis leads back to it.
func TestNamesAreFound(t *testing.T) {
	for _, table := range []struct {
		t     linux.EvType
		names map[linux.EvCode]string
		last  linux.EvCode
	}{{linux.EV_KEY, linux.KEYNames, linux.KEY_MAX}, {linux.EV_REL, linux.RELNames, linux.REL_MAX},
		{linux.EV_ABS, linux.ABSNames, linux.ABS_MAX}} {
		for c := range table.names {
			if c >= table.last {
				continue
			}
			name := Name(table.t, c)
			if gotType, gotCode, ok := Parse(name); !ok || gotType != table.t || gotCode != c {
				t.Errorf("%q is %d %d, but leads to %d %d %v", name, table.t, c, gotType, gotCode, ok)
			}
		}
	}
	for _, name := range []string{"", "BTN_A", "BTN_GAMEPAD", "BTN_SOUTH"} {
		if kind, c, ok := Parse(name); name != "" != ok || ok && (kind != linux.EV_KEY || c != 0x130) {
			t.Errorf("%q leads to %d %d %v", name, kind, c, ok)
		}
	}
	for _, name := range []string{"KEY_MAX", "ABS_CNT", "abs_x", "ABS", "SYN_REPORT", "MSC_SCAN"} {
		if _, c, ok := Parse(name); ok {
			t.Errorf("%q leads to %d", name, c)
		}
	}
}

func TestKinds(t *testing.T) {
	if got := KindNames(); !slices.Equal(got, []string{"absolute", "key", "other", "relative"}) {
		t.Errorf("names of kinds: %v", got)
	}
	for event, want := range map[linux.EvType]string{
		linux.EV_KEY: "key", linux.EV_REL: "relative", linux.EV_ABS: "absolute", linux.EV_MSC: "other",
		linux.EV_SW: "other", 0x1e: "other",
	} {
		if got, ok := ParseKind(want); !ok || got != Kind(event) {
			t.Errorf("type %d: got %v, want %v", event, Kind(event), got)
		}
	}
	if k, ok := ParseKind("keys"); ok || k != inputv1.EventKind_EVENT_KIND_UNSPECIFIED {
		t.Errorf("keys: %v", k)
	}
}
