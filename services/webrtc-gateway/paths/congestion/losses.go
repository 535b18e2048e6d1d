package congestion

import "time"

const (
	lossPart  = 250 * time.Millisecond
	lossParts = 6
	lossFew   = 30 // packets, below which a share means nothing

	excessive = 0.12 // share of losses that the rate answers
	margin    = 0.08 // beyond what the path loses at any rate
)

// losses knows the share of packets that were lost in the last 1.5 s.
type losses struct {
	parts [lossParts]struct{ packets, lost int }
	last  int64

	inherent float64   // share that the path loses at any rate
	answered float64   // share that was answered last
	at       time.Time // when
	vain     int       // answers in a row that had no effect
}

func (l *losses) turn(now time.Time) {
	at := max(now.UnixNano()/int64(lossPart), l.last)
	for range min(at-l.last, lossParts) {
		l.last++
		l.parts[l.last%lossParts] = struct{ packets, lost int }{}
	}
	l.last = at
}

func (l *losses) add(packets, lost int, now time.Time) {
	l.turn(now)
	p := &l.parts[l.last%lossParts]
	p.packets, p.lost = p.packets+packets, p.lost+lost
	if s := l.share(now); l.count() >= 2*lossFew && s < l.inherent {
		l.inherent = s
	}
}

func (l *losses) count() (packets int) {
	for _, p := range l.parts {
		packets += p.packets
	}
	return packets
}

// share returns the share of packets that were lost, 0 if there were too few to tell.
func (l *losses) share(now time.Time) float64 {
	l.turn(now)
	lost := 0
	for _, p := range l.parts {
		lost += p.lost
	}
	if n := l.count(); n >= lossFew && lost > 0 {
		return float64(lost) / float64(n)
	}
	return 0
}

// excess reports whether more is lost than can be borne, and the last answer has had time to act.
func (l *losses) excess(now time.Time) bool {
	return l.share(now) > max(excessive, l.inherent+margin) && now.Sub(l.at) > lossParts*lossPart
}

// answer returns the rate that answers the losses. What two answers have not changed is the path's own.
func (l *losses) answer(rate float64, now time.Time) float64 {
	s := l.share(now)
	if now.Sub(l.at) < 3*lossParts*lossPart && s > 0.8*l.answered {
		l.vain++
	} else {
		l.vain = 0
	}
	l.answered, l.at = s, now
	if l.vain >= 2 {
		l.inherent, l.vain = s, 0
		return rate
	}
	return rate * (1 - s/2)
}
