package playout

import (
	"math/rand/v2"
	"testing"
	"time"

	"gopkg.in/hraban/opus.v2"
)

// TestDelayFromMouthToSpeaker measures from the sound itself when a beat that went into the encoder comes out of Read:
// at the beginning of a session, and when the target has settled. It includes the look-ahead of the codec and the
// packet itself; a network and the buffers of cards come on top.
func TestDelayFromMouthToSpeaker(t *testing.T) {
	t.Parallel()
	const every = 48000 / 2 // frames between beats
	sound := make([]float32, 26*48000)
	for i := every; i < len(sound); i += every {
		copy(sound[i:], sine(2000, 0.9, 480))
	}
	for _, tt := range []struct {
		name        string
		path        func(time.Duration, *rand.Rand) []time.Duration
		first, last time.Duration // at most
	}{
		{"no jitter", nil, 110 * time.Millisecond, 65 * time.Millisecond},
		{"jitter 20 ms", uneven(20*time.Millisecond, 0), 120 * time.Millisecond, 85 * time.Millisecond},
	} {
		// The packet that begins at 0 has been encoded, at the earliest, 20 ms later; that is when the simulation says it is
		// sent.
		s := simulate(t, Config{MaxTalk: -1}, network{path: tt.path}, encode(t, sound, opus.AppVoIP, 32000, true))
		var heard []float32
		s.run(25*time.Second, func(_ time.Duration, block []float32) { heard = append(heard, block...) })
		var delays []time.Duration
		for i, silent := 0, 0; i < len(heard); i++ {
			if heard[i] < 0.2 {
				silent++
				continue
			}
			if silent > every/2 {
				beat := (i - 1000) / every * every
				delays = append(delays, 20*time.Millisecond+time.Duration(i-beat)*time.Second/48000)
			}
			silent = 0
		}
		if len(delays) < 45 {
			t.Fatalf("%s: %d beats were heard", tt.name, len(delays))
		}
		first, last := delays[1], delays[len(delays)-1]
		t.Logf("%s: %v at first, %v later; target %.0f ms", tt.name, first.Round(time.Millisecond),
			last.Round(time.Millisecond), 1000*s.the().drift.target)
		if first > tt.first || last > tt.last || last < 40*time.Millisecond {
			t.Errorf("%s: %v and %v, want at most %v and %v", tt.name, first, last, tt.first, tt.last)
		}
	}
}
