// Package boardsim simulates a USB device with a serial line and a gamepad, on the machine that it is plugged into,
// for tests of everything above the USB cable.
//
// A [Board] is assembled in the kernel's configfs from the kernel's gadget functions (usb_f_acm, usb_f_hid), and
// plugged into the dummy host controller (dummy_hcd), whose other side is a USB controller of the same machine. So the
// kernel enumerates it like a real board, and its drivers cdc_acm and usbhid bind: a /dev/ttyACMN and a
// /dev/input/eventN appear, with links by id. [Board.Unplug] pulls the cable at any moment.
//
// The test controls the far ends. [Board.Line] is the serial line as the firmware of a board sees it. A [Pad] sends
// the reports of the gamepad; see [PadReport].
//
// # What differs from hardware
//
// The board's end of the line has the buffers of a Linux terminal, several KB; a microcontroller has less. The line
// ignores the baud rate.
//
// # Concurrency and shutdown
//
// A Board is for one goroutine and does not start any. It stays in the kernel until [Board.Remove].
package boardsim
