// Package axes turns positions of absolute axes, in any device's numbers, into -1 to 1 or 0 to 1.
//
// # Middle or end
//
// An axis either rests in the middle (a stick, a hat) or at its minimum (a trigger). Devices do not
// report which, and drivers use the same codes for both: ABS_Z is the left trigger of one pad and half
// of the right stick of another. The rules are:
//
//   - A range that is symmetric around 0 is centered. So are ABS_X, ABS_Y, ABS_WHEEL, ABS_RUDDER, and
//     the first hat.
//   - ABS_Z, ABS_RX, ABS_RY, ABS_RZ and the other hats, which some pads use for triggers, are centered
//     if they are in the middle half of their range when the device is opened.
//   - All others rest at their minimum.
//
// # A silent pad
//
// The kernel reports 0 for every axis until the device's first report, and many pads send none before
// they are touched. With a range of 0 to 255 that would be a stick pushed into its corner, and a robot
// that drives off. So a gamepad whose ABS_X and ABS_Y are both at a minimum of 0, along with the
// undecided axes, counts as silent: all its axes are assumed to be at rest, and the undecided ones are
// decided by its first report that moves any of them.
//
// # Dead zone
//
// Within the dead zone the value is 0. Outside it grows from 0, without a jump, to 1 at the end of the
// range. A dead zone of more than nine tenths of half the range is limited to that, and a range that is
// empty or reversed always gives 0.
//
// A Set is not safe for concurrent use.
package axes

import (
	"maps"
	"slices"

	linux "github.com/holoplot/go-evdev"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/source"
)

// MaxDeadZone is the largest dead zone, as a share of half the range.
const MaxDeadZone = 0.9

// axis is one axis and the decision about it. Its numbers are wide enough to be subtracted, and minimum
// is never above maximum.
type axis struct {
	said             source.Axis // by the device
	minimum, maximum int64
	flat             int64
	centered         bool
	open             bool // to be decided by the device's first report
}

// Set is the absolute axes of one open device.
type Set struct {
	axes   map[linux.EvCode]*axis
	silent bool // the device has not sent anything yet
}

// New decides about the axes of a device from their positions when it is opened. A dead zone, if not
// nil, is a share of half the range that replaces the device's own.
func New(info source.Info, values map[linux.EvCode]int32, deadZone *float64) *Set {
	s := &Set{axes: map[linux.EvCode]*axis{}}
	for _, a := range info.Axes {
		s.axes[a.Code] = newAxis(a, deadZone)
	}
	s.silent = info.Kind == source.Gamepad && s.unspoken(values)
	if !s.silent {
		s.decide(values)
	}
	return s
}

func newAxis(from source.Axis, deadZone *float64) *axis {
	a := &axis{said: from, minimum: int64(from.Minimum), maximum: int64(from.Maximum)}
	if a.maximum <= a.minimum {
		a.maximum = a.minimum // nothing can be decided
		return a
	}
	half := (a.maximum - a.minimum) / 2
	a.flat = int64(from.Flat)
	if deadZone != nil {
		a.flat = int64(*deadZone * float64(half))
	}
	a.flat = max(0, min(a.flat, int64(MaxDeadZone*float64(half))))
	a.centered, a.open = a.byCode(from.Code)
	return a
}

// byCode decides by the code and the range alone.
func (a *axis) byCode(c linux.EvCode) (centered, open bool) {
	skew := a.minimum + a.maximum
	symmetric := a.minimum < 0 && max(skew, -skew) <= 1 // -32768 to 32767 as well
	switch c {
	case linux.ABS_X, linux.ABS_Y, linux.ABS_WHEEL, linux.ABS_RUDDER, linux.ABS_HAT0X, linux.ABS_HAT0Y:
		return true, false
	case linux.ABS_Z, linux.ABS_RX, linux.ABS_RY, linux.ABS_RZ,
		linux.ABS_HAT1X, linux.ABS_HAT1Y, linux.ABS_HAT2X, linux.ABS_HAT2Y, linux.ABS_HAT3X, linux.ABS_HAT3Y:
		return symmetric, !symmetric
	}
	return symmetric, false
}

// unspoken tells whether all axes that would show it still have the kernel's initial values.
func (s *Set) unspoken(values map[linux.EvCode]int32) bool {
	for _, c := range []linux.EvCode{linux.ABS_X, linux.ABS_Y} {
		if a, there := s.axes[c]; !there || a.minimum != 0 || a.maximum == 0 || values[c] != 0 {
			return false
		}
	}
	for c, a := range s.axes {
		if a.open && values[c] != 0 {
			return false
		}
	}
	return true
}

// decide decides about the undecided axes by their positions.
func (s *Set) decide(values map[linux.EvCode]int32) {
	for c, a := range s.axes {
		if a.open {
			above, reach := int64(values[c])-a.minimum, a.maximum-a.minimum
			a.centered, a.open = 4*above >= reach && 4*above <= 3*reach, false
		}
	}
}

// Silent tells whether the device has not sent anything yet.
func (s *Set) Silent() bool { return s.silent }

// Hear takes the current positions of the axes. A device is no longer silent once one of them has moved.
func (s *Set) Hear(values map[linux.EvCode]int32) {
	if s.silent && !s.unspoken(values) {
		s.silent = false
		s.decide(values)
	}
}

// Has tells whether the axis has one position: the device announced it, and it is not one of
// multi-touch, which have one per finger.
func (s *Set) Has(c linux.EvCode) bool {
	return s.axes[c] != nil && !(c >= linux.ABS_MT_SLOT && c <= linux.ABS_MT_TOOL_Y)
}

// Codes lists the axes that have one position, in order.
func (s *Set) Codes() []linux.EvCode {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.axes)), func(c linux.EvCode) bool { return !s.Has(c) })
}

// Rest is the value of an axis that nobody touches. It is normalised to 0.
func (s *Set) Rest(c linux.EvCode) int32 {
	if a := s.axes[c]; a != nil {
		return int32(a.rest())
	}
	return 0
}

func (a *axis) rest() int64 {
	if !a.centered {
		return a.minimum
	}
	return (a.minimum + a.maximum + 1) >> 1 // rounded up: 0 of -32768 to 32767, 128 of 0 to 255
}

// Normalize turns a value into -1 to 1, or 0 to 1. For an axis that was not announced it returns 0.
func (s *Set) Normalize(c linux.EvCode, value int32) float64 {
	a := s.axes[c]
	if a == nil {
		return 0
	}
	rest := a.rest()
	v := min(max(int64(value), a.minimum), a.maximum) - rest
	if v < 0 {
		return -share(-v, rest-a.minimum, a.flat)
	}
	return share(v, a.maximum-rest, a.flat)
}

// share is how far v is from the edge of the dead zone towards the end of the range.
func share(v, end, flat int64) float64 {
	if v <= flat || end <= flat {
		return 0
	}
	return float64(v-flat) / float64(end-flat)
}

// Describe lists all axes in the API's form.
func (s *Set) Describe() []*inputv1.Axis {
	list := make([]*inputv1.Axis, 0, len(s.axes))
	for _, c := range slices.Sorted(maps.Keys(s.axes)) {
		a := s.axes[c]
		list = append(list, &inputv1.Axis{
			Code: int32(c), Name: codes.Name(linux.EV_ABS, c), Minimum: a.said.Minimum, Maximum: a.said.Maximum,
			DeadZone: int32(a.flat), Centered: a.centered,
		})
	}
	return list
}
