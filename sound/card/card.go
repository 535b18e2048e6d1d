// Package card is the contract between the audio service and what captures and plays sound: a sound card, a tone, a
// file.
//
// A driver has a function of its own that opens a microphone or a speaker, or both at once. Both stay open for as long
// as the hardware is there; a microphone captures only while Capture runs, that is while somebody listens. When the
// hardware goes, Capture or Play (or Watch, while neither runs) returns an error; the caller then closes the card and
// opens a new one later.
//
// All sound at this border is in the format that was asked for when it was opened, whatever the hardware does: a driver
// converts.
//
// Package cardtest checks that a driver keeps this contract.
package card

import (
	"context"
	"errors"
	"time"
)

// Errors that drivers wrap, beside [device.ErrAway] and [device.ErrBusy].
var (
	ErrFormat   = errors.New("sound card cannot do it") // a rate or a number of channels
	ErrNotSound = errors.New("not a sound Waldo reads") // a file of another kind, or a broken one
)

// Microphone captures sound. Capture is for one goroutine at a time.
type Microphone interface {
	// Capture gives all sound from now on to take, in order, as soon as it is there, in blocks of whole frames of any
	// length, each with the time of its first frame, until ctx ends; then it returns nil. Any other end is an error. When
	// Capture has returned, take is not called any more. The samples are take's only until it returns. They may be
	// anything that floating point can say.
	Capture(ctx context.Context, take func(samples []float32, at time.Time)) error
}

// Speaker plays sound. Play is for one goroutine at a time.
type Speaker interface {
	// Play has fill write what is to be played next, whole frames of any number, in real time, until ctx ends; then it
	// returns nil. Any other end is an error. When Play has returned, fill is not called any more. fill may be called from
	// a thread of the system that must not wait.
	Play(ctx context.Context, fill func(samples []float32)) error
}

// Card is what was opened. Parts that were not asked for are nil.
type Card struct {
	Microphone Microphone
	Speaker    Speaker
	// Attributes are for people: driver, name, rate of the hardware.
	Attributes map[string]string
	// Watch returns nil when ctx ends, or an error that wraps device.ErrAway soon after the hardware went, also while
	// nothing runs. Nil if there is nothing to watch.
	Watch func(ctx context.Context) error
	// Close releases the hardware, once Capture, Play and Watch have returned. Nil if there is nothing to release.
	Close func() error
}
