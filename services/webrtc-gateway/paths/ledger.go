package paths

import "time"

// ledgerSize is how many departures are kept. It must be a power of two.
const ledgerSize = 2048

// fate is what became of a packet.
type fate uint8

const (
	pending fate = iota // not yet reported
	lost                // reported missing; it may still come
	arrived
)

// departure is a packet that was sent.
type departure struct {
	at    uint32 // µs since the ledger began, wrapping after 71 minutes
	bytes uint16
	fate  fate
	again bool // it was sent more than once, so nobody knows which of them has arrived
}

// ledger keeps the departures of numbered packets until the far end reports them.
type ledger struct {
	ring     *[ledgerSize]departure // made with the first packet
	began    time.Time
	next     int64 // number of the next packet, not wrapped
	gone     int64 // number of the first packet that does not count as gone
	inFlight int64 // bytes of pending packets, from there on
}

// depart takes note of a packet and returns its number.
func (l *ledger) depart(bytes int, now time.Time) uint16 {
	if l.ring == nil {
		l.ring, l.began = new([ledgerSize]departure), now
	}
	d := &l.ring[l.next%ledgerSize]
	if old := l.next - ledgerSize; old >= l.gone && d.fate == pending {
		l.inFlight -= int64(d.bytes)
	}
	*d = departure{at: l.clock(now), bytes: uint16(min(max(bytes, 0), 1<<16-1))}
	l.inFlight += int64(d.bytes)
	l.next++
	return uint16(l.next - 1)
}

// writeOff lets all pending packets count as gone.
func (l *ledger) writeOff() { l.gone, l.inFlight = l.next, 0 }

// passed takes note that a report begins with a number: what is pending before it was in a report that was lost, and
// counts as gone.
func (l *ledger) passed(number uint16) {
	d, at := l.find(number)
	if d == nil {
		return
	}
	for l.gone = max(l.gone, l.next-ledgerSize); l.gone < at; l.gone++ {
		if p := &l.ring[l.gone%ledgerSize]; p.fate == pending {
			l.inFlight -= int64(p.bytes)
		}
	}
}

// clock returns the time of the ledger's own clock.
func (l *ledger) clock(now time.Time) uint32 { return uint32(now.Sub(l.began).Microseconds()) }

// ago returns how long ago a packet departed.
func (l *ledger) ago(d *departure, now time.Time) time.Duration {
	return time.Duration(l.clock(now)-d.at) * time.Microsecond
}

// find returns the latest packet with a number and its number, not wrapped; nil if it is not in the ledger.
func (l *ledger) find(number uint16) (d *departure, at int64) {
	if l.ring == nil {
		return nil, 0
	}
	back := int64(uint16(l.next-1) - number) // 0 is the packet sent last
	at = l.next - 1 - back
	if back >= ledgerSize || at < 0 {
		return nil, 0
	}
	return &l.ring[at%ledgerSize], at
}

// repeat takes note that a packet was sent again, with the same number.
func (l *ledger) repeat(number uint16) {
	if d, _ := l.find(number); d != nil {
		d.again = true
	}
}

// settle records what was reported about a packet. It returns nil if nothing is new.
func (l *ledger) settle(number uint16, became fate) (d *departure, before fate) {
	d, at := l.find(number)
	if d == nil || d.fate >= became {
		return nil, 0
	}
	before = d.fate
	if before == pending && at >= l.gone {
		l.inFlight -= int64(d.bytes)
	}
	d.fate = became
	return d, before
}
