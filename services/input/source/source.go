// Package source is the contract between the input service and its sources of events: a kernel device,
// or a simulated pad.
//
// A driver is a [Source]: one method, Run, that opens the device and reports its state and then its
// changes to a [Sink], until the device goes away or the context ends. The driver alone opens and closes
// the device, so nothing can be left open or be used too late. Events are raw Linux events: names, dead
// zones and sequences are added once, in package reports, for all drivers.
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
	// Run opens the device and reports it to the sink until ctx ends; then it returns nil. Any other end
	// is an error for people to read, which wraps device.ErrAway if the device is missing or went. When
	// Run has returned, nothing is open or grabbed, and the sink is no longer called. It may be called
	// again, but not twice at once.
	Run(ctx context.Context, to Sink) error
}

// Sink receives a source's reports. Its methods are called one at a time, and do not wait for readers.
// Their arguments belong to the source again when they return.
type Sink interface {
	// Opened is the first call of every Run, once: the device that was opened, and its state.
	Opened(Info, State)
	// Changed reports the events that the device synchronised, at least one, in their order. EV_SYN is
	// among them only as SYN_MT_REPORT and SYN_CONFIG.
	Changed(at time.Time, events []Event)
	// Resynced reports the state after events were lost.
	Resynced(at time.Time, now State)
}

// Kinds of devices.
const (
	Gamepad  = "gamepad"
	Keyboard = "keyboard"
	Mouse    = "mouse"
	Other    = "other"
)

// Info is a device's description of itself. Its texts are UTF-8.
type Info struct {
	Driver string // evdev or sim
	Path   string // device file
	Name   string // the name it reports
	Kind   string // Gamepad, Keyboard, Mouse or Other
	ID     string // vendor and product in hexadecimal, like 045e:028e
	Axes   []Axis // absolute axes, by code
}

// Axis is an absolute axis as the device announces it. Its numbers cannot be relied on.
type Axis struct {
	Code             linux.EvCode
	Minimum, Maximum int32
	Flat             int32 // values this close to the middle count as the middle
}

// Event is one event of the kernel.
type Event struct {
	Type  linux.EvType
	Code  linux.EvCode
	Value int32
}

// State is the state of all keys and axes.
type State struct {
	Keys []linux.EvCode         // pressed ones
	Axes map[linux.EvCode]int32 // positions
}
