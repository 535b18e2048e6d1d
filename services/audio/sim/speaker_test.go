package sim

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/card/cardtest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

func TestSpeakerConformance(t *testing.T) {
	f := pcm.Format{Rate: 48000, Channels: 2}
	var heard stream.Demand
	defer heard.Want()()
	for name, c := range map[string]SpeakerConfig{"always": {Format: f}, "while heard": {Format: f, While: heard.While}} {
		t.Run(name, func(t *testing.T) {
			cardtest.Run(t, f, func(*testing.T) card.Card { return OpenSpeaker(c) })
		})
	}
}

// TestSpeakerRests while nothing is to be heard, and plays within a block once there is something.
func TestSpeakerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard stream.Demand
		speaker := OpenSpeaker(SpeakerConfig{Format: format, While: heard.While}).Speaker
		ctx, cancel := context.WithCancel(t.Context())
		var frames atomic.Int64
		ended := make(chan error, 1)
		go func() { ended <- speaker.Play(ctx, func(samples []float32) { frames.Add(int64(len(samples))) }) }()
		for range 3 {
			frames.Store(0)
			time.Sleep(time.Minute)
			if n := frames.Load(); n > 0 {
				t.Errorf("%d frames were asked for while nothing is to be heard", n)
			}
			release := heard.Want()
			time.Sleep(10*time.Millisecond + 1)
			synctest.Wait()
			if n := frames.Load(); n != 480 {
				t.Errorf("%d frames were asked for after 10 ms, want 480", n)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			release()
			synctest.Wait()
			if n := frames.Load(); n != 101*480 {
				t.Errorf("%d frames were asked for in 1.01 s, want %d", n, 101*480)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
