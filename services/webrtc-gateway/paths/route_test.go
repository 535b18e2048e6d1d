package paths

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// TestLongerRoute: the path becomes longer for good, as when a phone changes networks. That is no queue.
func TestLongerRoute(t *testing.T) {
	for _, tt := range []struct{ before, after time.Duration }{
		{5 * time.Millisecond, 280 * time.Millisecond},
		{5 * time.Millisecond, 60 * time.Millisecond},
		{280 * time.Millisecond, 5 * time.Millisecond},
	} {
		for seed := range uint64(3) {
			synctest.Test(t, func(t *testing.T) {
				shape := linktest.Shape{Delay: tt.before, Jitter: 2 * time.Millisecond}
				to, from := link(t, shape, seed)
				v := newViewer(to, from, 2e6, seed)
				time.AfterFunc(10*time.Second, func() {
					shape.Delay = tt.after
					if to.Restart(shape) != nil || from.Restart(shape) != nil {
						panic("the shape is valid")
					}
				})
				v.run(45 * time.Second)
				v.close()
				if got := len(v.between(17*time.Second, 22*time.Second)); got < 100 {
					t.Errorf("%v to %v, seed %d: %d pictures in 5 s, 7 s after the change", tt.before, tt.after, seed, got)
				}
				if got := mean(v.rates[400:]); got != 0 && got < 1.4e6 {
					t.Errorf("%v to %v, seed %d: half a minute after it %.0f bit/s are available", tt.before, tt.after, seed, got)
				}
				if t.Failed() {
					t.Log(v.table())
				}
			})
		}
	}
}
