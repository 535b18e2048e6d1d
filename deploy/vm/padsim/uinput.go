package padsim

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of the structures of linux/uinput.h and linux/input.h on 64-bit machines.
const (
	nameSize     = 80
	setupSize    = 8 + nameSize + 4 // struct uinput_setup
	absSetupSize = 4 + 6*4          // struct uinput_abs_setup
	eventSize    = 16 + 8           // struct input_event
	sysNameSize  = 64
)

// Requests of /dev/uinput.
const (
	create     = 'U'<<8 | 1
	destroy    = 'U'<<8 | 2
	devSetup   = writes | setupSize<<16 | 'U'<<8 | 3
	absSetup   = writes | absSetupSize<<16 | 'U'<<8 | 4
	getSysName = reads | sysNameSize<<16 | 'U'<<8 | 44
	setEvBit   = writes | 4<<16 | 'U'<<8 | 100
	setKeyBit  = writes | 4<<16 | 'U'<<8 | 101
	setRelBit  = writes | 4<<16 | 'U'<<8 | 102

	writes = 1 << 30
	reads  = 2 << 30
)

const busUSB = 3

// request is one ioctl: with a number, or with a structure.
type request struct {
	code  uint
	value uint16
	data  []byte
}

// requests describes a device to /dev/uinput, in the order that it requires.
func (d Description) requests() []request {
	var list []request
	kind := func(event uint16, has bool) {
		if has {
			list = append(list, request{code: setEvBit, value: event})
		}
	}
	kind(evKey, len(d.Keys) > 0)
	for _, key := range d.Keys {
		list = append(list, request{code: setKeyBit, value: key})
	}
	kind(evRel, len(d.Moves) > 0)
	for _, axis := range d.Moves {
		list = append(list, request{code: setRelBit, value: axis})
	}
	kind(evRep, d.Repeat)
	kind(evAbs, len(d.Axes) > 0)
	for _, a := range d.Axes {
		list = append(list, request{code: absSetup, data: a.bytes()})
	}
	return append(list, request{code: devSetup, data: d.bytes()}, request{code: create})
}

func (d Description) bytes() []byte {
	b := make([]byte, setupSize)
	le := binary.LittleEndian
	le.PutUint16(b[0:], busUSB)
	le.PutUint16(b[2:], d.Vendor)
	le.PutUint16(b[4:], d.Product)
	le.PutUint16(b[6:], 1) // version
	copy(b[8:8+nameSize-1], d.Name)
	return b
}

func (a Axis) bytes() []byte {
	b := make([]byte, absSetupSize)
	le := binary.LittleEndian
	le.PutUint16(b[0:], a.Code)
	for i, v := range []int32{a.Value, a.Minimum, a.Maximum, 0 /* fuzz */, a.Flat, 0 /* resolution */} {
		le.PutUint32(b[4+4*i:], uint32(v))
	}
	return b
}

// append adds the event as the kernel reads it. The kernel sets the time.
func (e Event) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, make([]byte, 16)...)
	b = le.AppendUint16(b, e.Type)
	b = le.AppendUint16(b, e.Code)
	return le.AppendUint32(b, uint32(e.Value))
}

// do sends a request to an open /dev/uinput.
func (r request) do(fd int) error {
	argument := uintptr(r.value)
	if len(r.data) > 0 {
		argument = uintptr(unsafe.Pointer(&r.data[0]))
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(r.code), argument); errno != 0 {
		return fmt.Errorf("uinput request %#x: %w", r.code, errno)
	}
	return nil
}
