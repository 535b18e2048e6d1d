// Package cardtest checks that a driver keeps the contract of package card. Every driver's tests run it.
package cardtest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// patience is how long a test waits for something that should come at once, on a machine that is busy.
const patience = 20 * time.Second

// Run checks cards made by open, which is called once for every check and fails the test by itself if it cannot.
func Run(t *testing.T, format pcm.Format, open func(t *testing.T) card.Card) {
	checks := map[string]func(*testing.T, pcm.Format, card.Card){
		"describes itself":                describes,
		"captures in real time":           captures,
		"captures again, then is silent":  recaptures,
		"plays in real time":              plays,
		"plays again, then asks no more":  replays,
		"captures and plays at once":      both,
		"ends at once if told beforehand": told,
		"watches":                         watches,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			c := open(t)
			t.Cleanup(func() {
				if c.Close == nil {
					return
				}
				if err := c.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			check(t, format, c)
		})
	}
}

func describes(t *testing.T, _ pcm.Format, c card.Card) {
	if c.Microphone == nil && c.Speaker == nil {
		t.Fatal("it has neither microphone nor speaker")
	}
	if c.Microphone != nil && c.Attributes["microphone"] == "" {
		t.Error("attribute microphone is missing")
	}
	if c.Speaker != nil && c.Attributes["speaker"] == "" {
		t.Error("attribute speaker is missing")
	}
}

// listen captures until so many frames have come, and returns how long that took after the first block.
func listen(t *testing.T, f pcm.Format, c card.Card, frames int) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begin, first, last, got := time.Now(), time.Time{}, time.Time{}, 0
	err := c.Microphone.Capture(ctx, func(samples []float32, at time.Time) {
		if len(samples) == 0 || len(samples)%f.Channels != 0 {
			t.Errorf("a block has %d samples, must be whole frames of %d channels", len(samples), f.Channels)
		}
		if at.Before(begin.Add(-2*time.Second)) || at.After(time.Now()) || at.Before(last.Add(-50*time.Millisecond)) {
			t.Errorf("a block was captured at %v, now is %v, the last was at %v", at, time.Now(), last)
		}
		if last = at; first.IsZero() {
			first = time.Now()
		}
		if got += len(samples) / f.Channels; got >= frames {
			cancel()
		}
	})
	if err != nil {
		t.Fatalf("capture: %v", err)
	}
	if got < frames {
		t.Fatalf("%d frames in %v, want %d", got, patience, frames)
	}
	return time.Since(first)
}

// captures checks that sound does not come faster than time passes; how slow a busy machine is says nothing.
func captures(t *testing.T, f pcm.Format, c card.Card) {
	if c.Microphone == nil {
		t.Skip("no microphone")
	}
	if took := listen(t, f, c, f.Rate); took < 500*time.Millisecond {
		t.Errorf("a second of sound came within %v", took)
	}
}

func recaptures(t *testing.T, f pcm.Format, c card.Card) {
	if c.Microphone == nil {
		t.Skip("no microphone")
	}
	for range 3 {
		listen(t, f, c, f.Rate/20)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var over atomic.Bool
	err := c.Microphone.Capture(ctx, func([]float32, time.Time) {
		if over.Load() {
			t.Error("a block came after Capture had returned")
		}
		cancel()
	})
	over.Store(true)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // for what must not come
}

// talk plays until so many frames were asked for.
func talk(t *testing.T, f pcm.Format, c card.Card, frames int64) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var asked, first atomic.Int64
	begin := time.Now()
	err := c.Speaker.Play(ctx, func(samples []float32) {
		clear(samples)
		if len(samples) == 0 || len(samples)%f.Channels != 0 {
			t.Errorf("%d samples are asked for, must be whole frames of %d channels", len(samples), f.Channels)
		}
		first.CompareAndSwap(0, int64(time.Since(begin)))
		if asked.Add(int64(len(samples)/f.Channels)) >= frames {
			cancel()
		}
	})
	if err != nil {
		t.Fatalf("play: %v", err)
	}
	if asked.Load() < frames {
		t.Fatalf("%d frames were asked for in %v, want %d", asked.Load(), patience, frames)
	}
	return time.Since(begin) - time.Duration(first.Load())
}

func plays(t *testing.T, f pcm.Format, c card.Card) {
	if c.Speaker == nil {
		t.Skip("no speaker")
	}
	// A buffer may be filled at once, then time has to pass.
	if took := talk(t, f, c, 2*int64(f.Rate)); took < 500*time.Millisecond {
		t.Errorf("two seconds of sound were asked for within %v", took)
	}
}

func replays(t *testing.T, f pcm.Format, c card.Card) {
	if c.Speaker == nil {
		t.Skip("no speaker")
	}
	for range 3 {
		talk(t, f, c, int64(f.Rate)/20)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var over atomic.Bool
	err := c.Speaker.Play(ctx, func(samples []float32) {
		clear(samples)
		if over.Load() {
			t.Error("sound was asked for after Play had returned")
		}
		cancel()
	})
	over.Store(true)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // for what must not come
}

func both(t *testing.T, f pcm.Format, c card.Card) {
	if c.Microphone == nil || c.Speaker == nil {
		t.Skip("not both")
	}
	ctx, cancel := context.WithCancel(t.Context())
	played := make(chan error, 1)
	go func() { played <- c.Speaker.Play(ctx, func(samples []float32) { clear(samples) }) }()
	listen(t, f, c, f.Rate/5)
	cancel()
	if err := <-played; err != nil {
		t.Error(err)
	}
}

func told(t *testing.T, _ pcm.Format, c card.Card) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.Microphone != nil {
		if err := c.Microphone.Capture(ctx, func([]float32, time.Time) {}); err != nil {
			t.Errorf("capture: %v", err)
		}
	}
	if c.Speaker != nil {
		if err := c.Speaker.Play(ctx, func(samples []float32) { clear(samples) }); err != nil {
			t.Errorf("play: %v", err)
		}
	}
}

func watches(t *testing.T, _ pcm.Format, c card.Card) {
	if c.Watch == nil {
		t.Skip("nothing to watch")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Watch(ctx); err != nil {
		t.Errorf("watch: %v", err)
	}
}
