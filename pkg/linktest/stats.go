package linktest

import (
	"math/bits"
	"slices"
	"time"
)

// Count is a number of packets, and their bytes with headers.
type Count struct{ Packets, Bytes int64 }

func (c *Count) add(size int) {
	c.Packets++
	c.Bytes += int64(size)
}

// Stats are what has happened on a line since its start. Every packet that was offered has arrived, is on the way, or
// is counted under the one reason for which it was dropped.
type Stats struct {
	Offered, Arrived Count
	Overflowed       Count // dropped, because the queue was full
	Policed          Count // dropped, because they exceeded the rate
	Lost             Count // dropped at random
	Cut              Count // dropped, because the line was cut
	Reordered        int   // overtaken by others
	Duplicated       int   // additional arrivals; they are in Arrived, too

	// Seconds are the seconds since the start, for an hour at most.
	Seconds []Second
	// Late is how much later packets arrived than the model wanted, because of the machine.
	Late Lateness

	shape  Shape
	losing bool // in the middle of a burst
}

// Second is what happened in one second.
type Second struct {
	Capacity int64         // bytes that could have passed; 0 if there is no limit
	Arrived  int64         // bytes
	Dropped  int           // packets that overflowed, or were policed
	Lost     int           // packets lost at random
	Waited   time.Duration // most that a packet waited, for its turn or the end of a stall
}

func (s *Second) wait(d time.Duration) { s.Waited = max(s.Waited, d) }

const longest = 3600 // seconds that are kept

// second is the entry of a moment.
func (s *Stats) second(at time.Duration) *Second {
	i := min(int(at/time.Second), longest-1)
	for len(s.Seconds) <= i {
		from := time.Duration(len(s.Seconds)) * time.Second
		var one Second
		if len(s.shape.Rate) > 0 {
			one.Capacity = int64(s.shape.capacity(from, from+time.Second) / 8)
		}
		s.Seconds = append(s.Seconds, one)
	}
	return &s.Seconds[i]
}

func (s *Stats) arrived(p packet, now time.Duration) {
	s.Arrived.add(p.size)
	s.second(p.due).Arrived += int64(p.size)
	s.Late.add(now - p.due)
}

func (s *Stats) clone() Stats {
	c := *s
	c.Seconds = slices.Clone(s.Seconds)
	return c
}

// Share is how much of the capacity was used in the seconds from one up to another, which is not included: 0 to 1; 0
// if there is no limit. Seconds that have not been reached count as unused.
func (s *Stats) Share(from, to int) float64 {
	var arrived, capacity float64
	for i := from; i < to; i++ {
		one := *s.second(time.Duration(i) * time.Second)
		arrived, capacity = arrived+float64(one.Arrived), capacity+float64(one.Capacity)
	}
	if capacity == 0 {
		return 0
	}
	return arrived / capacity
}

// Lateness is a distribution of delays.
type Lateness struct {
	buckets [40]int64 // by the number of bits of the microseconds
	n       int64
	// Max is the longest delay.
	Max time.Duration
}

func (l *Lateness) add(d time.Duration) {
	d = max(d, 0)
	l.buckets[min(bits.Len64(uint64(d/time.Microsecond)), len(l.buckets)-1)]++
	l.n++
	l.Max = max(l.Max, d)
}

// Quantile is a delay that the share q of all does not exceed: at most twice the smallest of them.
func (l *Lateness) Quantile(q float64) time.Duration {
	want := int64(q * float64(l.n))
	for i, n := range l.buckets {
		if want -= n; want <= 0 {
			return min(time.Duration(1<<i)*time.Microsecond, l.Max)
		}
	}
	return l.Max
}
