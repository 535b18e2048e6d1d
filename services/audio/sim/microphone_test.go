package sim

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/tonetest"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/card/cardtest"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

var format = pcm.Format{Rate: 48000, Channels: 1}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMicrophoneConformance(t *testing.T) {
	for _, f := range []pcm.Format{{Rate: 48000, Channels: 1}, {Rate: 44100, Channels: 2}} {
		cardtest.Run(t, f, func(t *testing.T) card.Card { return open(t, f, 440) })
	}
}

func open(t *testing.T, f pcm.Format, hz float64) card.Card {
	t.Helper()
	c, err := OpenMicrophone(MicrophoneConfig{Pace: pace.Pace{Format: f}, Hz: hz})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// record captures for a while on the test's own clock.
func record(t *testing.T, c card.Card, d time.Duration) []float32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var got []float32
	if err := c.Microphone.Capture(ctx, func(s []float32, _ time.Time) { got = append(got, s...) }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestToneIsPureAndSteady(t *testing.T) {
	for _, test := range []struct {
		rate int
		hz   float64
	}{{48000, 440}, {8000, 3999}, {22050, 1000.5}, {192000, 60000}} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, pcm.Format{Rate: test.rate, Channels: 1}, test.hz)
			got := record(t, c, time.Second+time.Nanosecond)
			got = append(got, record(t, c, time.Second+time.Nanosecond)...) // without a click in between
			m := tonetest.Of(got, test.rate)
			if math.Abs(m.Hz-test.hz) > test.hz*1e-3 || math.Abs(m.Level-Level) > 0.05 || len(m.Gaps) > 0 || test.hz < 3000 &&
				m.Pure < 0.999 {
				t.Errorf("%d Hz: %+v, want a tone of %v Hz at %d dBFS", test.rate, m, test.hz, Level)
			}
		})
	}
}

func TestTenMinutesAreTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := OpenMicrophone(MicrophoneConfig{Pace: pace.Pace{Format: pcm.Format{Rate: 44100, Channels: 1},
			Block: 44100 / 7}, Hz: 440})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Millisecond)
		defer cancel()
		frames, begin := 0, time.Now()
		err = c.Microphone.Capture(ctx, func(s []float32, at time.Time) {
			if want := begin.Add(time.Duration(float64(frames) / 44100 * 1e9)); at.Sub(want).Abs() > time.Microsecond {
				t.Fatalf("block at %v, want %v", at, want)
			}
			frames += len(s)
		})
		if off := frames - 600*44100; err != nil || off > 0 || off <= -44100/7 {
			t.Errorf("%d frames too many in ten minutes, %v", off, err)
		}
	})
}

func TestImpossible(t *testing.T) {
	for _, hz := range []float64{0, -1, 24000, math.NaN(), math.Inf(1)} {
		if _, err := OpenMicrophone(MicrophoneConfig{Pace: pace.Pace{Format: format}, Hz: hz}); err == nil {
			t.Errorf("%v Hz opened", hz)
		}
	}
}
