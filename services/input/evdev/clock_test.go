package evdev

import (
	"context"
	"math"
	"sync"
	"syscall"
	"testing"
	"time"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

func TestClock(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(wall time.Duration, monotonic time.Duration) instant { return instant{noon.Add(wall), monotonic} }
	tests := map[string]struct {
		empty, read instant
		stamp, want time.Duration // after noon
	}{
		"read at once": {at(0, 0), at(5*time.Second, 5*time.Second), 4999 * time.Millisecond,
			4999 * time.Millisecond},
		"read late": {at(0, 0), at(time.Minute, time.Minute), time.Second, time.Second},
		"set back before reading": {at(0, 0), at(-time.Hour+5*time.Second, 5*time.Second), 4 * time.Second,
			-time.Hour + 4*time.Second},
		"set forward before reading": {at(0, 0), at(time.Hour+5*time.Second, 5*time.Second), 4 * time.Second, time.Hour +
			4*time.Second},
		"set back before the event": {at(0, 0), at(-time.Hour+5*time.Second, 5*time.Second), -time.Hour + 4*time.Second,
			-time.Hour + 4*time.Second},
		"set forward before it": {at(0, 0), at(time.Hour+5*time.Second, 5*time.Second), time.Hour + 4*time.Second,
			time.Hour + 4*time.Second},
		"a stamp out of nowhere":      {at(0, 0), at(5*time.Second, 5*time.Second), 24 * time.Hour, 5 * time.Second},
		"older than anything waiting": {at(0, 0), at(5*time.Second, 5*time.Second), -time.Second, -time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := clock{empty: tt.empty}
			stamp := noon.Add(tt.stamp)
			got := c.time(linux.InputEvent{Time: syscall.NsecToTimeval(stamp.UnixNano())}, tt.read)
			if want := noon.Add(tt.want); !got.Equal(want) {
				t.Errorf("happened at %v, want %v", got, want)
			}
		})
	}
}

func TestClockOf32Bits(t *testing.T) {
	late := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	stamp := syscall.NsecToTimeval((late.Unix() - 1<<32) * int64(time.Second))
	if seconds, _ := stamp.Unix(); seconds < math.MinInt32 || seconds > 0 {
		t.Fatalf("%d is not what 32 bits hold", seconds)
	}
	c := clock{empty: instant{late.Add(-time.Second), 0}}
	if got := c.time(linux.InputEvent{Time: stamp}, instant{late, time.Second}); !got.Equal(late) {
		t.Errorf("happened at %v", got)
	}
}

func TestSystemClock(t *testing.T) {
	now := system()
	a, b := now(), now()
	if b.monotonic < a.monotonic || a.monotonic < 0 || time.Since(a.wall) > time.Minute || a.wall.After(time.Now()) {
		t.Errorf("%v, then %v", a, b)
	}
}

// watch is a clock that the test sets.
type watch struct {
	mu sync.Mutex
	instant
}

func (w *watch) now() instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.instant
}

func (w *watch) set(to instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.instant = to
}

// times is a sink that sends the times of changes. It waits for a listener twice: when it is called, and
// to send.
type times struct {
	ctx                context.Context
	opened, told, says chan time.Time
}

func (s *times) Opened(source.Info, source.State) { close(s.opened) }

func (*times) Resynced(time.Time, source.State) {}

func (s *times) Changed(at time.Time, _ []source.Event) {
	for _, to := range []chan time.Time{s.told, s.says} {
		select {
		case to <- at:
		case <-s.ctx.Done():
		}
	}
}

// hear returns the next time sent, or the zero time if none comes soon.
func (s *times) hear(from chan time.Time) time.Time {
	select {
	case at := <-from:
		return at
	case <-s.ctx.Done():
		return time.Time{}
	}
}

func (s *times) next() time.Time { s.hear(s.told); return s.hear(s.says) }

// TestClockIsSetForward sets the clock by an hour, two hours after the pad was opened, while more events
// wait than are read at once.
func TestClockIsSetForward(t *testing.T) {
	const waiting = 3 * batch
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	k, pad := NewFakeKernel(), Pad()
	pad.Buffer = 4 * waiting
	stamp := noon.Add(2 * time.Hour)
	pad.Stamp = func() time.Time { return stamp }
	k.Plug("/dev/input/event0", pad)
	w := &watch{instant: instant{noon, 0}}
	s := NewOn(k, Config{})
	s.now = w.now
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	sink := &times{ctx, make(chan time.Time), make(chan time.Time), make(chan time.Time)}
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx, sink); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()
	sink.hear(sink.opened)
	w.set(instant{stamp, 2 * time.Hour})
	pad.Send(key(linux.BTN_SOUTH, 1))
	if at := sink.next(); !at.Equal(stamp) {
		t.Errorf("at first it was %v", at)
	}
	pad.Send(key(linux.BTN_SOUTH, 0))
	sink.hear(sink.told) // read, and not gone on from
	stamp = stamp.Add(10 * time.Second)
	for i := range int32(waiting) {
		pad.Send(key(linux.BTN_SOUTH, i%2))
	}
	w.set(instant{noon.Add(3*time.Hour + time.Minute), 2*time.Hour + time.Minute})
	sink.hear(sink.says)
	for i := range waiting {
		if at, want := sink.next(), stamp.Add(time.Hour); !at.Equal(want) {
			t.Fatalf("event %d was at %v, want %v", i, at, want)
		}
	}
}
