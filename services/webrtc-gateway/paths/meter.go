package paths

import "time"

const (
	bucket  = 100 * time.Millisecond
	buckets = 10
)

// meter measures a bit rate over the last second.
type meter struct {
	bytes [buckets]int64
	last  int64 // bucket of the last packet, counted from the zero time
}

// turn empties the buckets that are over. Time does not go back.
func (m *meter) turn(now time.Time) {
	at := max(now.UnixNano()/int64(bucket), m.last)
	for range min(at-m.last, buckets) {
		m.last++
		m.bytes[m.last%buckets] = 0
	}
	m.last = at
}

func (m *meter) add(bytes int, now time.Time) {
	m.turn(now)
	m.bytes[m.last%buckets] += int64(bytes)
}

// rate returns the bit rate of the last second.
func (m *meter) rate(now time.Time) (bps int64) {
	m.turn(now)
	for _, b := range m.bytes {
		bps += 8 * b
	}
	return bps
}
