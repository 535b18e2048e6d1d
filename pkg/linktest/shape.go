package linktest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Shape is what one direction of a link does to packets. The zero value delivers everything at once.
type Shape struct {
	// Rate limits the bits per second over time. The first step is at 0. Empty is no limit.
	Rate []Step
	// Every repeats the steps after that time; 0 never does.
	Every time.Duration
	// Burst is how many bytes may pass at once after a pause, beyond the rate.
	Burst int
	// Queue is how many bytes may wait for their turn. A packet that does not fit is dropped (tail drop). It matters
	// only with a rate or stalls; 0 is DefaultQueue.
	Queue int
	// Police drops what exceeds rate and burst, instead of letting it wait. Burst must have room for a packet.
	Police bool

	// Delay is that of every packet.
	Delay time.Duration
	// Jitter is the most that a packet is delayed beyond that, uniformly distributed. Packets keep their order.
	Jitter time.Duration
	// Stalls interrupt the link.
	Stalls Stalls

	// Loss happens to packets after they have waited and used the link, as on a radio.
	Loss Loss
	// Reorder is the share of packets that are overtaken: they take Overtaken longer than their turn.
	Reorder   float64
	Overtaken time.Duration
	// Duplicate is the share of packets that arrive twice.
	Duplicate float64
}

// DefaultQueue is the room of a queue in bytes.
const DefaultQueue = 64 << 10

// Step is the rate from a moment on, counted from the start of the line.
type Step struct {
	At  time.Duration
	Bps float64 // bit/s; 0 is an outage, in which packets wait as long as there is room
}

// Constant is a rate that does not change.
func Constant(bps float64) []Step { return []Step{{Bps: bps}} }

// Stalls are times in which nothing is delivered, as when a half-duplex radio is busy. What has been held up is
// delivered at once afterwards.
type Stalls struct {
	// Pause is the mean time between two stalls, exponentially distributed; 0: there are none.
	Pause time.Duration
	// A stall lasts from Min to Max, uniformly distributed.
	Min, Max time.Duration
}

// Loss loses packets at random (Gilbert's model).
type Loss struct {
	// Share of the packets that are lost, 0 to below 1.
	Share float64
	// Burst is the mean number of packets lost in a row; below 1 each packet is lost independently of the others.
	Burst float64
}

const never = time.Duration(math.MaxInt64)

// Check reports what is wrong with a shape.
func (s Shape) Check() error {
	var errs []error
	for name, share := range map[string]float64{
		"Loss.Share": s.Loss.Share, "Reorder": s.Reorder, "Duplicate": s.Duplicate,
	} {
		if !(share >= 0 && share < 1) {
			errs = append(errs, fmt.Errorf("%s is %v: it must be a share from 0 to below 1", name, share))
		}
	}
	for name, d := range map[string]time.Duration{
		"Delay": s.Delay, "Jitter": s.Jitter, "Overtaken": s.Overtaken, "Every": s.Every, "Stalls.Pause": s.Stalls.Pause,
		"Stalls.Min": s.Stalls.Min, "Stalls.Max": s.Stalls.Max - s.Stalls.Min, "Queue": time.Duration(s.Queue),
	} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", name))
		}
	}
	if s.Stalls.Pause > 0 && s.Stalls.Max <= 0 {
		errs = append(errs, errors.New("Stalls.Max is 0: say how long a stall lasts"))
	}
	if s.Police && s.Burst <= 0 {
		errs = append(errs, errors.New("without a Burst, Police drops everything"))
	}
	return errors.Join(append(errs, s.checkRate())...)
}

func (s Shape) checkRate() error {
	most, last := 0.0, time.Duration(-1)
	for i, step := range s.Rate {
		if i == 0 && step.At != 0 || step.At <= last {
			return fmt.Errorf("the first step of Rate is at 0, and each is after the one before: step %d is at %v", i, step.At)
		}
		if !(step.Bps >= 0 && step.Bps < math.Inf(1)) {
			return fmt.Errorf("step %d of Rate is %v bit/s", i, step.Bps)
		}
		most, last = max(most, step.Bps), step.At
	}
	if s.Every > 0 && last >= s.Every {
		return fmt.Errorf("step %d of Rate is at %v, after Every: it would never come", len(s.Rate)-1, last)
	}
	if s.Every > 0 && len(s.Rate) > 0 && most == 0 {
		return errors.New("all of Rate is 0: cut the line instead")
	}
	return nil
}

// rateAt is the rate at a moment, and until when it lasts.
func (s Shape) rateAt(at time.Duration) (bps float64, until time.Duration) {
	if len(s.Rate) == 0 {
		return math.Inf(1), never
	}
	begin := time.Duration(0) // of the round
	until = never
	if s.Every > 0 {
		begin = at - at%s.Every
		until = begin + s.Every
	}
	for _, step := range s.Rate {
		if step.At > at-begin {
			return bps, begin + step.At
		}
		bps = step.Bps
	}
	return bps, until
}

// capacity is how many bits pass from one moment to another.
func (s Shape) capacity(from, to time.Duration) (bits float64) {
	for from < to {
		bps, until := s.rateAt(from)
		until = min(until, to)
		bits += bps * (until - from).Seconds()
		from = until
	}
	return bits
}

// passed is when so many bits have passed since a moment; never if that does not happen.
func (s Shape) passed(from time.Duration, bits float64) time.Duration {
	for bits > 0 {
		bps, until := s.rateAt(from)
		if math.IsInf(bps, 1) {
			return from
		}
		if until == never || bps*(until-from).Seconds() >= bits {
			if bps == 0 {
				return never
			}
			return from + time.Duration(bits/bps*float64(time.Second))
		}
		bits -= bps * (until - from).Seconds()
		from = until
	}
	return from
}
