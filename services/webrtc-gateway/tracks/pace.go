package tracks

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// A viewer gets at most paceRate packets per second, and paceBurst at once: bursts of 400 packets overflow the socket
	// buffer of a player written in Python, even on loopback. Ordinary pictures are far below both.
	paceRate, paceBurst = 4000, 150
	// paceStep is the number of packets released together: timers are not finer than that, and a half-duplex radio that
	// receives more at once cannot send meanwhile.
	paceStep = 8
	// paceAtOnce is how many packets of a picture leave at once where the path is known; further ones follow in steps.
	paceAtOnce = 10
	// paceWithin is the time within which a picture leaves, however slow the path is: one and a half at 30 per second.
	paceWithin = 50 * time.Millisecond
	// fullPatience is how often a full path is looked at when nobody reports.
	fullPatience = 20 * time.Millisecond
)

// pace spreads out the packets of large pictures and of replayed groups, and holds them back while the path is full.
type pace struct {
	limit  *rate.Limiter // of packets
	spread *rate.Limiter // of bytes, where the path is known
	least  rate.Limit    // bytes per second that the current picture needs
	path   Room
	stop   <-chan struct{}
}

func newPace(path Room, stop <-chan struct{}) *pace {
	return &pace{
		limit: rate.NewLimiter(paceRate, paceBurst), spread: rate.NewLimiter(0, paceAtOnce*(mtu+packetOverhead)),
		path: path, stop: stop,
	}
}

// begin takes note that a picture of so many bytes is to be sent. A nil pace does not limit anything.
func (p *pace) begin(bytes int) {
	if p != nil {
		p.least = rate.Limit(float64(bytes) / paceWithin.Seconds())
	}
}

// wait returns when n more packets, with so many bytes, may be sent, and false if it was stopped.
func (p *pace) wait(n, bytes int) bool {
	if p == nil {
		return true
	}
	if !p.room() {
		return false
	}
	now := time.Now()
	delay := p.limit.ReserveN(now, n).Delay()
	if bps := p.path.Burst(); bps > 0 {
		p.spread.SetLimitAt(now, max(rate.Limit(bps/8), p.least))
		delay = max(delay, p.spread.ReserveN(now, min(bytes, p.spread.Burst())).Delay())
	}
	return delay == 0 || p.sleep(delay, nil)
}

// room waits while the path is full: what is held back here is not lost in the queue of a router. It reports false if
// it was stopped.
func (p *pace) room() bool {
	if !p.path.Full() {
		return true
	}
	for {
		changed := p.path.Changed()
		if !p.path.Full() {
			return true
		}
		if !p.sleep(fullPatience, changed) {
			return false
		}
	}
}

// sleep waits for so long, or until the channel is closed. It reports false if it was stopped.
func (p *pace) sleep(d time.Duration, until <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-until:
	case <-p.stop:
		return false
	}
	return true
}
