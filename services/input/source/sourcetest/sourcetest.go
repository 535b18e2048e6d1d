// Package sourcetest checks that a driver keeps the contract of package source. Every driver's tests run it.
package sourcetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// patience is how long a test waits, on a busy machine, for something that should come at once.
const patience = 20 * time.Second

// Run checks sources made by open, which is called once for every check and itself fails the test if it
// cannot open one. The device must be present, and somebody must operate it.
func Run(t *testing.T, open func(t *testing.T) source.Source) {
	checks := map[string]func(*testing.T, source.Source){
		"describes itself":         describes,
		"changes are as promised":  changes,
		"stops and starts again":   restarts,
		"reports nothing after it": silence,
	}
	for name, check := range checks {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

// Recorder is a sink that records its calls. It is for one goroutine, that of Run; its results may be
// read when Run has returned.
type Recorder struct {
	t       *testing.T
	enough  func()
	wanted  int
	busy    atomic.Bool
	running atomic.Bool

	Info    source.Info
	State   source.State // the first
	Changes [][]source.Event
	Times   []time.Time
	Resyncs []source.State
}

// Record runs a source until it has reported that many changes, and returns them.
func Record(t *testing.T, s source.Source, changes int) *Recorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := &Recorder{t: t, enough: cancel, wanted: changes}
	r.running.Store(true)
	if err := s.Run(ctx, r); err != nil {
		t.Fatalf("run: %v", err)
	}
	r.running.Store(false)
	if len(r.Changes) < changes {
		t.Fatalf("%d changes in %v, want %d", len(r.Changes), patience, changes)
	}
	return r
}

// enter checks that calls come one at a time, and only while Run runs.
func (r *Recorder) enter() (leave func()) {
	if r.busy.Swap(true) {
		r.t.Error("the sink was called twice at once")
	}
	if !r.running.Load() {
		r.t.Error("the sink was called when Run had returned")
	}
	return func() { r.busy.Store(false) }
}

// Opened implements source.Sink.
func (r *Recorder) Opened(i source.Info, s source.State) {
	defer r.enter()()
	if r.State.Axes != nil {
		r.t.Error("opened twice")
	}
	r.Info, r.State = i, s
	if r.State.Axes == nil {
		r.State.Axes = map[linux.EvCode]int32{}
	}
	if r.wanted == 0 {
		r.enough()
	}
}

// Changed implements source.Sink.
func (r *Recorder) Changed(at time.Time, events []source.Event) {
	defer r.enter()()
	if r.State.Axes == nil {
		r.t.Error("changed before it was opened")
	}
	r.Changes = append(r.Changes, append([]source.Event(nil), events...))
	r.Times = append(r.Times, at)
	if len(r.Changes) == r.wanted {
		r.enough()
	}
}

// Resynced implements source.Sink.
func (r *Recorder) Resynced(_ time.Time, s source.State) {
	defer r.enter()()
	if r.State.Axes == nil {
		r.t.Error("resynced before it was opened")
	}
	r.Resyncs = append(r.Resyncs, s)
}

func describes(t *testing.T, s source.Source) {
	r := Record(t, s, 0)
	i := r.Info
	if i.Driver == "" || i.Path == "" || i.Name == "" || len(i.ID) != 9 {
		t.Errorf("it does not describe itself: %+v", i)
	}
	if !utf8.ValidString(i.Path) || !utf8.ValidString(i.Name) {
		t.Errorf("its texts are not UTF-8: %q %q", i.Path, i.Name)
	}
	switch i.Kind {
	case source.Gamepad, source.Keyboard, source.Mouse, source.Other:
	default:
		t.Errorf("its kind is %q", i.Kind)
	}
	for n, a := range i.Axes {
		if n > 0 && a.Code <= i.Axes[n-1].Code {
			t.Errorf("axis %d comes after axis %d", a.Code, i.Axes[n-1].Code)
		}
		if _, told := r.State.Axes[a.Code]; !told {
			t.Errorf("the state has no axis %d", a.Code)
		}
	}
	if len(r.State.Axes) > len(i.Axes) {
		t.Errorf("%d axes in the state, %d announced", len(r.State.Axes), len(i.Axes))
	}
}

func changes(t *testing.T, s source.Source) {
	before := time.Now()
	r := Record(t, s, 5)
	for i, events := range r.Changes {
		if len(events) == 0 {
			t.Errorf("change %d is empty", i)
		}
		for _, e := range events {
			if _, announced := r.State.Axes[e.Code]; e.Type == linux.EV_ABS && !announced {
				t.Errorf("change %d has an axis %d that was not announced", i, e.Code)
			}
			if e.Type == linux.EV_SYN && (e.Code == linux.SYN_REPORT || e.Code == linux.SYN_DROPPED) {
				t.Errorf("change %d has event %d of EV_SYN", i, e.Code)
			}
		}
		at := r.Times[i]
		if at.Before(before.Add(-time.Second)) || at.After(time.Now()) || i > 0 && at.Before(r.Times[i-1]) {
			t.Errorf("change %d was at %v, now is %v", i, at, time.Now())
		}
	}
}

func restarts(t *testing.T, s source.Source) {
	for range 3 {
		Record(t, s, 1)
	}
}

// silence starts a source whose context has ended; a call after its return would find the recorder no
// longer running.
func silence(t *testing.T, s source.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &Recorder{t: t, enough: cancel}
	r.running.Store(true)
	if err := s.Run(ctx, r); err != nil {
		t.Errorf("run with an ended context: %v", err)
	}
	r.running.Store(false)
	if len(r.Changes) > 0 {
		t.Errorf("it reported %d changes although its context had ended", len(r.Changes))
	}
	Record(t, s, 3)
}
