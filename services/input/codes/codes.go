// Package codes translates Linux's event numbers to names and back. It has no state.
package codes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	linux "github.com/holoplot/go-evdev"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
)

// Kind returns the kind of an event type.
func Kind(t linux.EvType) inputv1.EventKind {
	switch t {
	case linux.EV_KEY:
		return inputv1.EventKind_EVENT_KIND_KEY
	case linux.EV_REL:
		return inputv1.EventKind_EVENT_KIND_RELATIVE
	case linux.EV_ABS:
		return inputv1.EventKind_EVENT_KIND_ABSOLUTE
	default:
		return inputv1.EventKind_EVENT_KIND_OTHER
	}
}

// kinds are the names of the kinds of events in a configuration.
var kinds = map[string]inputv1.EventKind{
	"key":      inputv1.EventKind_EVENT_KIND_KEY,
	"relative": inputv1.EventKind_EVENT_KIND_RELATIVE,
	"absolute": inputv1.EventKind_EVENT_KIND_ABSOLUTE,
	"other":    inputv1.EventKind_EVENT_KIND_OTHER,
}

// KindNames lists the names that [ParseKind] takes.
func KindNames() []string { return slices.Sorted(maps.Keys(kinds)) }

// ParseKind finds the kind of events of that name.
func ParseKind(name string) (inputv1.EventKind, bool) {
	k, ok := kinds[name]
	return k, ok
}

// Name returns the name of an event. Where Linux has several, it is the first that does not merely begin
// a range: BTN_SOUTH rather than BTN_GAMEPAD or BTN_A. An event without a name is identified by its
// number, for example KEY_0x2f3.
func Name(t linux.EvType, c linux.EvCode) string {
	names, known := linux.EvCodeNameLookup[t][c]
	if !known {
		return nameless(t, c)
	}
	first, rest, more := strings.Cut(names, "/")
	if more && beginsRange(first) {
		first, _, _ = strings.Cut(rest, "/")
	}
	return first
}

func nameless(t linux.EvType, c linux.EvCode) string {
	if name, known := linux.EVToString[t]; known {
		return fmt.Sprintf("%s_%#x", strings.TrimPrefix(name, "EV_"), uint16(c))
	}
	return fmt.Sprintf("EV_%#x_%#x", uint16(t), uint16(c))
}

// beginsRange tells whether a name only marks the first button of a group.
func beginsRange(name string) bool {
	switch name {
	case "BTN_MISC", "BTN_MOUSE", "BTN_JOYSTICK", "BTN_GAMEPAD", "BTN_DIGI", "BTN_WHEEL", "BTN_TRIGGER_HAPPY":
		return true
	}
	return false
}

// Parse finds the key, or the axis, for a Linux name. Any of several names will do.
func Parse(name string) (t linux.EvType, c linux.EvCode, ok bool) {
	switch name {
	case "KEY_MAX", "KEY_CNT", "REL_MAX", "REL_CNT", "ABS_MAX", "ABS_CNT": // limits, not codes
		return 0, 0, false
	}
	for _, table := range []struct {
		t     linux.EvType
		codes map[string]linux.EvCode
	}{
		{linux.EV_KEY, linux.KEYFromString},
		{linux.EV_REL, linux.RELFromString},
		{linux.EV_ABS, linux.ABSFromString},
	} {
		if c, ok = table.codes[name]; ok {
			return table.t, c, true
		}
	}
	return 0, 0, false
}
