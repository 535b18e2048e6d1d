package playout

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/samplerate"
)

// Pause is the silence after which somebody no longer counts as talking.
const Pause = 300 * time.Millisecond

// What goes wrong. Errors of this package wrap one of them, pcm.ErrFormat, or that of a context.
var (
	// ErrTooMany is about more talkers than Config.MaxTalkers.
	ErrTooMany = errors.New("too many talk")
	// ErrTooLong is about somebody who has talked for Config.MaxTalk without a pause.
	ErrTooLong = errors.New("talked for too long without a pause")
	// ErrClosed is about a Feed or Mixer that was closed.
	ErrClosed = errors.New("playout is closed")
)

// Config describes the speaker and bounds what is let through. The zero value works.
type Config struct {
	Rate       int           // of the speaker in Hz, 8000 to 192000; default 48000
	Channels   int           // of the speaker, 1 or 2; default 1
	MaxTalkers int           // at once, network and feeds together; default 16
	MaxTalk    time.Duration // without a pause; default 2 minutes, negative: for ever
	MinDelay   time.Duration // least target of the jitter buffer; default 20 ms
	MaxDelay   time.Duration // greatest target of the jitter buffer, at most 500 ms; default 200 ms

	Metrics prometheus.Registerer // where waldo_audio_* are registered; default: nowhere
	Now     func() time.Time      // the clock; default time.Now

	quality samplerate.Quality // of drift correction
}

// complete fills in what was left out.
func (c Config) complete() (Config, error) {
	c.Rate = cmp.Or(c.Rate, 48000)
	c.Channels = cmp.Or(c.Channels, 1)
	c.MaxTalkers = cmp.Or(c.MaxTalkers, 16)
	c.MaxTalk = cmp.Or(c.MaxTalk, 2*time.Minute)
	c.MinDelay = cmp.Or(c.MinDelay, 20*time.Millisecond)
	c.MaxDelay = cmp.Or(c.MaxDelay, 200*time.Millisecond)
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Rate < pcm.MinRate || c.Rate > pcm.MaxRate:
		return c, fmt.Errorf("playout: %w: rate %d, must be %d to %d Hz", pcm.ErrFormat, c.Rate, pcm.MinRate, pcm.MaxRate)
	case c.Channels < 1 || c.Channels > 2:
		return c, fmt.Errorf("playout: %w: %d channels, must be 1 or 2", pcm.ErrFormat, c.Channels)
	case c.MaxTalkers < 1:
		return c, fmt.Errorf("playout: at most %d talkers, must be 1 or more", c.MaxTalkers)
	case c.MinDelay < 0 || c.MaxDelay < c.MinDelay || c.MaxDelay > 500*time.Millisecond:
		return c, fmt.Errorf("playout: delay of %v to %v, must be within 0 to 500ms", c.MinDelay, c.MaxDelay)
	}
	return c, nil
}
