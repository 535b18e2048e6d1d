package sim

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// SpeakerConfig describes a speaker. Format is required.
type SpeakerConfig struct {
	Format pcm.Format
	Block  int // frames at once; default: 10 ms
	// While runs its function only while something is to be heard, as [stream.Demand.While] does. Nil: the speaker plays
	// all the time, silence too.
	While func(context.Context, func(context.Context) error) error
}

// OpenSpeaker returns a speaker that plays into nothing, in real time.
func OpenSpeaker(c SpeakerConfig) card.Card {
	return card.Card{Speaker: &speaker{c}, Attributes: map[string]string{"speaker": "null"}}
}

type speaker struct{ SpeakerConfig }

// Play implements card.Speaker.
func (s *speaker) Play(ctx context.Context, fill func([]float32)) error {
	steps := pace.Pace{Format: s.Format, Block: s.Block}
	samples := make([]float32, steps.Length()*s.Format.Channels)
	play := func(ctx context.Context) error {
		return steps.Run(ctx, func(time.Time, int) error {
			fill(samples)
			return nil
		})
	}
	if s.While == nil {
		return play(ctx)
	}
	if err := s.While(ctx, play); ctx.Err() == nil {
		return err
	}
	return nil
}
