package drives

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/audit"
)

// TestLogs: what the audit logs alone tell of drives.
func TestLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const s = time.Second
		r.log("motors", 0, audit.Event{Kind: audit.EStop, Who: "nobody's", Reason: "before"})
		r.log("motors", 1*s, audit.Event{Kind: audit.Started})
		r.log("motors", 2*s,
			audit.Event{Kind: audit.LeaseAcquired, Who: "anna (page)", Token: "t1", From: "10.0.0.7:1", What: "7/1"})
		r.log("arm", 3*s, audit.Event{Kind: audit.LeaseAcquired, Who: "bob", What: "9/1"})
		r.log("motors", 4*s, audit.Event{Kind: audit.EStop, Who: "ben", Token: "t2", Reason: "smoke"})
		r.log("motors", 5*s, audit.Event{Kind: audit.EStopCleared, Who: "ben"})
		r.log("motors", 6*s, audit.Event{Kind: audit.LeaseEnded, What: "7/1", Reason: "lease_released"})
		r.log("motors", 7*s, audit.Event{Kind: audit.LeaseAcquired, Who: "carl", What: "7/2"})
		r.log("motors", 8*s, audit.Event{Kind: audit.LeaseTaken, Who: "dora", What: "7/3", Reason: "carl"})
		r.log("motors", 9*s, audit.Event{Kind: audit.Started})
		// of the process before
		r.log("motors", 10*s, audit.Event{Kind: audit.LeaseEnded, What: "7/3", Reason: "device_stopped"})
		r.log("motors", 11*s, audit.Event{Kind: audit.LeaseAcquired, Who: "eve", What: "8/1"})
		r.log("arm", 12*s, audit.Event{Kind: audit.Started}) // it had crashed
		r.log("motors", 13*s, audit.Event{Kind: audit.LeaseEnded, What: "8/1", Reason: "lease_lapsed"})
		r.log("motors", 14*s, audit.Event{Kind: audit.LeaseAcquired, Who: "an old version's"})
		r.close()
		b := open(t, Config{State: r.state})
		var got []string
		for _, d := range b.Drives {
			end := "-"
			if !d.End.IsZero() {
				end = d.End.Sub(r.begin).String()
			}
			got = append(got, fmt.Sprintf("%d %s %s %d/%d %v-%s %s %s %d", d.Number, d.Device, d.Who, d.Epoch, d.Lease,
				d.Begin.Sub(r.begin), end, d.Ended, d.Took, len(d.EStops)))
		}
		want := []string{
			"1 motors anna (page) 7/1 2s-6s lease_released  1",
			"2 arm bob 9/1 3s-12s process_ended  0",
			"3 motors carl 7/2 7s-8s taken  0",
			"4 motors dora 7/3 8s-10s device_stopped carl 0",
			"5 motors eve 8/1 11s-13s lease_lapsed  0",
			"6 motors an old version's 0/0 14s--   0",
		}
		if !slices.Equal(got, want) {
			t.Errorf("drives\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if d := b.Drives[0]; d.Token != "t1" || d.From != "10.0.0.7:1" || !d.Logged || d.EStops[0].By != "ben" ||
			d.EStops[0].Cleared.Sub(r.begin) != 5*s || d.EStops[0].Reason != "smoke" {
			t.Errorf("%+v", d)
		}
		if len(b.EStops) != 1 || b.EStops[0].Reason != "before" || !b.EStops[0].Cleared.IsZero() {
			t.Errorf("e-stops while nobody drove: %+v", b.EStops)
		}
		if !slices.Equal(b.Missing, []string{"no recording of the commands of drive 1-6 was found"}) {
			t.Errorf("missing: %q", b.Missing)
		}
		if b := open(t, Config{State: r.state, Device: "arm", Robot: "rover"}); len(b.Drives) != 1 ||
			b.Drives[0].Who != "bob" {
			t.Errorf("of arm: %+v", b.Drives)
		}
		if b := open(t, Config{State: r.state, Robot: "other"}); len(b.Drives) != 0 {
			t.Errorf("of another robot: %+v", b.Drives)
		}
		if err := b.Commands(t.Context(), b.Drives[0], nil); err != nil {
			t.Errorf("commands of a drive that was not recorded: %v", err)
		}
	})
}

// TestClockJumps: drives of a device stay in the order of its log, whatever its clock did.
func TestClockJumps(t *testing.T) {
	at := func(second int) *Drive { return &Drive{Begin: time.Unix(int64(second), 0)} }
	a, b, c, x, y := at(100), at(50), at(60), at(55), at(70)
	got := merge([][]*Drive{{a, b, c}, {x, y}})
	if !slices.Equal(got, []*Drive{x, y, a, b, c}) {
		t.Errorf("%v", got)
	}
}

// TestEStopAfterwards: an e-stop shortly after a drive counts for it, if nobody has driven since.
func TestEStopAfterwards(t *testing.T) {
	const begun, ended, pressed = audit.LeaseAcquired, audit.LeaseEnded, audit.EStop
	type step struct {
		after time.Duration
		kind  audit.Kind
		lease string
	}
	for name, c := range map[string]struct {
		steps  []step
		drives []int // e-stops of each
		others int
	}{
		"at once": {[]step{{0, begun, "7/1"}, {time.Second, ended, "7/1"}, {time.Second, pressed, ""}}, []int{1},
			0},
		"a moment later": {[]step{{0, begun, "7/1"}, {time.Second, ended, "7/1"}, {3 * time.Second, pressed, ""}},
			[]int{1}, 0},
		"too late": {[]step{{0, begun, "7/1"}, {time.Second, ended, "7/1"}, {3001 * time.Millisecond, pressed, ""}},
			[]int{0}, 1},
		"of the next": {[]step{{0, begun, "7/1"}, {1, ended, "7/1"}, {2, begun, "7/2"}, {3, pressed, ""}}, []int{0, 1},
			0},
		"after the next": {[]step{{0, begun, "7/1"}, {1, begun, "7/2"}, {2, ended, "7/2"}, {3, pressed, ""}}, []int{0, 1},
			0},
		"process that ended": {[]step{{0, begun, "7/1"}, {1, audit.Started, ""}, {2, pressed, ""}}, []int{1}, 0},
		"nobody drove":       {[]step{{0, pressed, ""}}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				for _, s := range c.steps {
					r.log("motors", s.after, audit.Event{Kind: s.kind, Who: "anna", What: s.lease})
				}
				r.close()
				b := open(t, Config{State: r.state})
				var got []int
				for _, d := range b.Drives {
					got = append(got, len(d.EStops))
				}
				if !slices.Equal(got, c.drives) || len(b.EStops) != c.others {
					t.Errorf("e-stops of drives %v, others %d; want %v, %d", got, len(b.EStops), c.drives, c.others)
				}
			})
		})
	}
}
