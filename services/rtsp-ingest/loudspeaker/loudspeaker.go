package loudspeaker

import (
	"context"
	"errors"
	"time"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const (
	// Linger is how long the back channel is kept after the last word.
	Linger = time.Second
	// length is how much sound is sent at a time.
	length = 20 * time.Millisecond
	// patience is how late sound may be and still be sent.
	patience = 100 * time.Millisecond
	// young is a back channel that has not proved itself.
	young = time.Second
)

// Talkers are those who want to be heard.
type Talkers interface {
	// While runs its function while there is something to be played, as [stream.Demand.While] does.
	While(context.Context, func(context.Context) error) error
	// Want counts as something to be played until release is called.
	Want() (release func())
	// Talking reports whether somebody talks.
	Talking() bool
}

// Config describes a loudspeaker. All of it is required.
type Config struct {
	Format  pcm.Format // of what is played
	Talkers Talkers
	// Talk opens the back channel.
	Talk func(context.Context) (feed.Voice, error)
	// Changed is told what the camera takes, for people, when the back channel is open; and "" when it is let go.
	Changed func(takes string)
}

// Block is how many frames of a format are filled at a time.
func Block(f pcm.Format) int { return f.Frames(length) }

// Loudspeaker is described in the package comment.
type Loudspeaker struct{ config Config }

// New returns a loudspeaker whose back channel is closed.
func New(config Config) *Loudspeaker { return &Loudspeaker{config} }

// Play implements card.Speaker. It fails with a [feed.Error].
func (l *Loudspeaker) Play(ctx context.Context, fill func([]float32)) error {
	err := l.config.Talkers.While(ctx, func(ctx context.Context) error {
		for ctx.Err() == nil {
			if err := l.silence(ctx, fill); err != nil {
				return err
			}
			if err := l.talk(ctx, fill); err != nil {
				return err
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// errTurn is that it is time to do something else.
var errTurn = errors.New("somebody begins or has ended to talk")

// silence goes on while nobody talks, for those who listen to the speaker.
func (l *Loudspeaker) silence(ctx context.Context, fill func([]float32)) error {
	samples := make([]float32, Block(l.config.Format)*l.config.Format.Channels)
	steps := pace.Pace{Format: l.config.Format, Block: Block(l.config.Format), Patience: patience}
	if l.config.Talkers.Talking() {
		return nil
	}
	return turned(steps.Run(ctx, func(time.Time, int) error {
		if l.config.Talkers.Talking() {
			return errTurn
		}
		fill(samples)
		return nil
	}))
}

func turned(err error) error {
	if errors.Is(err, errTurn) {
		return nil
	}
	return err
}

// talk holds the back channel until nobody has talked for a while.
func (l *Loudspeaker) talk(ctx context.Context, fill func([]float32)) error {
	if ctx.Err() != nil {
		return nil
	}
	defer l.config.Talkers.Want()()
	for {
		opened, err := l.say(ctx, fill)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if opened.IsZero() || time.Since(opened) < young {
			return err
		}
	}
}

// say opens the back channel and says what there is to say. It returns when it was opened, zero if it was not, and why
// it broke; nil if it is not needed any more.
func (l *Loudspeaker) say(ctx context.Context, fill func([]float32)) (opened time.Time, err error) {
	voice, err := l.config.Talk(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer func() {
		_ = voice.Close() // why it broke is known
		l.config.Changed("")
	}()
	m, err := newMouth(voice, l.config.Format, fill)
	if err != nil {
		return time.Time{}, err
	}
	defer m.close()
	l.config.Changed(m.String())
	opened = time.Now()
	heard := opened
	steps := pace.Pace{Format: m.takes, Block: m.takes.Frames(length), Patience: patience}
	return opened, turned(steps.Run(ctx, func(at time.Time, _ int) error {
		now := time.Now()
		if l.config.Talkers.Talking() {
			heard = now
		}
		if now.Sub(heard) >= Linger {
			return errTurn
		}
		return m.say(at.Sub(opened))
	}))
}
