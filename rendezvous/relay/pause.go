package relay

import "time"

// pause has packets that come in short intervals collected, as network cards do: to be woken costs more than a packet.
// The first packet after a silence is passed on at once, those right behind it wait for at most nap. Whether it pays is
// measured: packets that come alone are never made to wait, except for one in probe.
type pause struct {
	collected float64 // the average after a pause
	batches   int
	rested    bool // the last thing was a pause
}

const (
	nap   = time.Millisecond
	probe = 64
)

// after is called for each batch that was received, and reports whether to pause now.
func (p *pause) after(pieces int) bool {
	if p.rested {
		p.rested = false
		p.collected += (float64(pieces) - p.collected) / 8
		return false
	}
	p.batches++
	p.rested = p.collected >= 2 || p.batches%probe == 0
	return p.rested
}
