package film

import (
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// MaxRate is how many frames a second viewers get whole: 30 a second at five times the speed. Decoders of phones and of
// programs do not keep up with many more.
const MaxRate = 150

// pace leaves out frames of a replay that is faster than viewers are. It belongs to one goroutine.
type pace struct {
	factor   float64       // how much faster than recorded; 0 for 1
	interval time.Duration // between two frames as recorded, on average; 0 before the second
	last     time.Time     // when the last frame was captured
	keysOnly bool
	pacer    media.Pacer
}

// restart says that the next frame does not follow the last one.
func (p *pace) restart() { p.last, p.keysOnly = time.Time{}, false }

// takes reports whether a frame is shown whose time comes at a moment.
func (p *pace) takes(f source.Frame, at time.Time) bool {
	rate := p.rate(f.Replay.Captured)
	if !media.InterCoded(f.Format.GetMediaType()) {
		p.pacer.Rate = 0
		if rate > MaxRate {
			p.pacer.Rate = MaxRate
		}
		return p.pacer.Take(at, rate)
	}
	switch {
	case rate > MaxRate:
		p.keysOnly = true
	case f.Key:
		p.keysOnly = false
	}
	return f.Key || !p.keysOnly
}

// rate is how many frames come in a second, with one more that was captured at that time; 0 if it is not known.
func (p *pace) rate(captured time.Time) float64 {
	const smooth, longest = 8, time.Second
	step := captured.Sub(p.last)
	known := !p.last.IsZero() && step > 0 && step < longest
	p.last = captured
	switch {
	case known && p.interval == 0:
		p.interval = step
	case known:
		p.interval += (step - p.interval) / smooth
	}
	if p.interval <= 0 {
		return 0
	}
	factor := p.factor
	if !(factor > 0) {
		factor = 1
	}
	return factor / p.interval.Seconds()
}
