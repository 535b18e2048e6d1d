package paths

import (
	"testing"
	"time"
	"unsafe"

	"github.com/pion/rtcp"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/paths/congestion"
)

// TestMemory: a viewer costs little.
func TestMemory(t *testing.T) {
	var p Path
	total := unsafe.Sizeof(p) + unsafe.Sizeof(*p.ledger.ring) + unsafe.Sizeof(congestion.Controller{}) +
		unsafe.Sizeof(congestion.Coarse{}) + keepArrived*unsafe.Sizeof(congestion.Packet{})
	if total > 32<<10 {
		t.Errorf("what is known of a path takes %d bytes", total)
	}
}

// BenchmarkPicture is what a picture of 7 packets costs: its numbers, its pace, and half a report.
func BenchmarkPicture(b *testing.B) {
	p, now := New(), start
	var base uint16
	var reference uint32
	deltas := make([]time.Duration, 14)
	for i := range deltas {
		deltas[i] = time.Millisecond
	}
	b.ReportAllocs()
	for i := range b.N {
		now = now.Add(33 * time.Millisecond)
		if p.Full() {
			b.Fatal("full")
		}
		for range 7 {
			p.Number(1200, now)
		}
		_ = p.Burst()
		if i%2 == 1 {
			b.StopTimer()
			r := []rtcp.Packet{report(base, reference, "rrrrrrrrrrrrrr", deltas...)}
			b.StartTimer()
			p.RTCP(r, now.Add(20*time.Millisecond))
			base, reference = base+14, reference+1
		}
	}
}
