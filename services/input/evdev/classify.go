package evdev

import (
	"slices"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// classify tells what kind of device sends such events; see the package comment.
func classify(capable func(linux.EvType) []linux.EvCode) string {
	keys, axes, moves := capable(linux.EV_KEY), capable(linux.EV_ABS), capable(linux.EV_REL)
	pointer := has(keys, linux.BTN_LEFT)
	moving := pointer && has(moves, linux.REL_X, linux.REL_Y)
	switch {
	case has(keys, letters()...):
		return source.Keyboard
	case !moving && isJoystick(keys, axes) && !(pointer && has(axes, linux.ABS_X, linux.ABS_Y)) &&
		!isTabletPad(keys, moves):
		return source.Gamepad
	case moving, pointer && has(axes, linux.ABS_X, linux.ABS_Y) && !isTouched(keys):
		return source.Mouse
	}
	return source.Other
}

// mostKeys is how many keyboard keys a joystick may have.
const mostKeys = 3

// keyboardKeys are keys of which a keyboard, or its media keys, has several and a joystick hardly any;
// each is from a different group.
var keyboardKeys = []linux.EvCode{
	linux.KEY_LEFTCTRL, linux.KEY_CAPSLOCK, linux.KEY_NUMLOCK, linux.KEY_INSERT, linux.KEY_MUTE,
	linux.KEY_CALC, linux.KEY_FILE, linux.KEY_MAIL, linux.KEY_PLAYPAUSE, linux.KEY_BRIGHTNESSDOWN,
}

func isJoystick(keys, axes []linux.EvCode) bool {
	sticks := count(axes, func(c linux.EvCode) bool { return c < linux.ABS_PRESSURE })
	if len(keys) == 0 {
		return sticks > 2 && has(axes, linux.ABS_X, linux.ABS_Y) && !isMotion(axes)
	}
	buttons := count(keys, isButton)
	if has(keys, linux.BTN_JOYSTICK-1) {
		// a mouse with so many buttons that they reach into the joystick range, or a keyboard that
		// claims to have all keys
		buttons = 0
	}
	return buttons > 0 && buttons+sticks > 1 && !isTouched(keys) &&
		count(keys, func(c linux.EvCode) bool { return slices.Contains(keyboardKeys, c) }) <= mostKeys
}

// isButton tells whether a key is a joystick or pad button.
func isButton(c linux.EvCode) bool {
	return c >= linux.BTN_JOYSTICK && c < linux.BTN_DIGI ||
		c >= linux.BTN_DPAD_UP && c <= linux.BTN_DPAD_RIGHT || c >= linux.BTN_TRIGGER_HAPPY1 &&
		c <= linux.BTN_TRIGGER_HAPPY40
}

// isMotion tells whether axes without buttons can only be those of an accelerometer and gyroscope. Three
// axes may be pedals.
func isMotion(axes []linux.EvCode) bool {
	return has(axes, linux.ABS_RX, linux.ABS_RY, linux.ABS_RZ) &&
		!slices.ContainsFunc(axes, func(c linux.EvCode) bool { return c > linux.ABS_RZ })
}

// isTouched tells whether there is a touchpad, a touch screen or a drawing tablet.
func isTouched(keys []linux.EvCode) bool {
	return slices.ContainsFunc([]linux.EvCode{linux.BTN_TOOL_PEN, linux.BTN_TOOL_FINGER, linux.BTN_TOUCH,
		linux.BTN_STYLUS}, func(c linux.EvCode) bool {
		return slices.Contains(keys, c)
	})
}

// isTabletPad tells whether there are the numbered buttons and the wheel of a drawing tablet.
func isTabletPad(keys, moves []linux.EvCode) bool {
	return has(keys, linux.BTN_0, linux.BTN_1) && has(moves, linux.REL_WHEEL)
}

// rank orders gamepads: 0 for a pad with a stick, 1 for a joystick or wheel, 2 for a device with buttons
// or axes only.
func rank(capable func(linux.EvType) []linux.EvCode) int {
	keys, axes := capable(linux.EV_KEY), capable(linux.EV_ABS)
	switch {
	case !has(axes, linux.ABS_X, linux.ABS_Y):
		return 2
	case has(keys, linux.BTN_GAMEPAD):
		return 0
	case slices.ContainsFunc(keys, isButton):
		return 1
	}
	return 2
}

func has(list []linux.EvCode, all ...linux.EvCode) bool {
	return !slices.ContainsFunc(all, func(c linux.EvCode) bool { return !slices.Contains(list, c) })
}

func count(list []linux.EvCode, is func(linux.EvCode) bool) (n int) {
	for _, c := range list {
		if is(c) {
			n++
		}
	}
	return n
}

// letters are the keys from A to Z, which Linux numbers by their position on a keyboard.
func letters() (codes []linux.EvCode) {
	for l := 'A'; l <= 'Z'; l++ {
		codes = append(codes, linux.KEYFromString["KEY_"+string(l)])
	}
	return codes
}
