package repair

import (
	"math"
	"time"
)

const (
	// minWait is the least time between two copies of a packet, and unknownWait the time if the round trip is not known.
	minWait, unknownWait = 50 * time.Millisecond, 100 * time.Millisecond
	// maxCopies is how often a packet is sent again.
	maxCopies = 3
	// A packet that was first sent longer ago than minAge, or trips and a margin if that is more, is too old.
	minAge, maxAge, ageMargin = 250 * time.Millisecond, time.Second, 100 * time.Millisecond
	// reach is how many packets a patient viewer keeps behind one that is missing.
	reach = 512
	// share is how many bytes are sent for each byte that is sent again.
	share = 4
	// window is the time over which what was sent counts.
	window = time.Second
	// floorBytes can be sent again at once, and floorRate bytes a second, however low the rate of the stream.
	floorBytes, floorRate = 12_000, 5_000
	// Nothing is sent again while the queue is longer than fullQueue. A key frame is asked for below shortQueue.
	fullQueue, shortQueue = 150 * time.Millisecond, 100 * time.Millisecond
	// At most askBurst requests are looked at at once, and askRate a second.
	askBurst, askRate = 1000, 5000
)

// Link is what is known of the path to the viewer.
type Link struct {
	RoundTrip time.Duration // 0: unknown
	Queue     time.Duration // how long a packet waits on the path behind others; 0 if it is not known
}

// wait is how long a copy may take before another one is sent.
func (l Link) wait() time.Duration {
	if l.RoundTrip <= 0 {
		return unknownWait
	}
	return max(l.RoundTrip, minWait)
}

// age is how long ago a packet that can still be shown was sent for the first time.
func (l Link) age() time.Duration {
	return min(max(minAge, l.RoundTrip*3/2+ageMargin), maxAge)
}

// Packet is what a budget knows of a packet that was sent. It is kept beside the packet.
type Packet struct {
	sent   time.Duration // when it was first sent, since the budget began
	copied time.Duration // when it was last sent again
	copies uint8
}

// Budget is the budget of one viewer.
type Budget struct {
	patient bool
	began   time.Time

	newest   uint16 // sequence number sent last
	sinceKey int    // how many packets were sent from the last key frame on; negative before the first

	at     time.Duration // when the fields below were true
	recent float64       // bytes sent within the window, older ones counting less
	tokens float64       // bytes that may be sent again, negative after the last one
	asks   float64       // requests that may be looked at

	sent, repaired uint64 // packets, and those that were sent again

	broken bool // something was refused that is missing in the picture
}

// New returns the budget of a viewer that begins now. A patient viewer waits for what it misses instead of going on at
// a key frame.
func New(patient bool, now time.Time) *Budget {
	return &Budget{patient: patient, began: now, sinceKey: -1, tokens: floorBytes, asks: askBurst}
}

// Key tells that the next packet begins a key frame.
func (b *Budget) Key() {
	b.sinceKey, b.broken = 0, false
}

// Sent tells that a packet of so many bytes is sent for the first time. Sequence numbers grow.
func (b *Budget) Sent(seq uint16, bytes int, now time.Time) Packet {
	t := b.advance(now)
	b.recent += float64(bytes)
	b.earn(float64(bytes) / share)
	b.newest = seq
	b.sent++
	if b.sinceKey >= 0 {
		b.sinceKey++
	}
	return Packet{sent: t}
}

// advance brings the budget to a time, and returns it since the beginning.
func (b *Budget) advance(now time.Time) time.Duration {
	t := now.Sub(b.began)
	if t <= b.at {
		return b.at
	}
	passed := float64(t-b.at) / float64(window)
	b.at = t
	b.recent *= math.Exp(-passed)
	b.asks = min(askBurst, b.asks+askRate*passed)
	if b.tokens < floorBytes {
		b.tokens = min(floorBytes, b.tokens+max(0, floorRate-b.recent/share)*passed)
	}
	b.earn(0)
	return t
}

// earn adds bytes that may be sent again, as far as the window allows.
func (b *Budget) earn(bytes float64) {
	b.tokens = min(b.tokens+bytes, max(floorBytes, b.recent/share))
}

// Ask answers a request for a packet. A nil packet is one that is not kept, or was never sent. If the verdict is Send,
// the packet counts as sent again.
func (b *Budget) Ask(seq uint16, p *Packet, bytes int, l Link, now time.Time) Verdict {
	t := b.advance(now)
	if b.asks < 1 {
		return Flood
	}
	b.asks--
	v := b.judge(seq, p, l, t)
	switch v {
	case Send:
		b.tokens -= float64(bytes)
		if p.copies == 0 {
			b.repaired++
		}
		p.copies, p.copied = p.copies+1, t
	case Often, Late, Spent, Queued:
		b.broken = b.broken || !b.patient
	case Unknown, Recent, Superseded, Flood:
	}
	return v
}

func (b *Budget) judge(seq uint16, p *Packet, l Link, t time.Duration) Verdict {
	behind := int(b.newest - seq)
	if behind >= 1<<15 || p == nil && b.sinceKey < 0 {
		return Unknown
	}
	superseded := b.sinceKey >= 0 && behind >= b.sinceKey
	switch {
	case superseded && !b.patient:
		return Superseded
	case p == nil, b.patient && behind >= reach, !b.patient && t-p.sent > l.age():
		return Late
	case p.copies > 0 && t-p.copied < l.wait():
		return Recent
	case p.copies >= maxCopies:
		return Often
	case l.Queue > fullQueue:
		return Queued
	case b.tokens <= 0: // whatever its size, lest small packets are preferred
		return Spent
	}
	return Send
}

// NeedsKey reports whether a key frame is to be asked for, because a packet was refused that is missing in the picture.
func (b *Budget) NeedsKey(l Link) bool { return b.broken && l.Queue <= shortQueue }

// Totals returns how many packets were sent, and how many of them were sent again, however often.
func (b *Budget) Totals() (sent, repaired uint64) { return b.sent, b.repaired }
