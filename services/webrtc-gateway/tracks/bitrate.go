package tracks

import (
	"sync/atomic"
	"time"
)

// rateWindow is over what time a bit rate is measured.
const rateWindow = time.Second

// bitRate measures the bit rate of a stream. Frames are added by one goroutine.
type bitRate struct {
	last  atomic.Int64 // in bit/s; 0 before the first window has passed
	bytes int
	began time.Time
}

func (r *bitRate) add(bytes int, now time.Time) {
	if passed := now.Sub(r.began); passed >= rateWindow {
		if !r.began.IsZero() {
			r.last.Store(int64(float64(8*r.bytes) / passed.Seconds()))
		}
		r.bytes, r.began = 0, now
	}
	r.bytes += bytes
}
