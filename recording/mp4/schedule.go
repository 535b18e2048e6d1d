package mp4

import (
	"math"
	"slices"
	"time"
)

// Units returns a time in units of a scale.
func Units(t time.Duration, scale uint32) int64 {
	s, rest := int64(t/time.Second), int64(t%time.Second)
	half := int64(time.Second / 2)
	if rest < 0 {
		half = -half
	}
	return s*int64(scale) + (rest*int64(scale)+half)/int64(time.Second)
}

// Time is when a sample is decoded, for how long it is shown, and how long after its decoding it begins to be shown, in
// units of its description's scale.
type Time struct {
	Decode   int64
	Duration uint32
	Offset   int32
}

// Schedule places samples that follow one another, from one with which decoding can begin, and next, which is when the
// sample after them is shown; times before 0 are 0. Samples that are not reordered are shown in their order, those that
// would go back at once after the one before. Reordered ones (B-frames) are decoded as late as the order allows, so
// that none is shown before it is decoded: readers treat such samples differently.
func Schedule(shown []int64, next int64, reordered bool) []Time {
	times := make([]Time, len(shown))
	shown = slices.Clone(shown)
	for i := range shown {
		shown[i] = max(shown[i], 0)
	}
	decode := slices.Clone(shown)
	if reordered {
		for i := len(decode) - 2; i >= 0; i-- {
			decode[i] = min(decode[i], decode[i+1]-1)
		}
	}
	for i := range decode {
		decode[i] = max(decode[i], 0)
		if i > 0 {
			decode[i] = max(decode[i], decode[i-1]+1)
		}
	}
	for i := range times {
		after := max(next, 0)
		if i+1 < len(decode) {
			after = decode[i+1]
		}
		times[i] = Time{Decode: decode[i], Duration: uint32(min(max(after-decode[i], 1), math.MaxInt32))}
		if reordered {
			times[i].Offset = int32(min(max(shown[i]-decode[i], math.MinInt32), math.MaxInt32))
		}
	}
	return times
}
