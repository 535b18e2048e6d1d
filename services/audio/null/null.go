// Package null is a speaker that needs no hardware: what it plays is gone, in real time.
package null

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/pace"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// Open returns the speaker. A block of 0 frames means 10 ms.
func Open(format pcm.Format, block int) card.Card {
	if block == 0 {
		block = format.Frames(10 * time.Millisecond)
	}
	return card.Card{Speaker: &speaker{format, block}, Attributes: map[string]string{"speaker": "null"}}
}

type speaker struct {
	format pcm.Format
	block  int
}

// Play implements card.Speaker.
func (s *speaker) Play(ctx context.Context, fill func([]float32)) error {
	samples := make([]float32, s.block*s.format.Channels)
	return pace.Run(ctx, s.format, s.block, func(time.Time) error {
		fill(samples)
		return nil
	})
}
