package congestion

import (
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

const (
	lossPart  = 250 * time.Millisecond
	lossParts = 6
	lossFew   = 30 // packets, below which a share means nothing
	lostFew   = 10 // lost packets, likewise: radios lose several in a row

	excessive = 0.12 // share of losses that the rate answers
	margin    = 0.08 // beyond what the path loses at any rate
	inVain    = 0.6  // share of the losses before an answer that remain if it is in vain

	answers    = 2                      // in a row that must be in vain
	answerTime = 500 * time.Millisecond // until a rate shows in what is reported

	inherentMost = 0.3 // no path of use loses more by itself
	inherentFor  = 30 * time.Second
)

// losses knows the share of packets that were lost in the last 1.5 s.
type losses struct {
	parts [lossParts]lossCount
	last  int64 // see [recent.Turn]

	inherent float64   // share that the path loses at any rate
	since    time.Time // when that was found
	answered float64   // share that was answered last
	before   float64   // rate before that answer
	at       time.Time // of that answer
	judging  bool      // its effect is waited for
}

// lossCount counts packets in a part of time.
type lossCount struct{ packets, lost int }

// turn returns the current part.
func (l *losses) turn(now time.Time) *lossCount {
	return recent.Turn(l.parts[:], lossPart, &l.last, now)
}

func (l *losses) add(packets, lost int, now time.Time) {
	p := l.turn(now)
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

// lost returns how many packets were lost.
func (l *losses) lost() (lost int) {
	for _, p := range l.parts {
		lost += p.lost
	}
	return lost
}

// share returns the share of packets that were lost, 0 if there were too few to tell.
func (l *losses) share(now time.Time) float64 {
	l.turn(now)
	if n := l.count(); n >= lossFew {
		return max(0, float64(l.lost())/float64(n))
	}
	return 0
}

// excess reports whether more is lost than can be borne, and the last answer has had time to act.
func (l *losses) excess(now time.Time) bool {
	if now.Sub(l.since) > inherentFor {
		l.inherent = 0
	}
	return !l.judging && l.lost() >= lostFew && l.share(now) > max(excessive, l.inherent+margin)
}

// answer returns the rate that answers the losses: what is received, because of a policer's path that is all there is.
func (l *losses) answer(rate, received float64, now time.Time) float64 {
	l.answered, l.before, l.at, l.judging = l.share(now), rate, now, true
	return min(rate, toReceived*received)
}

// judge finds out what the last answer has changed, once only packets after it count. If that is little, the path loses
// that much at any rate, and the rate before was right: then it returns that.
func (l *losses) judge(now time.Time) (before float64, vain bool) {
	if !l.judging || now.Sub(l.at) < lossParts*lossPart+answerTime {
		return 0, false
	}
	l.judging = false
	s := l.share(now)
	if s < inVain*l.answered || s > inherentMost {
		return 0, false
	}
	l.inherent, l.since = max(s, l.answered), now
	return l.before, true
}
