package paths

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
)

// link starts the line to a viewer, and the one back.
func link(t *testing.T, s linktest.Shape, seed uint64) (to, from *linktest.Line) {
	t.Helper()
	return linkOf(t, linktest.Profile{FromRobot: s, ToRobot: linktest.Shape{Delay: s.Delay, Jitter: s.Jitter}}, seed)
}

func linkOf(t *testing.T, p linktest.Profile, seed uint64) (to, from *linktest.Line) {
	t.Helper()
	to, err := linktest.NewLine(p.FromRobot, seed)
	if err != nil {
		t.Fatal(err)
	}
	from, err = linktest.NewLine(p.ToRobot, seed)
	if err != nil {
		t.Fatal(err)
	}
	return to, from
}

// TestStep: a link falls from 3 to 0.5 Mbit/s for 15 s, and the encoder used nearly all of it.
func TestStep(t *testing.T) {
	const down, up, end, fast, slow = 10 * time.Second, 25 * time.Second, 38 * time.Second, 3e6, 0.5e6
	for _, tt := range []struct {
		queue int
		delay time.Duration
		whole bool          // nothing is lost
		gap   time.Duration // at most
	}{
		{64 << 10, 10 * time.Millisecond, true, 400 * time.Millisecond},
		{64 << 10, 20 * time.Millisecond, true, 400 * time.Millisecond},
		// What is heard of a queue comes too late where it fills before the first report about it.
		{64 << 10, 75 * time.Millisecond, false, 700 * time.Millisecond},
		{64 << 10, 150 * time.Millisecond, false, 1100 * time.Millisecond},
		{24 << 10, 10 * time.Millisecond, false, time.Second},
		{24 << 10, 20 * time.Millisecond, false, time.Second},
		{24 << 10, 75 * time.Millisecond, false, 1100 * time.Millisecond},
		{24 << 10, 150 * time.Millisecond, false, 1100 * time.Millisecond},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%d kB, %v, %d", tt.queue>>10, 2*tt.delay, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					to, from := link(t, linktest.Shape{
						Rate:  []linktest.Step{{Bps: fast}, {At: down, Bps: slow}, {At: up, Bps: fast}},
						Queue: tt.queue, Delay: tt.delay, Jitter: 2 * time.Millisecond}, seed)
					v := newViewer(to, from, 0.9*fast, seed)
					v.run(end)
					v.close()
					stats := to.Stats()
					if got := stats.Overflowed.Packets; tt.whole && got > 0 {
						t.Errorf("%d packets did not fit into the queue", got)
					}
					if got := v.gap(down, up); got > tt.gap {
						t.Errorf("%v without a picture", got)
					}
					if got := v.median(down+2*time.Second, down+3*time.Second) - tt.delay; got > 130*time.Millisecond {
						t.Errorf("pictures wait for %v 2 s after the fall", got)
					}
					if got := stats.Share(15, 25); got < .75 {
						t.Errorf("%.2f of the slow link are used", got)
					}
					if got := stats.Share(34, 36); got < .8 {
						t.Errorf("%.2f of the link are used 10 s after it is back", got)
					}
					if t.Failed() {
						t.Log(v.table())
					}
				})
			})
		}
	}
}
