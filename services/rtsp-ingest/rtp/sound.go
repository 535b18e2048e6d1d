package rtp

import (
	"time"

	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// blocks is sound of which each packet is a block: G.711, L16, Opus, G.726.
type blocks struct {
	track feed.Track
	lost  int // packets since the last block
}

func (b *blocks) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	b.lost = countLost(b.lost, n)
	if len(p.Payload) == 0 {
		return
	}
	if to.Sound != nil {
		to.Sound(feed.Sound{Track: b.track, Data: p.Payload, Time: m.media, Arrival: m.arrival, Lost: b.lost})
	}
	b.lost = 0
}

func (*blocks) deadline() time.Time             { return time.Time{} }
func (*blocks) expire(time.Time, feed.Receiver) {}

// countLost adds up the packets lost. How many a restart lost is not known.
func countLost(lost int, n order.News) int {
	if n.Restart {
		return 0
	}
	return lost + n.Lost
}
