package capture

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/sound/ring"
)

// tapBlocks is how many blocks may wait for the goroutine that takes what a speaker plays.
const tapBlocks = 32

// Tap is a microphone that hears what a speaker plays. Make it with [NewTap].
type Tap struct {
	on     atomic.Bool
	blocks *ring.Ring
}

// NewTap makes a tap for blocks of so many samples.
func NewTap(samples int) *Tap { return &Tap{blocks: ring.New(tapBlocks, samples)} }

// Put is given what is played, and never waits. While nobody captures it costs nothing.
func (t *Tap) Put(samples []float32) {
	if t.on.Load() {
		t.blocks.Put(samples, time.Now())
	}
}

// Lost is how many blocks were lost because nobody took them in time.
func (t *Tap) Lost() uint64 { return t.blocks.Lost() }

// Capture implements card.Microphone.
func (t *Tap) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	t.blocks.Clear()
	t.on.Store(true)
	defer t.on.Store(false)
	for ctx.Err() == nil {
		t.blocks.Take(ctx, nil, take)
	}
	return nil
}
