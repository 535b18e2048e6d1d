package play_test

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	playerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/player/v1"
	"github.com/waldo-robot/waldo/recording/play"
)

func TestPlace(t *testing.T) {
	const s = time.Second
	playing := play.Clock{Playing: true, Offset: 10 * s, At: 100 * s, Speed: 2, Duration: 60 * s}
	paused := playing
	paused.Playing = false
	looping := playing
	looping.Loop = true
	for _, c := range []struct {
		name       string
		clock      play.Clock
		now, place time.Duration
		ended      bool
	}{
		{"now", playing, 100 * s, 10 * s, false},
		{"later", playing, 105 * s, 20 * s, false},
		{"before", playing, 99 * s, 8 * s, false},
		{"long before", playing, 0, 0, false},
		{"at the end", playing, 125 * s, 60 * s, true},
		{"long after the end", playing, math.MaxInt64, 60 * s, true},
		{"in a loop", looping, 1000 * s, 60 * s, false},
		{"paused", paused, 1000 * s, 10 * s, false},
	} {
		if got := c.clock.Place(c.now); got != c.place {
			t.Errorf("%s: at %v, not %v", c.name, got, c.place)
		}
		if got := c.clock.Ended(c.now); got != c.ended {
			t.Errorf("%s: ended is %v", c.name, got)
		}
	}
	if got := playing.When(20 * s); got != 105*s {
		t.Errorf("it comes to 20 s at %v", got)
	}
	decades := play.Clock{Playing: true, At: 100 * s, Speed: play.Slowest, Duration: 56 * 365 * 24 * time.Hour}
	if got := decades.When(decades.Duration); got != math.MaxInt64 {
		t.Errorf("it comes to the end of decades at %v", got)
	}
}

// FuzzClock: whatever a state says that makes sense, the place is in the recording, its end is not in the past, and what
// is said of it makes sense again.
func FuzzClock(f *testing.F) {
	for _, d := range []time.Duration{0, time.Minute, math.MaxInt64} {
		for _, speed := range []float64{play.Slowest, 1, play.Fastest, math.NaN(), math.Inf(1), 0, -1} {
			f.Add(true, int64(d/2), int64(time.Second), speed, int64(d), int64(time.Minute))
			f.Add(false, int64(d), int64(math.MaxInt64), speed, int64(d), int64(0))
		}
	}
	f.Fuzz(func(t *testing.T, playing bool, offset, at int64, speed float64, duration, now int64) {
		c, ok := play.ClockOf(&playerv1.PlayerState{
			Playing: playing, Offset: durationpb.New(time.Duration(offset)), Clock: durationpb.New(time.Duration(at)),
			Speed: speed, Duration: durationpb.New(time.Duration(duration)),
		})
		if !ok || now < 0 {
			return
		}
		if place := c.Place(time.Duration(now)); place < 0 || place > c.Duration {
			t.Errorf("%+v is at %v", c, place)
		}
		if end := c.When(c.Duration); end < c.At {
			t.Errorf("%+v ended at %v", c, end)
		}
		if _, ok := play.ClockOf(c.State(time.Duration(now))); !ok {
			t.Errorf("%+v says %v", c, c.State(time.Duration(now)))
		}
	})
}

// TestState: what a state says is the clock that it was made of.
func TestState(t *testing.T) {
	c := play.Clock{Jump: 3, Playing: true, Offset: 5 * time.Second, At: time.Minute, Speed: 0.5, Duration: time.Hour}
	got, ok := play.ClockOf(c.State(2 * time.Minute))
	if !ok || got.Place(3*time.Minute) != c.Place(3*time.Minute) || got.Jump != 3 || got.Speed != 0.5 {
		t.Errorf("%v became %v (%v)", c, got, ok)
	}
	if end := c.State(10 * time.Hour); !end.GetEnded() || end.GetPlaying() || end.GetOffset().AsDuration() != time.Hour {
		t.Errorf("after the end: %v", end)
	}
	whole := c.State(time.Minute)
	for name, change := range map[string]func(*playerv1.PlayerState){
		"no speed":       func(s *playerv1.PlayerState) { s.Speed = 0 },
		"NaN":            func(s *playerv1.PlayerState) { s.Speed = math.NaN() },
		"too fast":       func(s *playerv1.PlayerState) { s.Speed = 10.1 },
		"before":         func(s *playerv1.PlayerState) { s.Offset = durationpb.New(-1) },
		"beyond the end": func(s *playerv1.PlayerState) { s.Offset = durationpb.New(2 * time.Hour) },
		"negative":       func(s *playerv1.PlayerState) { s.Duration = durationpb.New(-1) },
	} {
		bad := proto.CloneOf(whole)
		change(bad)
		if _, ok := play.ClockOf(bad); ok {
			t.Errorf("%s: %v is accepted", name, bad)
		}
	}
}
