// Package tonetest measures sound, for tests that check what can be heard rather than that something
// arrived: frequency, level and gaps of a tone.
package tonetest

import (
	"math"
	"slices"
	"time"
)

// Silence is the level of no sound at all, in dBFS.
const Silence = -100

// Measure describes a stretch of sound.
type Measure struct {
	Hz    float64         // frequency, by the distance between zero crossings; 0 if there are none
	Level float64         // root mean square in dBFS, where 0 is a sine at full scale
	Peak  float64         // greatest sample in dBFS
	Pure  float64         // share of the energy that is at Hz, 0 to 1
	Gaps  []time.Duration // stretches below -60 dBFS for at least 2 ms, between the first sound and the last
}

// Of measures mono sound.
func Of(samples []float32, rate int) Measure {
	var squares float64
	var peak float32
	for _, s := range samples {
		squares += float64(s) * float64(s)
		peak = max(peak, s, -s)
	}
	m := Measure{
		Level: Silence, Peak: decibels(float64(peak)), Hz: frequency(samples, rate), Gaps: gaps(samples, rate),
	}
	if n := float64(len(samples)); n > 0 && squares > 0 {
		m.Level = decibels(math.Sqrt(2 * squares / n))
		m.Pure = energyAt(samples, m.Hz/float64(rate)) / squares
	}
	return m
}

// Sine is a mono tone of the given frequency, length in frames and peak amplitude.
func Sine(hz, amplitude float64, rate, frames int) []float32 {
	samples := make([]float32, frames)
	for i := range samples {
		samples[i] = float32(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return samples
}

// frequency is the mean of the periods between rising zero crossings, which are interpolated between
// samples. Periods that differ much from the median contain a gap, or border on one, and do not count.
func frequency(samples []float32, rate int) float64 {
	var periods []float64
	last := -1.0
	for i := 1; i < len(samples); i++ {
		a, b := float64(samples[i-1]), float64(samples[i])
		if a >= 0 || b < 0 {
			continue
		}
		now := float64(i-1) + a/(a-b)
		if last >= 0 {
			periods = append(periods, now-last)
		}
		last = now
	}
	if len(periods) == 0 {
		return 0
	}
	slices.Sort(periods)
	usual := periods[len(periods)/2]
	sum, count := 0.0, 0.0
	for _, p := range periods {
		if p > 0.75*usual && p < 1.5*usual {
			sum, count = sum+p, count+1
		}
	}
	return count / sum * float64(rate)
}

// energyAt is the energy at a frequency, in periods per sample, as a sum of squares.
func energyAt(samples []float32, frequency float64) float64 {
	var re, im float64
	for i, s := range samples {
		sin, cos := math.Sincos(2 * math.Pi * frequency * float64(i))
		re, im = re+float64(s)*cos, im+float64(s)*sin
	}
	return 2 * (re*re + im*im) / float64(len(samples))
}

func gaps(samples []float32, rate int) []time.Duration {
	const silence = 0.001
	var found []time.Duration
	last := -1
	for i, s := range samples {
		if s < silence && s > -silence {
			continue
		}
		if quiet := i - last - 1; last >= 0 && quiet >= rate/500 {
			found = append(found, time.Duration(quiet)*time.Second/time.Duration(rate))
		}
		last = i
	}
	return found
}

// decibels is an amplitude in dBFS, at least Silence.
func decibels(amplitude float64) float64 { return max(Silence, 20*math.Log10(amplitude)) }
