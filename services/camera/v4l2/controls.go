package v4l2

import (
	"errors"
	"strings"
	"unicode"
	"unsafe"

	kernel "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/video/source"
)

// Flags of a control; go4vl does not export them.
const (
	flagDisabled  = 0x0001
	flagReadOnly  = 0x0004
	flagInactive  = 0x0010
	flagWriteOnly = 0x0040
)

// queryControl is struct v4l2_queryctrl.
type queryControl struct {
	id, kind                   uint32
	name                       [32]byte
	minimum, maximum, step, or int32 // or is the default
	flags                      uint32
	_                          [2]uint32
}

// ioctlQueryControl is VIDIOC_QUERYCTRL: read and write, type 'V', number 36.
const ioctlQueryControl = 3<<30 | unsafe.Sizeof(queryControl{})<<16 | 'V'<<8 | 36

func (k *kernelNode) controls() ([]control, error) {
	known, err := kernel.QueryAllControls(k.fd)
	if len(known) == 0 && err != nil {
		if errors.Is(err, kernel.ErrorBadArgument) || errors.Is(err, kernel.ErrorUnsupported) {
			return nil, nil // it has none
		}
		return nil, k.explain(err)
	}
	var all []control
	for _, c := range known {
		if one, ok := k.control(c); ok {
			all = append(all, one)
		}
	}
	return all, nil
}

// control describes a control with a numeric value; for others, such as headings and buttons, it returns false.
func (k *kernelNode) control(c kernel.Control) (control, bool) {
	flags := k.flags(c.ID)
	out := control{id: c.ID, Control: source.Control{
		Name: controlName(c.Name), Minimum: int64(c.Minimum), Maximum: int64(c.Maximum), Step: int64(max(1, c.Step)),
		Default: int64(c.Default), ReadOnly: flags&(flagReadOnly|flagInactive) != 0,
	}}
	switch c.Type {
	case kernel.CtrlTypeInt:
		out.Type = source.Integer
	case kernel.CtrlTypeBool:
		out.Type = source.Boolean
	case kernel.CtrlTypeMenu, kernel.CtrlTypeIntegerMenu:
		out.Type = source.Menu
		items, _ := c.GetMenuItems() // fails only for controls that are not menus
		out.Items = make(map[int64]string, len(items))
		for _, item := range items {
			out.Items[int64(item.Index)] = item.Name
		}
	default:
		return control{}, false
	}
	if flags&(flagDisabled|flagWriteOnly) != 0 {
		return control{}, false
	}
	value, err := kernel.GetControlValue(k.fd, c.ID)
	out.Value = int64(value)
	return out, err == nil
}

func (k *kernelNode) flags(id uint32) uint32 {
	q := queryControl{id: id}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, k.fd, ioctlQueryControl, uintptr(unsafe.Pointer(&q))); errno != 0 {
		return 0
	}
	return q.flags
}

func (k *kernelNode) setControl(id uint32, value int64) error {
	return k.explain(kernel.SetControlValue(k.fd, id, kernel.CtrlValue(value)))
}

// controlName converts the driver's "White Balance, Auto" to white_balance_auto.
func controlName(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
