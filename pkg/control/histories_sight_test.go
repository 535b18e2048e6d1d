package control

import (
	"math"
	"time"
)

// eyes are the truth about what there is to be seen, and how far the hardware moves meanwhile.
type eyes struct {
	sight    Sight
	pictures []picture
	next     time.Duration // when the next one is captured
	asleep   bool          // the camera captures nothing

	at     time.Duration // until when way is known
	way    float64       // in m
	speed  float64       // share of full speed: what was commanded last
	coast  time.Duration // since when it comes to a stop; negative: it does not
	behind *picture      // what the driver had seen of the command that was carried out last; nil if that was neutral

	slowed, blind uint64 // commands, over all histories
}

// picture is one that was captured.
type picture struct {
	at    time.Duration
	way   float64
	known bool // it was announced to the actuator
	life  int  // the run of the actuator then
}

const (
	unseen   = -1 // number of no picture
	lie      = -2 // of one that is to come
	interval = 33 * time.Millisecond
	// rounding is how far floating point may be off.
	rounding = 1e-9
)

// newEyes makes up what drivers have to see. In some histories that is nothing.
func (w *world) newEyes(old eyes) {
	w.eyes = eyes{pictures: old.pictures[:0], coast: -1, slowed: old.slowed, blind: old.blind, next: math.MaxInt64}
	if w.random.IntN(4) == 0 {
		return
	}
	w.next = 0
	s := &w.sight
	s.Stop = 100*time.Millisecond + time.Duration(w.random.IntN(900))*time.Millisecond
	s.Slow = min(50*time.Millisecond+time.Duration(w.random.Int64N(int64(s.Stop))), s.Stop-1)
	if w.random.IntN(3) > 0 {
		s.Reaction, s.Full = 0.05+w.random.Float64(), 0.1+3*w.random.Float64()
		s.Coast = time.Duration(w.random.IntN(2)*w.random.IntN(500)) * time.Millisecond
	}
}

// capture captures the picture that is due, if the camera is awake. Some announcements are lost.
func (w *world) capture() {
	w.now, w.next = max(w.now, w.next), w.next+interval
	if !w.asleep {
		w.move()
		w.pictures = append(w.pictures, picture{at: w.now, way: w.way, known: w.random.IntN(20) > 0, life: w.life})
	}
}

// watch has a driver be shown a picture: one of the newest on a good network, else any.
func (w *world) watch(d int) {
	if n := len(w.pictures); n > 0 {
		late := w.random.IntN(3)
		if w.random.Float64() > w.good {
			late = w.random.IntN(min(n, 60))
		}
		w.drivers[d].seen = max(0, n-1-late)
	}
}

// command makes up what a driver sends, which says mostly, but not always, what was seen.
func (w *world) command(s *sender) (c Command, seen int) {
	c = Command{
		Lease: s.lease, Sequence: s.sequence, Heard: s.heard, Neutral: w.random.IntN(4) == 0,
		Life: []time.Duration{0, MinLife, DefaultLife, MaxLife}[w.random.IntN(4)],
	}
	if w.sight.Stop == 0 {
		return c, unseen
	}
	c.Rigid = w.random.IntN(10) == 0
	c.Speed = []float64{0.01, 0.3, 1, w.random.Float64(), 3, math.NaN(), math.Inf(1), -1}[w.random.IntN(8)]
	switch w.random.IntN(20) {
	case 0:
		return c, unseen
	case 1:
		return c, lie
	case 2:
		return c, w.random.IntN(len(w.pictures)+1) - 1
	}
	return c, s.seen
}

// find is what the actuator finds out about a picture that a driver names, and nil for none.
func (w *world) find(number int) (Seen, *picture) {
	switch {
	case number == lie:
		return Seen{At: w.clock() + 1 + time.Duration(w.random.IntN(1000))*time.Millisecond, Known: true}, nil
	case number < 0:
		return Seen{At: w.clock()}, nil // a time that means nothing
	}
	p := &w.pictures[number]
	if !p.known || p.life != w.life {
		return Seen{}, nil // lost, or forgotten
	}
	return Seen{At: p.at - w.booted, Known: true}, p
}

// move has the hardware move on as commanded until now.
func (w *world) move() {
	dt := (w.now - w.at).Seconds()
	if w.coast >= 0 { // half the square is missing of what it would be at even speed
		from, to := w.share(w.at), w.share(w.now)
		dt = (to - to*to/2 - from + from*from/2) * w.sight.Coast.Seconds()
	}
	w.way += w.sight.Full * w.speed * dt
	w.at = w.now
}

// share is how much of coming to a stop is over.
func (w *world) share(t time.Duration) float64 {
	return min(1, float64(t-w.coast)/float64(w.sight.Coast))
}

// halt is what the hardware does when it is stopped. A restart stops it at once.
func (w *world) halt(atOnce bool) {
	w.move()
	switch {
	case atOnce || w.sight.Coast == 0:
		w.speed, w.coast = 0, -1
	case w.coast < 0:
		w.coast = w.now
	}
}

// obey checks a command that was accepted against what its driver had really seen, and has the hardware obey it.
func (w *world) obey(c Command, factor float64, p *picture) {
	w.move()
	speed := c.Speed
	switch {
	case c.Neutral:
		speed = 0
	case c.Rigid || !(c.Speed >= 0):
		speed = 1
	}
	if executed := speed * factor; factor > 0 && !math.IsNaN(executed) {
		speed = executed
	} else {
		speed = 0
	}
	w.speed, w.coast, w.behind = speed, -1, nil
	if !(factor >= 0 && factor <= 1) || factor < 1 && (c.Neutral || c.Rigid) {
		w.fail("slowed by %v: %+v", factor, c)
	}
	if w.sight.Stop == 0 || c.Neutral {
		return
	}
	if p == nil || w.now-p.at >= w.sight.Stop {
		w.fail("a command of a blind driver, who saw %+v", p)
		return
	}
	if factor < 1 {
		w.slowed++
	}
	if speed == 0 {
		return // what was moved before with newer pictures can be more than is allowed with this one
	}
	w.behind = p
	age := w.now - p.at
	allowed := min(1, float64(w.sight.Stop-age)/float64(w.sight.Stop-w.sight.Slow))
	if speed > allowed+rounding {
		w.fail("%v of full speed with a picture that is %v old; allowed are %v", speed, age, allowed)
	}
	left := min(DefaultDeadman, w.sight.Stop-age) + w.sight.Coast/2
	if far := w.way - p.way + w.sight.Full*speed*left.Seconds(); w.sight.Reaction > 0 && far > w.sight.Reaction+rounding {
		w.fail("it may move %v m before its driver can have seen it; %v m are allowed", far, w.sight.Reaction)
	}
}

// refused checks a command that was refused because its driver is blind.
func (w *world) refused(c Command, p *picture) {
	w.blind++
	switch {
	case c.Neutral:
		w.fail("standing still needs no eyes")
	case w.moving:
		w.fail("it moves although its driver is blind")
	case p != nil && w.now-p.at < w.sight.Stop && !c.Rigid:
		w.fail("refused with a picture that is %v old", w.now-p.at)
	}
}

// checkSight checks what must hold at all times.
func (w *world) checkSight() {
	w.move()
	if w.behind == nil {
		return
	}
	if age := w.now - w.behind.at; w.moving && age >= w.sight.Stop {
		w.fail("it moves, and the picture behind that is %v old", age)
	}
	if far := w.way - w.behind.way; w.sight.Reaction > 0 && far > w.sight.Reaction+rounding {
		w.fail("it has moved %v m since its driver's picture was captured; %v m are allowed", far, w.sight.Reaction)
	}
}
