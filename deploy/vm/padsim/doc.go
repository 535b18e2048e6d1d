// Package padsim is input devices made of software, for tests of everything above the drivers of the kernel: gamepads,
// keyboards and mice.
//
// A [Description] says what a device is and can do; [Xbox], [Plain], [Keyboard] and [Mouse] are usual ones.
// [Description.Plug] makes it through /dev/uinput. To the kernel and all programs it is like any other: there is a
// /dev/input/eventN, which udev knows as a joystick, a keyboard or a mouse. It has no links by id, because it is at no
// bus.
//
// A [Device] reports what its maker wants it to: [Device.Report] writes some events and the SYN_REPORT that makes them
// belong together in one piece. As of any device, the kernel passes on only what is a change. [Device.Unplug] takes it
// away at any moment.
//
// # Concurrency and shutdown
//
// A Device may be used by any goroutine, and starts none. It goes at the latest when the process ends.
package padsim
