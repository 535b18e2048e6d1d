package control

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// rig is an arbiter whose stops are recorded.
type rig struct {
	*Arbiter
	stops []Cause
	next  int64 // epoch of the next lease
}

func newRig(c Config) *rig {
	r := &rig{next: 100}
	c.NewID = func() int64 { r.next++; return r.next }
	c.Safe = func(why Cause) { r.stops = append(r.stops, why) }
	r.Arbiter = New(c)
	return r
}

// stopAndClear presses an e-stop and clears it.
func (r *rig) stopAndClear(pressed, cleared Clock) {
	if err := r.ClearEStop(cleared, r.EStop(pressed)); err != nil {
		panic(err)
	}
}

// Judge returns the verdict only.
func (r *rig) Judge(now Clock, c Command) Verdict {
	verdict, _ := r.Arbiter.Judge(now, c)
	return verdict
}

const ms = time.Millisecond

// driven returns an arbiter whose lease 101 was granted at 0, and which accepted a neutral command,
// sequence 1, at 10 ms.
func driven(t *testing.T) *rig {
	t.Helper()
	r := newRig(Config{})
	if _, err := r.Acquire(0, "ann"); err != nil {
		t.Fatal(err)
	}
	if v := r.Judge(10*ms, Command{Lease: 101, Sequence: 1, Neutral: true}); v != Accepted {
		t.Fatalf("a neutral command: %v", v)
	}
	return r
}

func TestVerdicts(t *testing.T) {
	fresh := Command{Lease: 101, Sequence: 2, Heard: 5 * ms}
	with := func(change func(*Command)) Command { c := fresh; change(&c); return c }
	for name, tt := range map[string]struct {
		before  func(*rig) // from 10 ms to 40 ms
		at      Clock      // 50 ms if it is zero
		command Command
		want    Verdict
	}{
		"fresh":                   {command: fresh, want: Accepted},
		"neutral":                 {command: with(func(c *Command) { c.Neutral = true }), want: Accepted},
		"of another lease":        {command: with(func(c *Command) { c.Lease = 100 }), want: NoLease},
		"without a lease":         {command: with(func(c *Command) { c.Lease = 0 }), want: NoLease},
		"the same sequence":       {command: with(func(c *Command) { c.Sequence = 1 }), want: OutOfOrder},
		"an older sequence":       {command: with(func(c *Command) { c.Sequence = -5 }), want: OutOfOrder},
		"a gap in the sequence":   {command: with(func(c *Command) { c.Sequence = 1000 }), want: Accepted},
		"a clock that is to come": {command: with(func(c *Command) { c.Heard = 51 * ms }), want: UnknownClock},
		"just in time":            {command: fresh, at: 205 * ms, want: Accepted},
		"too late":                {command: fresh, at: 205*ms + 1, want: Expired},
		"a long life":             {command: with(func(c *Command) { c.Life = 500 * ms }), at: 209 * ms, want: Accepted},
		"a short life":            {command: with(func(c *Command) { c.Life = 50 * ms }), at: 56 * ms, want: Expired},
		"a life that is too long": {command: with(func(c *Command) { c.Life = time.Hour; c.Heard = -2 * time.Second }),
			want: Expired},
		"an invalid life":           {command: with(func(c *Command) { c.Life = -1 }), want: Expired},
		"after the lease was given": {before: func(r *rig) { r.Release(20*ms, 101) }, command: fresh, want: NoLease},
		"after another took it":     {before: func(r *rig) { r.Take(20*ms, "bob") }, command: fresh, want: NoLease},
		"by the new holder": {before: func(r *rig) { r.Take(20*ms, "bob") },
			command: Command{Lease: 102, Sequence: 1, Heard: 20 * ms}, want: NotNeutral},
		"under an e-stop": {before: func(r *rig) { r.EStop(20 * ms) },
			command: with(func(c *Command) { c.Heard = 30 * ms }), want: EStopped},
		"sent before an e-stop was cleared": {before: func(r *rig) { r.stopAndClear(20*ms, 30*ms) },
			command: with(func(c *Command) { c.Heard = 29 * ms; c.Neutral = true }), want: BeforeStop},
		"not neutral after an e-stop": {before: func(r *rig) { r.stopAndClear(20*ms, 30*ms) },
			command: with(func(c *Command) { c.Heard = 30 * ms }), want: NotNeutral},
		"neutral after an e-stop": {before: func(r *rig) { r.stopAndClear(20*ms, 30*ms) },
			command: with(func(c *Command) { c.Heard = 30 * ms; c.Neutral = true }), want: Accepted},
		"not neutral after the hardware was away": {before: func(r *rig) { r.Interrupt(30 * ms) },
			command: with(func(c *Command) { c.Heard = 30 * ms }), want: NotNeutral},
		"sent before the deadman fired": {before: func(r *rig) {
			r.Judge(11*ms,
				Command{Lease: 101, Sequence: 2, Heard: 11 * ms})
		},
			at: 215 * ms, command: Command{Lease: 101, Sequence: 3, Heard: 200 * ms}, want: BeforeStop},
		"sent after the deadman fired": {before: func(r *rig) { r.Advance(210 * ms) },
			at: 230 * ms, command: Command{Lease: 101, Sequence: 3, Heard: 210 * ms}, want: Accepted},
		"after the lease ran out": {at: 1010 * ms, command: with(func(c *Command) { c.Heard = 1000 * ms }), want: NoLease},
	} {
		t.Run(name, func(t *testing.T) {
			r := driven(t)
			if tt.before != nil {
				tt.before(r)
			}
			if tt.at == 0 {
				tt.at = 50 * ms
			}
			if got := r.Judge(tt.at, tt.command); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestStops(t *testing.T) {
	for name, tt := range map[string]struct {
		act   func(*rig)
		want  []Cause
		phase Phase
	}{
		"nothing yet":         {func(r *rig) { r.Advance(209 * ms) }, nil, PhaseDriving},
		"deadman":             {func(r *rig) { r.Advance(210 * ms) }, []Cause{CauseDeadman}, PhaseSafe},
		"deadman and lease":   {func(r *rig) { r.Advance(1010 * ms) }, []Cause{CauseDeadman, CauseLapsed}, PhaseFree},
		"deadman, late":       {func(r *rig) { r.Advance(500 * ms) }, []Cause{CauseDeadman}, PhaseSafe},
		"released":            {func(r *rig) { r.Release(20*ms, 101) }, []Cause{CauseReleased}, PhaseFree},
		"released by another": {func(r *rig) { r.Release(20*ms, 7) }, nil, PhaseDriving},
		"taken":               {func(r *rig) { r.Take(20*ms, "bob") }, []Cause{CauseTaken}, PhaseSafe},
		"e-stop":              {func(r *rig) { r.EStop(20 * ms) }, []Cause{CauseEStop}, PhaseEStopped},
		"e-stop, twice": {func(r *rig) { r.EStop(20 * ms); r.EStop(21 * ms) }, []Cause{CauseEStop, CauseEStop},
			PhaseEStopped},
		"nothing to clear": {func(r *rig) { _ = r.ClearEStop(20*ms, 0) }, nil, PhaseDriving},
		"cleared":          {func(r *rig) { r.stopAndClear(20*ms, 30*ms) }, []Cause{CauseEStop, CauseEStop}, PhaseSafe},
		"away":             {func(r *rig) { r.Interrupt(20 * ms) }, []Cause{CauseAway}, PhaseSafe},
		"kept alive but no longer driven": {func(r *rig) {
			for at := 100 * ms; at < 3*time.Second; at += 300 * ms {
				if err := r.KeepAlive(at, 101); err != nil {
					panic(err)
				}
			}
		}, []Cause{CauseDeadman}, PhaseSafe},
	} {
		t.Run(name, func(t *testing.T) {
			r := driven(t)
			tt.act(r)
			if !slices.Equal(r.stops, tt.want) {
				t.Errorf("stopped because of %v, want %v", r.stops, tt.want)
			}
			if s := r.State(); s.Phase != tt.phase || len(tt.want) > 0 && s.Cause != tt.want[len(tt.want)-1] {
				t.Errorf("state %+v, want phase %v after %v", s, tt.phase, tt.want)
			}
		})
	}
}

func TestLease(t *testing.T) {
	r := newRig(Config{})
	ann, err := r.Acquire(0, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Acquire(1*ms, "ann"); !errors.Is(err, ErrHeld) {
		t.Errorf("a second of the same name: %v", err)
	}
	if err := r.KeepAlive(900*ms, ann); err != nil {
		t.Errorf("keep alive: %v", err)
	}
	if _, err := r.Acquire(1899*ms, "bob"); !errors.Is(err, ErrHeld) {
		t.Errorf("before the end: %v", err)
	}
	bob, err := r.Acquire(1900*ms, "bob")
	if err != nil {
		t.Errorf("after the end: %v", err)
	}
	if err := r.KeepAlive(1901*ms, ann); !errors.Is(err, ErrNoLease) {
		t.Errorf("keep alive of the one before: %v", err)
	}
	cid := r.Take(1902*ms, "cid")
	if err := r.KeepAlive(1903*ms, bob); !errors.Is(err, ErrNoLease) || bob == cid {
		t.Errorf("keep alive of the one it was taken from: %v", err)
	}
	if got := r.State().Holder; got != "cid" {
		t.Errorf("holder %q", got)
	}
}

// TestStoppedFromTheStart has an e-stop that survived a restart.
func TestStoppedFromTheStart(t *testing.T) {
	r := newRig(Config{EStop: 7})
	epoch, err := r.Acquire(0, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Judge(1*ms, Command{Lease: epoch, Sequence: 1, Neutral: true}); v != EStopped {
		t.Errorf("a command: %v", v)
	}
	if err := r.ClearEStop(2*ms, 7); err != nil || r.State().Phase != PhaseSafe {
		t.Errorf("after the clearing: %v, %+v", err, r.State())
	}
}

func TestClearEStop(t *testing.T) {
	r := driven(t)
	first := r.EStop(20 * ms)
	second := r.EStop(30 * ms)
	for _, id := range []int64{0, -1, first, second + 1} {
		if err := r.ClearEStop(40*ms, id); !errors.Is(err, ErrOtherEStop) || r.State().Phase != PhaseEStopped {
			t.Errorf("%d: %v, %+v", id, err, r.State())
		}
	}
	if err := r.ClearEStop(50*ms, second); err != nil || r.State().Phase != PhaseSafe {
		t.Errorf("the latched one: %v, %+v", err, r.State())
	}
	if err := r.ClearEStop(60*ms, second); !errors.Is(err, ErrOtherEStop) {
		t.Errorf("once more: %v", err)
	}
}

// TestNext walks from one due time to the next, as the owner of an arbiter does.
func TestNext(t *testing.T) {
	r := driven(t)
	for _, want := range []Clock{210 * ms, 1010 * ms} {
		at, ok := r.Next()
		if !ok || at != want {
			t.Fatalf("next is %v, %v, want %v", at, ok, want)
		}
		before := len(r.stops)
		if r.Advance(at - 1); len(r.stops) != before {
			t.Errorf("stopped before %v", at)
		}
		if r.Advance(at); len(r.stops) == before {
			t.Errorf("not stopped at %v", at)
		}
	}
	if at, ok := r.Next(); ok {
		t.Errorf("something is due at %v though nobody drives", at)
	}
}

// A driver acquires the lease, stands still first, and then drives; when it falls silent the hardware is
// stopped.
func ExampleArbiter() {
	a := New(Config{
		NewID: func() int64 { return 1 },
		Safe:  func(why Cause) { fmt.Println("stand still:", why) },
	})
	lease, _ := a.Acquire(0, "ann")
	judge := func(now Clock, c Command) {
		verdict, _ := a.Judge(now, c)
		fmt.Println(verdict)
	}
	judge(20*ms, Command{Lease: lease, Sequence: 1, Heard: 0})
	judge(40*ms, Command{Lease: lease, Sequence: 2, Heard: 20 * ms, Neutral: true})
	judge(60*ms, Command{Lease: lease, Sequence: 3, Heard: 40 * ms})
	a.Advance(260 * ms)
	// Output:
	// not_neutral
	// accepted
	// accepted
	// stand still: deadman
}
