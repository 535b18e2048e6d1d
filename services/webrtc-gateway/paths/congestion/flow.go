package congestion

import "time"

const (
	flowPart  = 10 * time.Millisecond
	flowParts = 128 // a power of two
)

// flow measures bit rates over up to 1.2 s, by any clock.
type flow struct {
	bytes [flowParts]uint32
	last  int64 // current part
	began bool
	first int64
}

// add takes note of bytes at a time. What is older than the newest by more than is kept counts as the oldest.
func (f *flow) add(at time.Duration, bytes int) {
	part := int64(at / flowPart)
	if !f.began {
		f.began, f.first, f.last = true, part, part
	}
	if part-f.last > flowParts || f.last-part > 100*flowParts { // after a pause, or of another clock
		*f = flow{began: true, first: part, last: part}
	}
	for f.last < part {
		f.last++
		f.bytes[f.index(f.last)] = 0
	}
	part = max(part, f.last-flowParts+1)
	f.bytes[f.index(part)] += uint32(bytes)
}

// index is where a part is kept, also one before the zero of a clock: flowParts is a power of two.
func (f *flow) index(part int64) int64 { return part & (flowParts - 1) }

// over returns the bit rate of a span that ends with the newest bytes.
func (f *flow) over(span time.Duration) (bps float64) {
	parts := min(int64(span/flowPart), f.last-f.first+1, flowParts)
	if parts <= 0 {
		return 0
	}
	var bytes uint64
	for i := range parts {
		bytes += uint64(f.bytes[f.index(f.last-i)])
	}
	return float64(bytes) * 8 / (time.Duration(parts) * flowPart).Seconds()
}

// until returns the bit rate of a span that ends at a time, which may be after the newest bytes.
func (f *flow) until(at time.Duration, span time.Duration) (bps float64) {
	now := int64(at / flowPart)
	bytes := 0.0
	for part := now - int64(span/flowPart) + 1; part <= min(now, f.last); part++ {
		if f.began && part > f.last-flowParts {
			bytes += float64(f.bytes[f.index(part)])
		}
	}
	return bytes * 8 / span.Seconds()
}
