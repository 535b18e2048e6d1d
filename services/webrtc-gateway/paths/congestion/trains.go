package congestion

import (
	"cmp"
	"slices"
	"time"
)

const (
	trainGap   = 2 * time.Millisecond // at most between the departures of a train's packets
	trainSpan  = 2 * time.Second      // for how long a train counts
	trainsLast = 30 * time.Second     // for how long where only the pace of a picture depends on it
	trainLeast = 500 * time.Microsecond
	trainCount = 48
	trainsFew  = 6
)

// train is a burst of packets, seen at both ends.
type train struct {
	at  time.Time
	bps float64
}

// trains knows how fast the packets of bursts arrived.
type trains struct {
	ring   [trainCount]train
	next   int
	sorted []uint8 // places in the ring, the slowest train first
	// What rate returned for each span after the last report.
	lately, longer float64

	// The train that is being read.
	departed, first, last time.Duration
	bytes                 int // of all but the first packet
	open                  bool
}

const (
	burstFactor = 2.5 // times the rate, for the packets of one picture
	// Above this bit rate it makes no difference: arrivals are reported in steps of 0.25 ms.
	burstMost = 80e6
)

// Burst is how fast the packets of a large picture may follow each other, in bit/s; 0: nothing is known against sending
// them at once.
func (c *Controller) Burst() int64 {
	if c.heard.IsZero() {
		return 0
	}
	trains := c.trains.lately
	if c.queue <= queueLossy {
		trains = c.trains.longer
	}
	bps := max(burstFactor*max(c.rate, c.came.over(time.Second)), ofTrain*trains)
	if bps > burstMost || c.rate == 0 && trains == 0 {
		return 0
	}
	return int64(bps)
}

// add takes note of a packet. Packets are given in the order in which they left.
func (t *trains) add(p Packet, now time.Time) {
	if !t.open || p.Departed-t.departed > trainGap || p.Departed < t.departed || p.Arrived < t.last {
		t.end(now)
		t.open, t.first, t.bytes = true, p.Arrived, 0
	} else {
		t.bytes += p.Bytes
	}
	t.departed, t.last = p.Departed, p.Arrived
}

// end completes the train that is being read.
func (t *trains) end(now time.Time) {
	if t.open && t.bytes > 0 {
		took := max(t.last-t.first, trainLeast)
		t.keep(train{now, float64(8*t.bytes) / took.Seconds()})
	}
	t.open = false
}

// keep puts a train in the place of the oldest.
func (t *trains) keep(one train) {
	place := uint8(t.next % trainCount)
	if t.next >= trainCount {
		at := slices.Index(t.sorted, place)
		t.sorted = slices.Delete(t.sorted, at, at+1)
	}
	t.ring[place] = one
	t.next++
	at, _ := slices.BinarySearchFunc(t.sorted, one.bps, func(p uint8, bps float64) int {
		return cmp.Compare(t.ring[p].bps, bps)
	})
	t.sorted = slices.Insert(t.sorted, at, place)
}

// settle is called after each report.
func (t *trains) settle(now time.Time) {
	t.end(now)
	t.lately, t.longer = t.rate(now, trainSpan), t.rate(now, trainsLast)
}

// rate returns the bit rate that three quarters of the trains of a span reached; 0 if there were too few.
func (t *trains) rate(now time.Time, span time.Duration) (bps float64) {
	var rates [trainCount]float64
	n := 0
	for _, place := range t.sorted {
		if one := &t.ring[place]; now.Sub(one.at) < span {
			rates[n] = one.bps
			n++
		}
	}
	if n < trainsFew {
		return 0
	}
	return rates[n/4]
}
