package tonetest

import "math"

const speechRate = 48_000

// Speech is a synthetic voice at 48 kHz, mono: pulses of a changing pitch through three formants, in
// syllables.
func Speech(seconds int) []float32 {
	// The formants of five vowels, in Hz, as measured by Peterson and Barney (1952).
	vowels := [][3]float64{{730, 1090, 2440}, {270, 2290, 3010}, {300, 870, 2240}, {530, 1840, 2480}, {570, 840, 2410}}
	const syllable, bandwidth = 0.18, 90 // seconds, Hz
	out := make([]float32, seconds*speechRate)
	var formants [3][2]float64
	phase := 0.0
	for i := range out {
		at := float64(i) / speechRate
		phase += (110 + 30*math.Sin(2*math.Pi*0.7*at) + 15*math.Sin(2*math.Pi*3.1*at)) / speechRate
		pulse := 0.0
		if phase >= 1 {
			phase--
			pulse = 1
		}
		sum := 0.0
		for j, hz := range vowels[int(at/syllable)%len(vowels)] {
			r := math.Exp(-math.Pi * bandwidth / speechRate)
			y := pulse + 2*r*math.Cos(2*math.Pi*hz/speechRate)*formants[j][0] - r*r*formants[j][1]
			formants[j][1], formants[j][0] = formants[j][0], y
			sum += y / float64(j+1)
		}
		within := math.Mod(at, syllable) / syllable
		out[i] = float32(0.03 * sum * math.Sqrt(math.Sin(math.Pi*within)))
	}
	return out
}
