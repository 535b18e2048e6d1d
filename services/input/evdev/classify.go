package evdev

import (
	"slices"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// classify tells what sort of device sends such events; see the package comment.
func classify(capable func(linux.EvType) []linux.EvCode) string {
	keys, axes, moves := capable(linux.EV_KEY), capable(linux.EV_ABS), capable(linux.EV_REL)
	buttons := slices.ContainsFunc(keys, func(c linux.EvCode) bool { return c >= linux.BTN_JOYSTICK && c < linux.BTN_DIGI })
	switch {
	case buttons && has(axes, linux.ABS_X, linux.ABS_Y):
		return source.Gamepad
	case has(keys, letters()...):
		return source.Keyboard
	case has(moves, linux.REL_X, linux.REL_Y) && has(keys, linux.BTN_LEFT):
		return source.Mouse
	case buttons:
		return source.Gamepad
	}
	return source.Other
}

func has(list []linux.EvCode, all ...linux.EvCode) bool {
	return !slices.ContainsFunc(all, func(c linux.EvCode) bool { return !slices.Contains(list, c) })
}

// letters are the keys from A to Z, which Linux numbers as they lie on a keyboard.
func letters() (codes []linux.EvCode) {
	for l := 'A'; l <= 'Z'; l++ {
		codes = append(codes, linux.KEYFromString["KEY_"+string(l)])
	}
	return codes
}
