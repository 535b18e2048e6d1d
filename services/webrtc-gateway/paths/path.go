package paths

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/paths/congestion"
)

// Path is the path to one peer.
type Path struct {
	mu      sync.Mutex
	ledger  ledger
	clock   arrivalClock
	control *congestion.Controller
	coarse  *congestion.Coarse // of peers that do not report arrivals
	trip    trip
	losses  losses
	sent    meter // all packets
	again   meter // those that were sent again under their numbers
	limit   limit // what the peer estimates
	heard   time.Time
	arrived []congestion.Packet // of the report that is being read
	told    told
	changed chan struct{}
}

// told is what has been told of a path.
type told struct {
	full      bool
	available int64
}

// New returns a path of which nothing is known yet.
func New() *Path {
	return &Path{control: congestion.New(), coarse: congestion.NewCoarse(), changed: make(chan struct{})}
}

// Changed returns a channel that is closed when something has changed: what the path carries, or whether it is full. A
// path that is no longer full because reports stopped coming does not close it; only [Path.Full] tells.
func (p *Path) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// Number takes note of a packet of so many bytes that is sent now, and returns its transport-wide sequence number.
func (p *Path) Number(bytes int, now time.Time) uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.add(bytes, now)
	before := p.ledger.inFlight
	number := p.ledger.depart(bytes, now)
	p.control.Sent(bytes, before, now, now.Sub(p.ledger.began))
	if p.control.Full(p.ledger.inFlight) != p.told.full {
		p.look(now)
	}
	return number
}

// Again takes note that the packet with a number is sent again, with the same number.
func (p *Path) Again(number uint16, bytes int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent.add(bytes, now)
	p.again.add(bytes, now)
	p.ledger.repeat(number)
}

// Became tells whether the packet with a number has arrived, and whether that is settled: it was reported lost, or is
// no longer in the ledger.
func (p *Path) Became(number uint16) (came, settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, _ := p.ledger.find(number)
	if d == nil {
		return false, true
	}
	return d.fate == arrived, d.fate != pending
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
			p.heard = now
			p.limit.set(r.Bitrate, now)
		case *rtcp.ReceiverReport:
			p.reception(r.Reports, now)
		case *rtcp.SenderReport:
			p.reception(r.Reports, now)
		}
	}
	p.look(now)
}

// feedback reads a report of arrivals. The caller holds p.mu.
func (p *Path) feedback(f *rtcp.TransportLayerCC, now time.Time) {
	r := congestion.Report{Arrived: p.arrived[:0]}
	p.ledger.passed(f.BaseSequenceNumber)
	settled := 0
	readFeedback(f, p.clock.unwrap(f.ReferenceTime), func(a arrival) bool {
		became := lost
		if a.came {
			became = arrived
		}
		d, before := p.ledger.settle(a.number, became)
		if d == nil {
			return true
		}
		settled++
		p.losses.count(before, became, now)
		switch {
		case !a.came:
			r.Lost++
			return true
		case before == lost:
			r.Found++
		}
		if a.timed {
			r.Arrived = append(r.Arrived, congestion.Packet{
				Departed: now.Sub(p.ledger.began) - p.ledger.ago(d, now), Arrived: a.at, Bytes: int(d.bytes),
				Late: before == lost || d.again,
			})
		}
		return true
	})
	if settled == 0 {
		return
	}
	p.heard = now
	for _, a := range r.Arrived {
		if !a.Late {
			p.trip.atMost(now.Sub(p.ledger.began)-a.Departed, now)
		}
	}
	p.control.Report(r, now, now.Sub(p.ledger.began))
	if p.arrived = r.Arrived; cap(p.arrived) > keepArrived {
		p.arrived = nil
	}
}

// keepArrived is how many packets of a report memory is kept for.
const keepArrived = 128

// reception reads the blocks of receiver reports. The caller holds p.mu.
func (p *Path) reception(blocks []rtcp.ReceptionReport, now time.Time) {
	for _, b := range blocks {
		p.heard = now
		d, ok := roundTrip(b, now)
		if ok {
			p.trip.measured(d, now)
		} else {
			d = 0
		}
		if !p.clock.began {
			p.losses.share(b.FractionLost, now)
			p.coarse.Report(float64(b.FractionLost)/256, d, float64(p.sent.rate(now)), now)
		}
	}
}

// RoundTrip is the round trip of the path; 0 if it is not known yet.
func (p *Path) RoundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trip.value
}

// Available is the bit rate that the path is estimated to carry of media, in bit/s; 0 if there is no reason to limit
// it.
func (p *Path) Available() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.available(time.Now())
}

// forMedia is the share of a path's rate that media may use: encoders exceed their rate for a while.
const forMedia = 0.9

// available is [Path.Available]. The caller holds p.mu.
func (p *Path) available(now time.Time) int64 {
	if !p.clock.began {
		return least(p.limit.value(now), p.coarse.Rate())
	}
	rate := p.control.Rate()
	if rate == 0 {
		return 0
	}
	return max(int64(forMedia*float64(rate))-p.again.rate(now), rate/4)
}

// least is the lower of two limits, of which 0 is none.
func least(a, b int64) int64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

// Queue is how long packets wait in queues on the path; 0 if that is not known.
func (p *Path) Queue() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control.Queue()
}

// Full reports whether more is on its way than the path takes: no new frame should be sent now.
func (p *Path) Full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full(time.Now())
}

// full is [Path.Full]. The caller holds p.mu.
func (p *Path) full(now time.Time) bool {
	if p.control.Gone(p.ledger.inFlight, now) {
		p.ledger.writeOff()
	}
	return p.control.Full(p.ledger.inFlight)
}

// Burst is how fast the packets of a large picture may follow each other, in bit/s; 0: nothing is known against sending
// them at once.
func (p *Path) Burst() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control.Burst()
}

// Heard is when the peer reported last; zero if it never has.
func (p *Path) Heard() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

// Want tells what the path would have to carry for everything that could be sent, in bit/s, so that it is worth finding
// out whether it does; 0: no more than is sent now.
func (p *Path) Want(bps int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.control.Want(bps)
}

// look tells those who wait what has changed. The caller holds p.mu.
func (p *Path) look(now time.Time) {
	seen := told{p.full(now), p.available(now)}
	if seen == p.told {
		return
	}
	p.told = seen
	close(p.changed)
	p.changed = make(chan struct{})
}

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
		RoundTrip: p.trip.value, Available: p.available(now), Queue: p.control.Queue(), Full: p.full(now),
		Sent: p.sent.rate(now), Loss: p.losses.value(now), Numbered: p.clock.began,
	}
}
