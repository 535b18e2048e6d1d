// Package boardsim is a USB device with a serial line and a gamepad, played by the machine that it is plugged into, for
// tests of everything above the USB cable.
//
// A [Board] is put together in the kernel's configfs, of its own gadget functions (usb_f_acm, usb_f_hid), and plugged
// into the dummy host controller (dummy_hcd), whose other side is a USB controller of the same machine. So the kernel
// enumerates it as it would a real one, and its own drivers cdc_acm and usbhid bind: there is a /dev/ttyACMN and a
// /dev/input/eventN, with links by id. [Board.Unplug] pulls the cable, at any moment.
//
// The far ends are in the hands of the test. [Board.Line] is the serial line as the firmware of a board sees it. A
// [Pad] sends what the gamepad does; see [PadReport].
//
// # What differs from hardware
//
// The board's end of the line has the buffers of a terminal of Linux, several KB, where a microcontroller has less. The
// line has no speed.
//
// # Concurrency and shutdown
//
// A Board is for one goroutine, and starts none. It stays in the kernel until [Board.Remove].
package boardsim
