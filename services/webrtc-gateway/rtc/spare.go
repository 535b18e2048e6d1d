package rtc

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// spareShare is the part of what a path carries that may be used for what can be left out.
	spareShare = 0.1
	// spareBurst is how many bytes of it may go out at once.
	spareBurst = 8 << 10
)

// spare limits what can be left out, on all channels of a connection together. It must not take a bad path from the
// picture and from commands.
type spare struct{ limit *rate.Limiter }

func newSpare() spare { return spare{rate.NewLimiter(rate.Inf, spareBurst)} }

// take reports whether so many bytes may be sent now over a path that carries so much, in bit/s; 0: it is not known to
// limit anything.
func (s spare) take(bytes int, available int64) bool {
	limit := rate.Inf
	if available > 0 {
		limit = rate.Limit(spareShare * float64(available) / 8)
	}
	if s.limit.Limit() != limit {
		s.limit.SetLimit(limit)
	}
	return s.limit.AllowN(time.Now(), min(bytes, spareBurst))
}
