// Package evdev reads input devices of the Linux kernel: gamepads, keyboards, mice.
//
// # What it promises
//
//   - The events up to a SYN_REPORT are reported together. A group that lost a part is not reported at all.
//   - If the kernel lost events (SYN_DROPPED), everything up to the next SYN_REPORT is skipped, and so is everything
//     waiting behind it; then the device is asked for its state, which is newer. So a key whose release was lost does
//     not stay pressed.
//   - A group has at most 512 events. The kernel itself limits a device's reports to what its driver announced, at most
//     60 for HID devices and a few hundred for the largest touch screens. A device that exceeds this is treated as if
//     its events had been lost.
//   - Times are wall clock. The kernel stamps events with its wall clock; a step of that clock between event and
//     reading is compensated for.
//   - A device that is missing, was unplugged, or may not be read is an error that names what was looked for, what
//     there is, and what to do. Nothing is polled in between; the caller runs the source again.
//   - Devices are opened for reading only. With Grab no other program receives its events until it is closed, however
//     the process ends. Without it, another program can grab the device, and then nothing is received, not even the
//     release of a key.
//
// # Which device
//
// A path takes precedence. Otherwise it is the first device, in the order of the numbers in /dev/input,
// of the configured kind whose name contains the configured text; among gamepads a pad is preferred to a
// joystick or wheel, and those to a device with buttons or axes only. The kind is derived from the
// events a device can send, by the first rule that fits:
//
//	the keys from A to Z                                              keyboard
//	buttons of joysticks and pads, at least two with the axes         gamepad, unless it has a mouse, a touch surface, or several keyboard keys
//	no keys at all, ABS_X, ABS_Y and a third axis                     gamepad, unless they are those of a motion sensor
//	BTN_LEFT, and REL_X and REL_Y, or ABS_X and ABS_Y without touch   mouse
//
// These are the rules of udev's input_id in systemd 257 with three differences: one button and two axes
// are enough, pedals without buttons are not an accelerometer unless the kernel marks them as one, and a
// motion sensor with six axes is not a joystick. Keyboards' media keys and lamp controllers claim
// joystick buttons and axes too; they are recognised by several keys that no joystick has.
//
// # On go-evdev
//
// The package builds on github.com/holoplot/go-evdev, used as it is; tests replace only an interface
// with a few of its methods. The library gives no access to the file descriptor, so the kernel's
// timestamps stay wall clock, and it reduces most errors to their text.
//
// See package source for concurrency and shutdown. Run has one short-lived goroutine, which closes the
// device when the context ends.
package evdev
