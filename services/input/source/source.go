// Package source is the contract between the input service and what gives it events: a device of the kernel, or a simulated pad.
//
// A driver is a [Source]: one method, Run, that opens the device, tells a [Sink] how everything stands and then what changes, until
// the device goes or the context ends. Opening and closing are its own affair, so nothing can be left open or be used
// too late. Events are those of Linux, raw: names, dead zones and sequences are made once, in package reports, for all drivers.
//
// Package sourcetest checks that a driver keeps this contract.
package source

import (
	"context"
	"time"

	linux "github.com/holoplot/go-evdev"
)

// Source is one input device.
type Source interface {
	// Run opens the device and reports it to the sink until ctx ends; then it returns nil. Any other end is an error for people
	// to read, which wraps device.ErrAway if the device is missing or went. When Run has returned, nothing is open or grabbed, and the sink is
	// not called any more. It may be called again, but not twice at once.
	Run(ctx context.Context, to Sink) error
}

// Sink takes what a source tells. Its methods are called one at a time, and do not wait for readers. What they are given
// belongs to the source again when they return.
type Sink interface {
	// Opened is the first call of every Run, once: what was opened, and how everything stands.
	Opened(Info, State)
	// Changed tells the events that the device synchronised, at least one, in their order. EV_SYN is among them only with SYN_MT_REPORT and SYN_CONFIG.
	Changed(at time.Time, events []Event)
	// Resynced tells how everything stands, after events were lost.
	Resynced(at time.Time, now State)
}

// Kinds of devices.
const (
	Gamepad  = "gamepad"
	Keyboard = "keyboard"
	Mouse    = "mouse"
	Other    = "other"
)

// Info is what a device says of itself. Its texts are UTF-8.
type Info struct {
	Driver string // evdev or sim
	Path   string // device file
	Name   string // what it calls itself
	Kind   string // Gamepad, Keyboard, Mouse or Other
	ID     string // vendor and product in hexadecimal, like 045e:028e
	Axes   []Axis // absolute axes, by code
}

// Axis is an absolute axis as the device announces it. Nothing about the numbers can be relied on.
type Axis struct {
	Code             linux.EvCode
	Minimum, Maximum int32
	Flat             int32 // values this near the middle are to count as the middle
}

// Event is one event of the kernel.
type Event struct {
	Type  linux.EvType
	Code  linux.EvCode
	Value int32
}

// State is how everything stands.
type State struct {
	Keys []linux.EvCode         // pressed ones
	Axes map[linux.EvCode]int32 // positions
}
