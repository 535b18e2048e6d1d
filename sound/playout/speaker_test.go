package playout

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func newSpeaker(t *testing.T) *Speaker {
	t.Helper()
	s, err := NewSpeaker(Config{}, 480,
		capture.New(capture.Config{Epoch: 1, Format: pcm.Format{Rate: 48000, Channels: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Fill is called by a thread that must not wait: it costs no memory, whatever is listened to and set.
func TestFillAllocatesNothing(t *testing.T) {
	s := newSpeaker(t)
	s.Volume.Set(&audiov1.Volume{GainDb: 20})
	samples := make([]float32, 480)
	if n := testing.AllocsPerRun(1000, func() { s.Fill(samples) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSpeakerRests unless somebody talks, or listens to it.
func TestSpeakerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpeaker(t)
		ctx, cancel := context.WithCancel(t.Context())
		played, listened := make(chan error, 1), make(chan error, 1)
		plays := false // guarded by the bubble: nobody else runs while the test looks
		go func() {
			played <- s.While(ctx, func(ctx context.Context) error {
				for plays = true; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
					s.Fill(make([]float32, 480))
				}
				plays = false
				return nil
			})
		}()
		go func() { listened <- s.Listen(ctx) }()
		expect := func(when string, want, talks bool) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if plays != want || s.Talking() != talks {
				t.Errorf("%s: it plays: %v, want %v; somebody talks: %v", when, plays, want, s.Talking())
			}
		}
		expect("at first", false, false)
		for range 2 {
			feed, err := s.Mixer.Open("ann", nil)
			if err != nil {
				t.Fatal(err)
			}
			expect("while somebody talks", true, true)
			_ = feed.Close() // cannot fail
			expect("after the last word", false, false)
			reader, err := s.Heard.Open(nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			expect("while somebody listens", true, false)
			reader.Close()
			expect("after the last listener", false, false)
			release := s.Want()
			expect("while it is wanted", true, false)
			release()
			expect("when it is not wanted any more", false, false)
		}
		cancel()
		if err := <-played; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-listened; err != nil {
			t.Error(err)
		}
		s.Close()
	})
}
