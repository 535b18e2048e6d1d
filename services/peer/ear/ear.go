// Package ear hears what a publisher says: a microphone (package card) whose sound comes by packets. They go through
// the jitter buffer of package playout, which orders them, conceals losses and keeps the delay short, and come out as
// an even stream, silence included.
//
// Hear may be called from anywhere and never waits. Capture is for one goroutine at a time; while it does not run, what
// comes is forgotten.
package ear

import (
	"context"
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

// Ear is described in the package comment. It implements card.Microphone.
type Ear struct{ mixer *playout.Mixer }

// New returns an ear. Metrics may be nil.
func New(metrics prometheus.Registerer) (*Ear, error) {
	mixer, err := playout.New(playout.Config{
		Rate: Format.Rate, Channels: Format.Channels, MaxTalkers: 1, MaxTalk: -1, Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}
	return &Ear{mixer}, nil
}

// Hear takes a packet.
func (e *Ear) Hear(f *mediav1.AudioFrame) { e.mixer.Receive(f) }

// Capture implements card.Microphone.
func (e *Ear) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	steps := pace.Pace{Format: Format, Patience: patience}
	samples := make([]float32, steps.Length()*Format.Channels)
	return steps.Run(ctx, func(at time.Time, frames int) error {
		e.mixer.Read(samples[:frames*Format.Channels])
		take(samples[:frames*Format.Channels], at)
		return nil
	})
}

// Close ends the ear.
func (e *Ear) Close() { _ = e.mixer.Close() } // frees memory only
