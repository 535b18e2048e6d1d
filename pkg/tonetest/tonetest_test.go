package tonetest

import (
	"math"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	gapped := Sine(1000, 0.5, 48000, 48000)
	clear(gapped[20000:20480])
	noisy := Sine(1000, 0.5, 48000, 48000)
	for i := range noisy {
		noisy[i] += float32(0.5 * math.Sin(float64(i)*float64(i)))
	}
	for name, test := range map[string]struct {
		samples []float32
		want    Measure
	}{
		"full scale": {Sine(1000, 1, 48000, 48000), Measure{Hz: 1000, Level: 0, Peak: 0, Pure: 1}},
		"quiet":      {Sine(440.5, 0.1, 48000, 48000), Measure{Hz: 440.5, Level: -20, Peak: -20, Pure: 1}},
		"a gap": {gapped, Measure{Hz: 1000, Level: -6.06, Peak: -6.02, Pure: 0.98,
			Gaps: []time.Duration{10 * time.Millisecond}}},
		"silence": {make([]float32, 4800), Measure{Level: -100, Peak: -100}},
		"nothing": {nil, Measure{Level: -100, Peak: -100}},
	} {
		got := Of(test.samples, 48000)
		if math.Abs(got.Hz-test.want.Hz) > 0.5 || math.Abs(got.Level-test.want.Level) > 0.05 ||
			math.Abs(got.Peak-test.want.Peak) > 0.05 ||
			got.Pure < test.want.Pure-0.01 || len(got.Gaps) != len(test.want.Gaps) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		for i, gap := range test.want.Gaps {
			if (got.Gaps[i] - gap).Abs() > time.Millisecond {
				t.Errorf("%s: gap of %v, want %v", name, got.Gaps[i], gap)
			}
		}
	}
	if pure := Of(noisy, 48000).Pure; pure > 0.8 {
		t.Errorf("noise is %v pure", pure)
	}
}
