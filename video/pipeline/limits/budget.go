package limits

import "time"

// maxAhead is how far a stream may be ahead of its limit when another picture begins: two or three pictures of 30 a
// second. That is what a picture that is larger than the mean one needs, and little enough to wait for.
const maxAhead = 80 * time.Millisecond

// Budget keeps a stream to a bit rate however large the pictures become that its encoder makes: after a large one the
// next ones are left out until the stream is hardly ahead any more. The zero value is not ahead. A Budget belongs to
// one goroutine.
type Budget struct {
	ahead float64 // bits
	last  time.Time
}

// Ready reports whether a picture may begin, of a stream that may have so many bit/s, 0 for any number.
func (b *Budget) Ready(limit int64, at time.Time) bool {
	const longest = time.Second // the clock was set
	passed := min(max(0, at.Sub(b.last)), longest)
	b.last = at
	if limit == 0 {
		b.ahead = 0
		return true
	}
	b.ahead = max(0, b.ahead-float64(limit)*passed.Seconds())
	return b.ahead <= float64(limit)*maxAhead.Seconds()
}

// Spend notes the bytes of a picture.
func (b *Budget) Spend(bytes int) { b.ahead += 8 * float64(bytes) }
