// Package evdev reads input devices of the Linux kernel: gamepads, keyboards, mice.
//
// # What it promises
//
//   - The events up to a SYN_REPORT are told together. Nothing is told of a group of which a part was lost.
//   - If the kernel lost events (SYN_DROPPED), all up to the next SYN_REPORT is left out, and so is all that waits behind it;
//     then the device is asked how everything stands, which is newer. So a key whose release was lost does not stay pressed.
//   - A group has at most 512 events. The kernel itself cuts a device's reports at what its driver announced, at most 60 for HID
//     devices and a few hundred for the largest touch screens. A device that goes beyond is treated as if its events had been lost.
//   - Times are wall clock. The kernel stamps events with its wall clock; a step of that clock between event and reading is
//     taken out again.
//   - A device that is missing, was unplugged, or may not be read is an error that says what was looked for, what there is, and
//     what to do. Nothing is polled in between; the caller runs the source again.
//   - Devices are opened for reading only. With Grab no other program hears the device until it is closed, however the process ends.
//     Without it, another program can grab it, and then nothing is heard, not even that a key is released.
//
// # Which device
//
// A path wins. Else it is the first, in the order of the numbers in /dev/input, of the wanted kind whose name contains the wanted text; of several
// gamepads a pad goes before a joystick or wheel, and those before what has buttons or axes only.
// The kind is told from what a device can send, by the first rule that fits:
//
//	the keys from A to Z                                              keyboard
//	buttons of joysticks and pads, at least two with the axes         gamepad, unless there is a mouse, something to touch, or several keys of keyboards
//	no keys at all, ABS_X, ABS_Y and a third axis                     gamepad, unless they are those of a motion sensor
//	BTN_LEFT, and REL_X and REL_Y, or ABS_X and ABS_Y without touch   mouse
//
// These are the rules of udev's input_id in systemd 257 with three differences: one button and two axes are enough, pedals without buttons are no
// accelerometer unless the kernel says so, and a motion sensor of six axes is no joystick. Media keys of keyboards and controllers of lamps claim
// joystick buttons and axes as well; that they also have several keys which no joystick has tells them apart.
//
// # On go-evdev
//
// It stands on github.com/holoplot/go-evdev, which is used as it is; an interface with a few of its methods is all that tests replace.
// The library gives no access to the file descriptor, so the kernel's clock stays the wall clock, and it hides the
// numbers of most errors in their text.
//
// See package source for concurrency and shutdown. Run has one short-lived goroutine, which closes the device when the context ends.
package evdev
