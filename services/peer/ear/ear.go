// Package ear hears what a publisher says: a microphone (package card) of the sound that others send. It comes out as
// an even stream, silence included, and is from one of two:
//
//   - Packets of the network ([Ear.Hear]) go through the jitter buffer of package playout, which orders them, conceals
//     losses and keeps the delay short.
//   - A program ([Ear.Talk]) is held up: it may be 200 ms ahead of what is heard, and of the clock
//     while nobody listens.
//
// Hear and Talk may be called from anywhere, and Hear never waits. Capture is for one goroutine at a time; while it
// does not run, what comes is forgotten. A Talk belongs to one goroutine.
package ear

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/playout"
)

// Format is that of what is heard.
var Format = pcm.Format{Rate: pcm.OpusRate, Channels: 1}

// patience is how late the stream may be and still catch up.
const patience = 100 * time.Millisecond

// maxTalkers is how many may be heard at a time: a publisher, and the one before, whose sound fades.
const maxTalkers = 2

// Ear is described in the package comment. It implements card.Microphone.
type Ear struct {
	mixer *playout.Mixer

	mu      sync.Mutex
	capture context.Context // while Capture runs; nil: nobody listens
}

// New returns an ear. Metrics may be nil.
func New(metrics prometheus.Registerer) (*Ear, error) {
	mixer, err := playout.New(playout.Config{
		Rate: Format.Rate, Channels: Format.Channels, MaxTalkers: maxTalkers, MaxTalk: -1, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	return &Ear{mixer: mixer}, nil
}

// Hear takes a packet.
func (e *Ear) Hear(f *mediav1.AudioFrame) { e.mixer.Receive(f) }

// Capture implements card.Microphone.
func (e *Ear) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	e.listen(ctx)
	defer e.forget()
	steps := pace.Pace{Format: Format, Patience: patience}
	samples := make([]float32, steps.Length()*Format.Channels)
	return steps.Run(ctx, func(at time.Time, frames int) error {
		e.mixer.Read(samples[:frames*Format.Channels])
		take(samples[:frames*Format.Channels], at)
		return nil
	})
}

func (e *Ear) listen(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.capture = ctx
}

func (e *Ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.capture = nil
}

// Close ends the ear.
func (e *Ear) Close() { _ = e.mixer.Close() } // frees memory only
