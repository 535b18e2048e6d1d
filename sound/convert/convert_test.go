package convert

import (
	"fmt"
	"math"
	"testing"

	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// sine paints a tone at a tenth of full scale.
func sine(f pcm.Format, frames int, from int) []float32 {
	var out []float32
	for i := range frames {
		for range f.Channels {
			out = append(out, float32(0.1*math.Sin(2*math.Pi*1000*float64(from+i)/float64(f.Rate))))
		}
	}
	return out
}

var formats = []pcm.Format{{Rate: 48000, Channels: 1}, {Rate: 48000, Channels: 2}, {Rate: 44100, Channels: 2},
	{Rate: 8000, Channels: 1}, {Rate: 192000, Channels: 2}}

func check(t *testing.T, what string, got []float32, to pcm.Format) {
	t.Helper()
	mono := pcm.Mix(nil, got, to.Channels, 1)
	mono = mono[len(mono)/5:] // the filter takes a moment
	m := tonetest.Of(mono, to.Rate)
	if math.Abs(m.Hz-1000) > 0.5 || math.Abs(m.Level+20) > 0.1 || m.Pure < 0.999 || len(m.Gaps) > 0 {
		t.Errorf("%s: %+v, want 1000 Hz at -20 dBFS", what, m)
	}
}

func TestConvertKeepsTheTone(t *testing.T) {
	for _, from := range formats {
		for _, to := range formats {
			c, err := New(from, to)
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			for at, n := 0, 0; at < from.Rate; at += n {
				n = 1 + at%977 // blocks of all sizes
				out, err := c.Convert(sine(from, n, at))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, out...)
			}
			c.Close()
			what := fmt.Sprintf("from %v to %v", from, to)
			if frames := len(got) / to.Channels; frames < to.Rate*98/100 || frames > to.Rate*103/100 {
				t.Errorf("%s: a second became %d frames", what, frames)
			}
			check(t, what, got, to)
		}
	}
}

func TestPullerFillsWhateverIsAsked(t *testing.T) {
	for _, from := range formats {
		for _, to := range formats {
			at := 0
			p, err := NewPuller(from, to, from.Rate/100, func(out []float32) {
				at += copy(out, sine(from, len(out)/from.Channels, at)) / from.Channels
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			for n := 1; len(got) < to.Rate*to.Channels; n = n%977 + 1 {
				out := make([]float32, n*to.Channels)
				p.Read(out)
				got = append(got, out...)
			}
			p.Close()
			check(t, fmt.Sprintf("from %v to %v", from, to), got, to)
		}
	}
}
