// Package padsim simulates input devices, for tests of everything above the drivers of the kernel: gamepads,
// keyboards, and mice.
//
// A [Description] says what a device is and can do; [Xbox], [Plain], [Keyboard], and [Mouse] are common ones.
// [Description.Plug] creates it through /dev/uinput. To the kernel and all programs it is like any other: a
// /dev/input/eventN appears, which udev classifies as a joystick, a keyboard, or a mouse. It has no links by id,
// because it is not on a bus.
//
// The test decides what a [Device] reports: [Device.Report] writes some events and the SYN_REPORT that groups them, in
// one piece. As for any device, the kernel passes on only changes. [Device.Unplug] removes it at any moment.
//
// # Concurrency and shutdown
//
// Any goroutine may use a Device, which does not start any. It disappears at the latest when the process ends.
package padsim
