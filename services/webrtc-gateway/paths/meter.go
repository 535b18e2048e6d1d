package paths

import (
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/recent"
)

const (
	bucket  = 100 * time.Millisecond
	buckets = 10
)

// meter measures a bit rate over the last second.
type meter struct {
	bytes [buckets]int64
	last  int64 // see [recent.Turn]
}

// turn returns the current bucket.
func (m *meter) turn(now time.Time) *int64 { return recent.Turn(m.bytes[:], bucket, &m.last, now) }

func (m *meter) add(bytes int, now time.Time) {
	*m.turn(now) += int64(bytes)
}

// rate returns the bit rate of the last second.
func (m *meter) rate(now time.Time) (bps int64) {
	m.turn(now)
	for _, b := range m.bytes {
		bps += 8 * b
	}
	return bps
}
