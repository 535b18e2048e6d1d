package clock

import (
	"slices"
	"time"
)

const (
	window    = 8 * time.Second        // the earliest of this time had nothing to wait for
	maxDrift  = 2000                   // an offset rises by at most a 2000th of the time that passes: 500 ppm
	atBest    = 20 * time.Millisecond  // so late is still called drift; beyond, it is a delay
	tooEarly  = 50 * time.Millisecond  // nothing comes so much earlier than the earliest …
	reordered = 250 * time.Millisecond // … but for the first second: a stream with B-frames begins with its latest
	settling  = time.Second
	jump      = time.Second      // stamps that step by so much have jumped
	confirm   = 3                // so many that agree make a new timeline …
	patience  = 4 * time.Second  // … if they come within this time …
	disagree  = 10               // … or so many in a row that agree with nothing
	repeats   = 3                // so many equal stamps in a row mean that the stamps say nothing
	learning  = time.Minute      // how long drift is averaged
	maxStamp  = 1 << 61          // 73 years; a stamp beyond is nonsense, and differences of two would overflow
	unchanged = time.Millisecond // what arrives closer together may have one stamp
)

// track follows one timeline of a camera. All times are since the start of the connection; an offset is an arrival
// less a stamp.
type track struct {
	begun        bool
	since        time.Duration // when the timeline began
	lastT, lastA time.Duration // the last that was accepted
	est          time.Duration // the offset of the earliest arrivals
	earliest     minimum       // the offsets of the last 8 s
	recent       minimum       // of the last second
	drift        drift
	rate         rate
	suspects     []point // those that contradict the timeline, and agree with each other
	doubts       int     // those that contradict it, in a row
	equal        int     // stamps in a row that did not change
	reports      reports

	used    time.Duration // the offset in use
	adrift  bool          // the last one was timed by its arrival: used says nothing
	age     time.Duration // of the last one
	stepped time.Duration // when step was asked for last
}

// step returns by how much a capture time may move between the last arrival and a.
func (k *track) step(a time.Duration) time.Duration {
	passed := max(a-k.stepped, 0)
	k.stepped = max(a, k.stepped)
	return min(passed/slew, maxStep)
}

// verdict says what a stamp is good for.
type verdict int

const (
	useless  verdict = iota // time it by its arrival
	doubtful                // time it by its arrival, as old as the one before
	good
)

// observe takes note of a stamp t that arrived at a.
func (k *track) observe(t, a time.Duration, restart bool) verdict {
	if t > maxStamp || t < -maxStamp {
		return useless
	}
	offset := a - t
	switch {
	case restart || !k.begun:
		k.begin(t, a, offset)
	case k.isEqual(t, a):
		return useless
	case k.jumped(t, a):
		return k.doubt(t, a, offset, true)
	case offset < k.est-k.tooEarly(a):
		k.rate.add(a, offset)
		k.lastT, k.lastA = t, a
		return k.doubt(t, a, offset, false)
	}
	k.doubts = 0
	return k.follow(t, a, offset)
}

// tooEarly returns how much earlier than the earliest nothing can come that arrives at a. The first picture of a stream
// with B-frames comes by the time of decoding, as all do, but is to be shown before the others: the next one has been
// captured some pictures later, and comes right after it.
func (k *track) tooEarly(a time.Duration) time.Duration {
	if a-k.since < settling {
		return reordered
	}
	return tooEarly
}

// begin starts a new timeline.
func (k *track) begin(t, a, offset time.Duration) {
	k.reports.forget()
	k.rate.forget()
	k.since, k.equal = a, 0
	k.rebase(t, a, offset)
}

// rebase makes offset the earliest, whatever came before.
func (k *track) rebase(t, a, offset time.Duration) {
	k.begun = true
	k.suspects, k.doubts = k.suspects[:0], 0
	k.earliest.forget()
	k.recent.forget()
	k.drift.pause()
	k.est, k.lastT, k.lastA = offset, t, a
}

// isEqual counts stamps that do not change. When they begin to, that is a new timeline.
func (k *track) isEqual(t, a time.Duration) bool {
	if t == k.lastT && a-k.lastA >= unchanged {
		k.equal++
		k.lastA = a
		return k.equal >= repeats
	}
	if k.equal >= repeats {
		k.begin(t, a, a-t)
	}
	k.equal = 0
	return false
}

func (k *track) jumped(t, a time.Duration) bool {
	forward := t - k.lastT
	return forward < -jump || forward-(a-k.lastA) > jump
}

// doubt takes note of a stamp that contradicts the timeline, and makes a new one if others agree with it.
func (k *track) doubt(t, a, offset time.Duration, jumped bool) verdict {
	agreed := tooEarly
	if jumped {
		agreed = jump
	}
	k.suspects = slices.DeleteFunc(k.suspects, func(p point) bool {
		return a-p.a > patience || abs(p.offset-offset) > agreed
	})
	k.suspects = append(k.suspects, point{a, offset})
	if k.doubts++; len(k.suspects) < confirm && k.doubts < disagree {
		return doubtful
	}
	for _, p := range k.suspects {
		offset = min(offset, p.offset)
	}
	if jumped {
		k.begin(t, a, offset)
	} else {
		k.rebase(t, a, offset)
	}
	return k.follow(t, a, a-t)
}

// follow brings the estimate up to date with an offset that was accepted.
func (k *track) follow(t, a, offset time.Duration) verdict {
	passed := max(a-k.lastA, 0)
	k.lastT, k.lastA = t, a
	k.recent.add(a, offset, time.Second)
	lowest := k.earliest.add(a, offset, window)
	if k.rate.add(a, offset) {
		k.est = lowest
	}
	switch late := lowest - k.est; {
	case late <= atBest:
		k.est += min(late, passed/maxDrift)
		k.drift.learn(a, k.est)
	default:
		k.est += k.drift.expect(passed)
		k.drift.pause()
	}
	if k.rate.wrong {
		return useless
	}
	return good
}

// move brings the offset in use nearer to target, by at most step, and never beyond the arrival.
func (k *track) move(t, a, target, step time.Duration) {
	if k.adrift {
		k.used, k.adrift = a-t-k.age, false
	}
	if missing := target - k.used; abs(missing) > maxSlew || k.since == a {
		k.used = target
	} else {
		k.used += min(max(missing, -step), step)
	}
	k.used = min(k.used, a-t)
}

// usable says whether the offset means anything.
func (k *track) usable() bool { return k.begun && !k.rate.wrong && k.equal < repeats }

func (k *track) delay() time.Duration {
	lowest, ok := k.recent.value()
	if !ok || !k.usable() {
		return 0
	}
	return max(lowest-k.est, 0)
}

func (k *track) late() bool {
	lowest, ok := k.earliest.value()
	if !ok || !k.usable() || !k.rate.proven && k.lastA-k.since < unproven {
		return false
	}
	return lowest-k.est > lateness
}
