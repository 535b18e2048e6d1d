package tracks

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// paceRate is how many packets a second a viewer is sent at most, and paceBurst how many at once: bursts of 400 packets overflow what
	// a player written in Python has in front of it, even on loopback. Ordinary pictures are far below both.
	paceRate, paceBurst = 4000, 150
	// paceStep is how many packets are let through together, since timers are not finer than that.
	paceStep = 8
)

// pace spreads the packets of large pictures, and of many that are replayed.
type pace struct {
	limit *rate.Limiter
	stop  <-chan struct{}
}

func newPace(stop <-chan struct{}) *pace { return &pace{rate.NewLimiter(paceRate, paceBurst), stop} }

// wait returns when n more packets may be sent; false if it was stopped. A nil pace holds nothing back.
func (p *pace) wait(n int) bool {
	if p == nil {
		return true
	}
	delay := p.limit.ReserveN(time.Now(), n).Delay()
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.stop:
		return false
	}
}
