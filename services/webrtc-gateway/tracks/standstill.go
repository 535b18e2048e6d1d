package tracks

import (
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

const (
	// standsStill is how long nothing must have been sent of a replay before it counts as standing still: browsers report
	// what they have received every 0.5 to 1.5 s. For a peer that has yet to report anything it is atFirst, and twice as
	// long each time.
	standsStill = 2 * time.Second
	atFirst     = 500 * time.Millisecond
	// mostRepeats is how often a picture is repeated for a peer that does not report it.
	mostRepeats = 10
)

// received is what a peer has said of the packets that it has. It is safe for concurrent use.
type received struct{ newest atomic.Int64 } // sequence number of the newest packet, plus 1; 0: it has said nothing

func (r *received) report(ssrc uint32, blocks []rtcp.ReceptionReport) {
	for _, b := range blocks {
		if b.SSRC == ssrc {
			r.newest.Store(int64(uint16(b.LastSequenceNumber)) + 1)
		}
	}
}

// all reports whether the peer has the packet with a sequence number, or a later one.
func (r *received) all(seq uint16) bool {
	newest := r.newest.Load()
	return newest > 0 && int16(uint16(newest-1)-seq) >= 0
}

// standstill finds out when a peer lacks the picture at which a replay stands still. A browser that got no packet of a
// stream, because it was not ready for them, asks for nothing, and no other picture comes. It belongs to one goroutine,
// which stops the timer.
type standstill struct {
	timer   *time.Timer
	due     time.Time // when to look; zero: not
	repeats int
}

func newStandstill() *standstill {
	s := &standstill{timer: time.NewTimer(standsStill)}
	s.timer.Stop()
	return s
}

// sent takes note that a binding has sent a picture, of a replay or not, and for the first time or not.
func (s *standstill) sent(b *binding, replay, first bool) {
	if first {
		s.repeats = 0
	}
	if s.due = (time.Time{}); !replay {
		return
	}
	patience := standsStill
	if b.received.newest.Load() == 0 {
		patience = min(atFirst<<s.repeats, standsStill)
	}
	s.due = time.Now().Add(patience)
	s.timer.Reset(patience)
}

// lacks reports whether the peer of a binding lacks the last picture after so long.
func (s *standstill) lacks(b *binding, now time.Time) bool {
	if s.due.IsZero() || now.Before(s.due) {
		return false
	}
	s.due = time.Time{}
	if s.repeats == mostRepeats || b.received.all(b.seq-1) {
		return false
	}
	s.repeats++
	return true
}
