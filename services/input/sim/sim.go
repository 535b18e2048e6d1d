// Package sim is a gamepad that needs no hardware: it follows a script, over and over.
//
// # Scripts
//
// A script has one JSON object per line: events that belong together, and how long after the previous
// line they come. Empty lines are skipped.
//
//	{"after": "0s",   "events": [{"code": "BTN_SOUTH", "value": 1}]}
//	{"after": "20ms", "events": [{"code": "ABS_X", "value": 16384}, {"code": "ABS_Y", "value": -32768}]}
//	{"after": "1.5s", "events": [{"code": "BTN_SOUTH", "value": 0}]}
//
// Codes are Linux names. The pad has the axes ABS_X, ABS_Y, ABS_RX and ABS_RY from -32768 to 32767, the
// triggers ABS_Z and ABS_RZ from 0 to 255, and the hat ABS_HAT0X and ABS_HAT0Y from -1 to 1. It can send
// every key and button, and every relative axis, so it can stand in for a keyboard or a mouse too.
// Parsing is strict: unknown and repeated keys, codes that the pad does not have and values out of range
// are errors that name the line.
//
// At its end the script starts over; keys that are pressed then stay pressed.
//
// See package source for concurrency and shutdown. No goroutine is started.
package sim

import (
	"context"
	"slices"
	"time"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// late is how far the pad may fall behind its script before it skips the lost time.
const late = time.Second

// Pad is a simulated gamepad. See package source.
type Pad struct {
	script Script
}

// New returns a pad that follows the script. Without a script it drives a figure eight.
func New(s Script) *Pad {
	if len(s) == 0 {
		s = FigureEight()
	}
	return &Pad{script: s}
}

// Info describes the pad.
func Info() source.Info {
	return source.Info{Driver: "sim", Path: "sim", Name: "Simulated gamepad", Kind: source.Gamepad, ID: "0000:0000",
		Axes: padAxes()}
}

func padAxes() []source.Axis {
	stick := func(c linux.EvCode) source.Axis {
		return source.Axis{Code: c, Minimum: -32768, Maximum: 32767, Flat: 128}
	}
	trigger := func(c linux.EvCode) source.Axis { return source.Axis{Code: c, Maximum: 255} }
	hat := func(c linux.EvCode) source.Axis { return source.Axis{Code: c, Minimum: -1, Maximum: 1} }
	return []source.Axis{
		stick(linux.ABS_X), stick(linux.ABS_Y), trigger(linux.ABS_Z), stick(linux.ABS_RX), stick(linux.ABS_RY),
		trigger(linux.ABS_RZ),
		hat(linux.ABS_HAT0X), hat(linux.ABS_HAT0Y),
	}
}

// Run implements source.Source. Nothing is pressed at first, and every run begins with the first line.
func (p *Pad) Run(ctx context.Context, to source.Sink) error {
	rest := source.State{Axes: map[linux.EvCode]int32{}}
	for _, a := range padAxes() {
		rest.Axes[a.Code] = 0
	}
	to.Opened(Info(), rest)
	next := time.Now()
	for {
		for _, step := range p.script {
			next = next.Add(step.After)
			if now := time.Now(); now.Sub(next) > late {
				next = now
			}
			if !sleepUntil(ctx, next) {
				return nil
			}
			to.Changed(time.Now(), slices.Clone(step.Events))
		}
	}
}

// sleepUntil returns false if ctx ends before.
func sleepUntil(ctx context.Context, t time.Time) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
