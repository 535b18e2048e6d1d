// Package ladder chooses the size and the rate of a stream's pictures for a bit rate that is lower than the configured
// one. Pictures with too few bits show squares instead of what is in the way, so a stream gives up in this order:
//
//  1. bits of a picture, down to [LeastBits] for each pixel: 1.2 Mbit/s at 720p30
//  2. pictures, at once, because a stream that sends more than its path carries is late
//  3. size, once the rate has been below two thirds of the wanted one for [Need]. Motion is worth more than detail to
//     who drives, so the smaller pictures come at the full rate again, or at 30 a second of a source that is faster.
//     Sizes are 1, 3/4, 1/2, 3/8 … of the configured sides, and not below what 360p has in 4:3.
//
// At 1280x720, 30 a second, that is 720p30 from 1.2 Mbit/s, 720p20 down to 0.8 Mbit/s, then 540p30 from 0.7 Mbit/s,
// 360p30 from 0.3 Mbit/s and 360p15 from 0.15 Mbit/s. The way up is the same with a margin of a tenth.
//
// Another size costs a key frame, many times the bits of a usual picture. So there are at least [Apart] between two
// changes of size.
//
// Everything here is computed from what the caller passes; nothing reads a clock. A Ladder belongs to one goroutine.
package ladder

import (
	"math"
	"time"
)

const (
	// LeastBits is how many bits a pixel of a picture has at least, on average, before pictures are left out: below it
	// people prefer fewer pictures. 1.2 Mbit/s at 1280x720, 30 a second.
	LeastBits = 1.2e6 / (1280 * 720 * 30)
	// UsualBits is how many a pixel has if nothing is configured: 2 Mbit/s at 1280x720, 30 a second.
	UsualBits = 2e6 / (1280 * 720 * 30)
	// Need is how long another size must have been needed.
	Need = 2 * time.Second
	// Apart is the least time between two changes of size.
	Apart = 5 * time.Second

	usualRate  = 30        // pictures per second, if the source's rate is not known; and what is enough for driving
	leastRate  = 4.9       // pictures per second: fewer are no video
	leastArea  = 480 * 360 // pixels: less shows nothing that one could drive by
	margin     = 1.1       // by which the way up is harder than to stay
	enough     = 2.0 / 3   // of the wanted rate keeps a size
	wish       = 0.8       // of the bits that are configured are as good
	quickRates = 6         // parts of the source's rate
)

// Step is what pictures have. A rate of 0 is that of the source, whatever it is.
type Step struct {
	Width, Height int
	Rate          float64
}

// area is in pixels.
func (s Step) area() float64 { return float64(s.Width) * float64(s.Height) }

// rate is the rate in numbers.
func (s Step) rate() float64 {
	if s.Rate == 0 {
		return usualRate
	}
	return s.Rate
}

// Bitrate is what a step has with so many bits a pixel, in bit/s.
func (s Step) Bitrate(bits float64) float64 { return bits * s.area() * s.rate() }

// Ladder chooses the steps of one stream. The zero value begins with full pictures.
type Ladder struct {
	full    Step
	sizes   []Step    // that pictures can have, the full one first
	size    int       // which of the sizes
	rate    float64   // the last one; 0 for the full one
	needed  time.Time // since when another size is needed; zero if none is
	changed time.Time // when the size changed last; zero for never
}

// Next returns the step for a stream that has full pictures at the configured bit rate, and may have bitrate now. Both
// are in bit/s. A stream that has its configured bit rate, or more, keeps full pictures.
func (l *Ladder) Next(full Step, configured, bitrate int64, now time.Time) Step {
	bits := min(LeastBits, wish*float64(configured)/full.Bitrate(1)) // who configures few bits wants few
	if bitrate >= configured {
		bits = 0
	}
	if full == l.full {
		l.resize(bits, float64(bitrate), now)
	} else { // a stream that begins does so with a key frame anyway
		*l = Ladder{full: full, sizes: sizesOf(full)}
		if l.size = l.best(bits, float64(bitrate)); l.size > 0 {
			l.changed = now
		}
	}
	step := l.sizes[l.size]
	l.rate = rateFor(full, affordable(step, bits, float64(bitrate)), l.rate)
	if step.Rate = l.rate; step.Rate == full.rate() {
		step.Rate = full.Rate
	}
	return step
}

// affordable is how many pictures of a size there can be in a second.
func affordable(s Step, bits, bitrate float64) float64 {
	if bits == 0 {
		return math.Inf(1)
	}
	return bitrate / (bits * s.area())
}

// resize changes the size if that has been needed for long.
func (l *Ladder) resize(bits, bitrate float64, now time.Time) {
	best := l.best(bits, bitrate)
	tooLarge := affordable(l.sizes[l.size], bits, bitrate) < l.wanted()*enough
	switch {
	case best == l.size || best > l.size && !tooLarge:
		l.needed = time.Time{}
		return
	case l.needed.IsZero() || now.Before(l.needed):
		l.needed = now
	}
	if now.Sub(l.needed) < Need || !l.changed.IsZero() && now.Sub(l.changed) < Apart {
		return
	}
	l.size, l.changed, l.needed, l.rate = best, now, time.Time{}, 0
}

// best is the largest size that can have the wanted rate, or else the smallest one.
func (l *Ladder) best(bits, bitrate float64) int {
	for i, size := range l.sizes {
		need := l.wanted()
		if i < l.size {
			need *= margin
		}
		if affordable(size, bits, bitrate) >= need {
			return i
		}
	}
	return len(l.sizes) - 1
}

// wanted is the rate that smaller pictures are worth, in pictures per second.
func (l *Ladder) wanted() float64 { return min(l.full.rate(), usualRate) }

// sizesOf lists the sizes that pictures can have, the full one first.
func sizesOf(full Step) []Step {
	sizes := []Step{full}
	for n := 1; ; n++ {
		part := math.Pow(0.5, float64(n/2))
		if n%2 == 1 {
			part *= 3.0 / 4
		}
		s := Step{Width: even(float64(full.Width) * part), Height: even(float64(full.Height) * part), Rate: full.Rate}
		if s.area() < leastArea {
			return sizes
		}
		sizes = append(sizes, s)
	}
}

func even(side float64) int { return max(2, int(math.Round(side/2))*2) }

// rateFor is the highest rate that can be had, of those that leave out pictures regularly. A rate above last must be
// had with a margin; a last of 0 is the full rate.
func rateFor(full Step, can, last float64) float64 {
	if last == 0 {
		last = full.rate()
	}
	rate := full.rate()
	for _, part := range []float64{2.0 / 3, 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / quickRates} {
		need := rate
		if rate > last*1.001 {
			need *= margin
		}
		if can >= need || full.rate()*part < leastRate {
			return rate
		}
		rate = full.rate() * part
	}
	return rate
}
