package paths

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// Path is the path to one peer.
type Path struct {
	mu     sync.Mutex
	ledger ledger
	clock  arrivalClock
	trip   trip
	losses losses
	sent   meter // all packets
	limit  limit // what the peer estimates
}

// New returns a path of which nothing is known yet.
func New() *Path { return &Path{} }

// Number takes note of a packet of so many bytes that is sent now, and returns its transport-wide sequence number.
func (p *Path) Number(bytes int, now time.Time) uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.add(bytes, now)
	return p.ledger.depart(bytes, now)
}

// Again takes note that the packet with a number is sent again, with the same number.
func (p *Path) Again(number uint16, bytes int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.add(bytes, now)
	p.ledger.repeat(number)
}

// Sent takes note of a packet without a number.
func (p *Path) Sent(bytes int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.add(bytes, now)
}

// RTCP reads what the peer reports. Packets that say nothing about the path are ignored, and so is what contradicts
// itself. A packet may be given more than once.
func (p *Path) RTCP(packets []rtcp.Packet, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, packet := range packets {
		switch r := packet.(type) {
		case *rtcp.TransportLayerCC:
			p.feedback(r, now)
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			p.limit.set(r.Bitrate, now)
		case *rtcp.ReceiverReport:
			p.reception(r.Reports, now)
		case *rtcp.SenderReport:
			p.reception(r.Reports, now)
		}
	}
}

// feedback reads a report of arrivals. The caller holds p.mu.
func (p *Path) feedback(f *rtcp.TransportLayerCC, now time.Time) {
	var newest time.Duration // since the latest reported packet was sent
	reported := false
	readFeedback(f, p.clock.unwrap(f.ReferenceTime), func(a arrival) bool {
		became := lost
		if a.came {
			became = arrived
		}
		d, before := p.ledger.settle(a.number, became)
		if d == nil {
			return true
		}
		p.losses.count(before, became, now)
		if ago := p.ledger.ago(d, now); a.came && before == pending && !d.again && (!reported || ago < newest) {
			newest, reported = ago, true
		}
		return true
	})
	if reported {
		p.trip.atMost(newest, now)
	}
}

// reception reads the blocks of receiver reports. The caller holds p.mu.
func (p *Path) reception(blocks []rtcp.ReceptionReport, now time.Time) {
	for _, b := range blocks {
		if p.ledger.ring == nil {
			p.losses.share(b.FractionLost, now)
		}
		if d, ok := roundTrip(b, now); ok {
			p.trip.measured(d, now)
		}
	}
}

// RoundTrip is the round trip of the path; 0 if it is not known yet.
func (p *Path) RoundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trip.value
}

// Available is the bit rate that the path is estimated to carry of media, in bit/s; 0 if there is no reason to limit it.
func (p *Path) Available() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit.value(time.Now())
}

// Queue is how long packets wait in queues on the path; 0 if that is not known.
func (p *Path) Queue() time.Duration { return 0 }

// Full reports whether more is on its way than the path takes: no new frame should be sent now.
func (p *Path) Full() bool { return false }

// Snapshot is what is known of a path at one time.
type Snapshot struct {
	RoundTrip time.Duration // 0: unknown
	Available int64         // bit/s; 0: unknown, nothing limits it
	Queue     time.Duration // 0: unknown
	Full      bool
	Sent      int64   // bit/s on the wire in the last second, repetitions included
	Loss      float64 // share of packets lost in the last 5 s, 0 to 1
	Numbered  bool    // the peer reports each arrival
}

// Snapshot returns what is known now.
func (p *Path) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return Snapshot{
		RoundTrip: p.trip.value, Available: p.limit.value(now),
		Sent: p.sent.rate(now), Loss: p.losses.value(now), Numbered: p.clock.began,
	}
}
