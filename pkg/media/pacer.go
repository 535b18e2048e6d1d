package media

import "time"

// Pacer skips pictures to approach a rate from below.
type Pacer struct {
	// Rate is the most pictures in a second; 0 skips none.
	Rate float64

	due time.Time
}

// Take reports whether a picture captured at that time is wanted. Pictures arrive at about the rate captured, unevenly:
// one that is early by up to a quarter of the interval still counts. A rate of 0 is not known.
func (p *Pacer) Take(at time.Time, captured float64) bool {
	if p.Rate == 0 {
		return true
	}
	interval, slack := seconds(1/p.Rate), time.Duration(0)
	if captured > 0 {
		slack = min(seconds(1/captured), interval) / 4
	}
	early := p.due.Sub(at)
	if early > slack && early <= 2*interval { // further off, the clock was set
		return false
	}
	if early < -interval || early > slack {
		p.due = at
	}
	p.due = p.due.Add(interval)
	return true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
