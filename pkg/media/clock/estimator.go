package clock

import (
	"time"
)

// What a capture time was taken from.
const (
	RTCP    = "rtcp"    // the camera's wall clock, which has proved itself
	Arrival = "arrival" // the time of arrival, smoothed by the camera's stamps
)

const (
	maxStep  = 20 * time.Millisecond // a capture time moves by at most this from one picture to the next …
	slew     = 10                    // … and by a tenth of the time between them
	maxSlew  = 3 * time.Second       // a difference beyond this is not worth being smooth about
	maxSkew  = time.Second           // sound and pictures that differ by more are not of the same clock
	lateness = 250 * time.Millisecond
	unproven = 20 * time.Second // so long a delay may be a wrong rate that was not recognized yet
)

// Sample is a picture or a block of sound, as far as clocks are concerned.
type Sample struct {
	// Time is its time on the sender's clock, counted from an arbitrary start and unwrapped. It may jump.
	Time    time.Duration
	Arrival time.Time // when its first byte came
	Restart bool      // the sender began a new timeline before it
	Untimed bool      // Time means nothing
}

// Report is what a sender says of its clock (an RTCP sender report). Cameras often lie.
type Report struct {
	Sound   bool          // it is about the sound, else about the pictures
	Time    time.Duration // a time of the media …
	NTP     time.Time     // … and the same moment on the sender's wall clock
	Arrival time.Time
}

// Stamp says when something was captured.
type Stamp struct {
	Time  time.Time
	Clock string // RTCP or Arrival
}

// Estimator follows the clock of one camera for as long as a connection lasts. Make one with [New].
type Estimator struct {
	latency         time.Duration
	start           time.Time
	pictures, sound track
}

// New returns an Estimator. latency is how long even the fastest picture needs from the scene to its arrival, 0 if
// unknown.
func New(latency time.Duration) *Estimator { return &Estimator{latency: max(latency, 0)} }

// Picture returns when p was captured.
func (e *Estimator) Picture(p Sample) Stamp {
	return e.stamp(&e.pictures, p.Time, p.Arrival, p.Restart, p.Untimed)
}

// Sound returns when the block s was recorded.
func (e *Estimator) Sound(s Sample) Stamp {
	return e.stamp(&e.sound, s.Time, s.Arrival, s.Restart, s.Untimed)
}

// Report takes note of what the camera says of its clock.
func (e *Estimator) Report(r Report) {
	k := &e.pictures
	if r.Sound {
		k = &e.sound
	}
	k.reports.add(r, e.since(r.Arrival))
	if _, ok := k.reports.wall(); ok {
		k.rate.prove()
	}
}

// Delay returns how much later than the earliest ones the pictures of the last second have come: what they wait for
// at the camera and on the way. It is 0 while the camera's stamps are useless.
func (e *Estimator) Delay() time.Duration { return e.pictures.delay() }

// Late says that all pictures of the last 8 s came more than 250 ms later than pictures can: something between the
// lens and here is full, and only a new connection empties it.
func (e *Estimator) Late() bool { return e.pictures.late() }

// Rate returns how fast the stamps of the pictures run: 1 if right, 0.84 if the camera stamps 25 pictures a second
// and sends 21. wrong says that the stamps are not used for that reason.
func (e *Estimator) Rate() (rate float64, wrong bool) {
	return e.pictures.rate.value(), e.pictures.rate.wrong
}

func (e *Estimator) since(t time.Time) time.Duration {
	if e.start.IsZero() {
		e.start = t
	}
	return t.Sub(e.start)
}

func (e *Estimator) stamp(k *track, t time.Duration, arrival time.Time, restart, untimed bool) Stamp {
	a := e.since(arrival)
	step := k.step(a)
	v := useless
	if !untimed {
		v = k.observe(t, a, restart)
	}
	switch v {
	case useless:
		k.adrift, k.age = true, max(k.age-step, 0)
		return Stamp{arrival.Add(-k.age), Arrival}
	case doubtful:
		return Stamp{arrival.Add(-k.age), Arrival}
	}
	target, clock := e.target(k)
	k.move(t, a, target, step)
	k.age = a - t - k.used
	if clock == RTCP && abs(target-k.used) > maxStep {
		clock = Arrival
	}
	return Stamp{arrival.Add(-k.age), clock}
}

// target returns the offset from stamps to capture times that k should use.
func (e *Estimator) target(k *track) (time.Duration, string) {
	ahead, tied := e.skew()
	if k == &e.sound && tied {
		_, clock := e.target(&e.pictures)
		return e.pictures.used + ahead, clock
	}
	earliest := k.est
	if tied {
		earliest = min(earliest, e.sound.est-ahead)
	}
	if wall, ok := k.reports.wall(); ok && wall <= earliest+maxStep {
		return wall, RTCP
	}
	return earliest - e.latency, Arrival
}

// skew returns how much larger the offset of sound is than the offset of pictures, if the reports of both tell.
func (e *Estimator) skew() (time.Duration, bool) {
	p, s := &e.pictures, &e.sound
	if !p.usable() || !s.usable() || !p.reports.agree(2) || !s.reports.agree(2) {
		return 0, false
	}
	ahead := s.reports.last().zero.Sub(p.reports.last().zero)
	return ahead, abs(s.est-p.est-ahead) <= maxSkew
}

func abs(d time.Duration) time.Duration { return max(d, -d) }
