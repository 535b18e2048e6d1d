package paths

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// TestKindsOfPaths: what is no queue of our own does not slow a viewer down much, and a queue of our own stays short.
func TestKindsOfPaths(t *testing.T) {
	const ms = time.Millisecond
	three := linktest.Constant(3e6)
	lossy := func(share float64, delay time.Duration) linktest.Profile {
		s := linktest.Shape{Rate: three, Delay: delay, Jitter: 5 * ms, Loss: linktest.Loss{Share: share}}
		return linktest.Profile{FromRobot: s, ToRobot: linktest.Shape{Delay: delay, Loss: s.Loss}}
	}
	one := func(s linktest.Shape) linktest.Profile {
		s.Delay = 20 * ms
		return linktest.Profile{FromRobot: s, ToRobot: linktest.Shape{Delay: 20 * ms}}
	}
	for _, tt := range []struct {
		name  string
		p     linktest.Profile
		most  float64       // bit/s of the encoder
		share float64       // of that, or of what the link carries, in the second half
		wait  time.Duration // p95 beyond the delay of the path
	}{
		{"clean", linktest.Clean(), 2e6, .95, 10 * ms},
		{"office Wi-Fi", linktest.OfficeWiFi(), 2e6, .95, 60 * ms},
		{"4G", linktest.FourG(), 2e6, .95, 40 * ms},
		{"satellite", linktest.Satellite(), 2e6, .9, 60 * ms},
		{"cell's edge", linktest.CellEdge(), 2e6, .55, 170 * ms},
		// A tenth of its pictures is made in a tunnel of 2 s; half of these wait for more than 1 s whatever is done.
		{"subway", linktest.Subway(), 2e6, .25, 1300 * ms},
		{"1 % lost", lossy(.01, 50*ms), 2.5e6, .9, 80 * ms},
		{"3 % lost far away", lossy(.03, 150*ms), 2.5e6, .85, 80 * ms},
		{"5 % lost nearby", lossy(.05, 10*ms), 2.5e6, .85, 80 * ms},
		{"5 % lost far away", lossy(.05, 150*ms), 2.5e6, .8, 80 * ms},
		{"10 % lost", lossy(.1, 50*ms), 2.5e6, .5, 80 * ms},
		{"jitter", one(linktest.Shape{Rate: three, Jitter: 50 * ms}), 2.5e6, .9, 130 * ms},
		{"a slow link with a long queue", one(linktest.Shape{Rate: linktest.Constant(1e6), Queue: 256 << 10}), 2.5e6, .8,
			150 * ms},
		{"a policer", one(linktest.Shape{Rate: linktest.Constant(1e6), Police: true, Burst: 5000}), 2.5e6, .7, 10 * ms},
		{"a policer that lets bursts pass", one(linktest.Shape{Rate: linktest.Constant(1e6), Police: true, Burst: 20000}),
			2.5e6, .7, 10 * ms},
		{"an overloaded machine", one(linktest.Shape{Stalls: linktest.Stalls{Pause: 200 * ms, Min: 30 * ms, Max: 250 * ms}}),
			2e6, .5, 300 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				synctest.Test(t, func(t *testing.T) {
					const span = 60 // s
					to, from := linkOf(t, tt.p, seed)
					v := newViewer(to, from, tt.most, seed)
					v.run(span * time.Second)
					v.close()
					stats := to.Stats()
					var bits, capacity float64
					for _, s := range stats.Seconds[span/2 : span-1] {
						bits += 8 * float64(s.Arrived)
						capacity += min(tt.most, max(8*float64(s.Capacity), 0))
						if s.Capacity == 0 && len(tt.p.FromRobot.Rate) == 0 {
							capacity += tt.most
						}
					}
					if got := bits / capacity; got < tt.share {
						t.Errorf("seed %d: %.2f are used, want %.2f", seed, got, tt.share)
					}
					if got := v.quantile(.95) - tt.p.FromRobot.Delay; got > tt.wait {
						t.Errorf("seed %d: pictures wait for %v, want at most %v", seed, got, tt.wait)
					}
					if t.Failed() {
						t.Log(v.table())
					}
				})
			}
		})
	}
}
