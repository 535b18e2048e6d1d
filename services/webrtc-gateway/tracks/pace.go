package tracks

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// A viewer gets at most paceRate packets per second, and paceBurst at once: bursts of 400 packets overflow the socket
	// buffer of a player written in Python, even on loopback. Ordinary pictures are far below both.
	paceRate, paceBurst = 4000, 150
	// paceStep is the number of packets released together, because timers are not finer than that.
	paceStep = 8
)

// pace spreads out the packets of large pictures and of replayed groups.
type pace struct {
	limit *rate.Limiter
	stop  <-chan struct{}
}

func newPace(stop <-chan struct{}) *pace { return &pace{rate.NewLimiter(paceRate, paceBurst), stop} }

// wait returns when n more packets may be sent, and false if it was stopped. A nil pace does not limit anything.
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
