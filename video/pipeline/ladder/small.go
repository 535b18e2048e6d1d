package ladder

import "math"

// What the small version of a stream has.
const (
	SmallBitrate = 350_000 // bit/s
	smallArea    = 640 * 360
	smallRate    = 15
)

// Small returns what the small version of full pictures has: as many pixels as 360p, in their shape, and every other
// picture of 30 a second.
func Small(full Step) Step {
	small := full
	if shrink := math.Sqrt(smallArea / full.area()); shrink < 1 {
		small.Width, small.Height = even(float64(full.Width)*shrink), even(float64(full.Height)*shrink)
	}
	if full.rate() > smallRate {
		small.Rate = smallRate
	}
	return small
}
