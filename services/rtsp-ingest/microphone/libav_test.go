//go:build !nolibav

package microphone

import (
	"math"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

var byLibrary = []sent{
	{feed.AAC, fakecam.Clip("tone.aac"), level - 6, "AAC, 16000 Hz mono"},
	{feed.G726, fakecam.Clip("tone.g726"), level - 6, "G.726, 8000 Hz mono"},
}

// aacSays is said of AAC that is described as none and is none.
const aacSays = "says that it is AAC, 16000 Hz mono, and cannot be decoded as such"

// A beep is heard when it was captured, although decoder and converter work on whole frames.
func TestTimeOfABeep(t *testing.T) {
	h := hear(t, blocks(feed.AAC, fakecam.Clip("beep.aac"), 4*time.Second))
	beeps, silent := 0, mono.Rate
	for i, s := range h.samples {
		if silent++; math.Abs(float64(s)) < 0.05 {
			continue
		}
		at := mono.Duration(int64(i))
		if silent > mono.Rate/2 {
			if beeps++; beeps > 1 && at%time.Second > 3*time.Millisecond { // the first one fades in
				t.Errorf("a beep comes at %v", at)
			}
		}
		silent = 0
	}
	if beeps != 4 {
		t.Errorf("%d beeps in four seconds", beeps)
	}
}

// In place of a lost packet there is silence. What comes after it begins softly, since half of it is missing.
func TestLostAAC(t *testing.T) {
	const lost, frame = 12, 64 * time.Millisecond
	for name, damage := range map[string]func([]feed.Sound) []feed.Sound{
		"lost": func(list []feed.Sound) []feed.Sound {
			list[lost+1].Lost = 1
			return append(list[:lost:lost], list[lost+1:]...)
		},
		"broken": func(list []feed.Sound) []feed.Sound {
			list[lost].Data = list[lost].Data[:10]
			return list
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := hear(t, damage(blocks(feed.AAC, fakecam.Clip("tone.aac"), 2*time.Second)))
			at := mono.Frames(lost * frame)
			tone(t, "before", h.samples[4800:at-960], level-6)
			tone(t, "after", h.samples[at+mono.Frames(2*frame)+960:], level-6)
			gaps := tonetest.Of(h.samples[4800:], mono.Rate).Gaps
			if len(gaps) != 1 || gaps[0] < frame-10*time.Millisecond || gaps[0] > frame+20*time.Millisecond {
				t.Errorf("gaps %v, want one of %v", gaps, frame)
			}
			if h.drift > time.Millisecond {
				t.Errorf("times and samples differ by up to %v", h.drift)
			}
		})
	}
}

// HE-AAC that is described as AAC of half the rate, or the other way round, is heard as it is, at the right time.
func TestRateOfTheStreamWins(t *testing.T) {
	list := blocks(feed.AAC, fakecam.Clip("beep.aac"), time.Second)
	for i := range list {
		list[i].Track.SampleRate, list[i].Track.Channels = 8000, 2
	}
	h := hear(t, list)
	if n := len(h.samples); n < 48000*95/100 || n > 48000 {
		t.Errorf("%d samples of a second", n)
	}
	if m := tonetest.Of(h.samples[960:4320], mono.Rate); math.Abs(m.Hz-440) > 5 {
		t.Errorf("heard %+v", m)
	}
}
