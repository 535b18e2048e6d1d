package preprocess

import (
	"errors"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/video/source"
)

// player is a command in a simulation: it works on one picture at a time, and holds some back.
type player struct {
	work  time.Duration
	held  int
	begin time.Duration // until it takes its first picture
	hung  func(at time.Duration) bool

	has  int // pictures that it has not worked on
	kept int // that it has worked on and holds back
	free time.Duration
}

// step returns how many pictures come out at a time.
func (p *player) step(at time.Duration) (out int) {
	for p.has > 0 && at >= p.begin && at >= p.free+p.work && (p.hung == nil || !p.hung(at)) {
		p.has--
		p.kept++
		p.free = at
		if p.kept > p.held {
			p.kept--
			out++
		}
	}
	return out
}

// seen is a picture that has gone on.
type seen struct {
	number  int64
	result  string
	waited  time.Duration
	changed bool
}

// simulate feeds a line at 30 pictures a second, and returns what goes on, and the first error.
func simulate(t *testing.T, p *player, length time.Duration) (out []seen, err error) {
	t.Helper()
	const step = time.Millisecond
	interval := time.Second / 30
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := time.Duration(0)
	var l line
	l.pass = func(f source.Frame, result string) {
		waited := start.Add(at).Sub(f.Time)
		out = append(out, seen{int64(f.Lost), result, waited, len(f.Data) == 2})
	}
	l.start(start)
	number := 0
	for ; at < length; at += step {
		now := start.Add(at)
		if at >= time.Duration(number)*interval {
			f := source.Frame{Format: &mediav1.VideoFormat{FrameRateHz: 30}, Time: now, Data: []byte{1}, Lost: number}
			number++
			if l.add(now, f) {
				if p.has == 0 && p.free < at {
					p.free = at
				}
				p.has++
			}
		}
		for range p.step(at) {
			if e := l.back(now, []byte{1, 2}); e != nil {
				return out, e
			}
		}
		if due, ok := l.next(); ok && !due.After(now) {
			if e := l.tick(now); e != nil {
				return out, e
			}
		}
		if len(l.inside) > maxInside || len(l.waiting) > maxWaiting {
			t.Fatalf("after %v %d pictures are inside and %d wait", at, len(l.inside), len(l.waiting))
		}
	}
	for i, one := range out {
		if one.number != int64(i) || one.changed != (one.result == changed) {
			t.Fatalf("picture %d went on as %+v", i, one)
		}
	}
	if number-len(out) > maxWaiting {
		t.Fatalf("of %d pictures %d went on", number, len(out))
	}
	return out, nil
}

// share is the part of the pictures from first on that were changed, and worst the longest wait among them.
func share(out []seen, first int) (part float64, worst time.Duration) {
	n := 0
	for _, one := range out[first:] {
		if one.changed {
			n++
		}
		worst = max(worst, one.waited)
	}
	return float64(n) / float64(len(out)-first), worst
}

func TestLine(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		player player
		first  int // picture of the settled state
		least  float64
		most   float64
		worst  time.Duration
	}{
		"fast":                         {player{work: 5 * ms}, 0, 1, 1, 5 * ms},
		"as fast as the camera":        {player{work: 32 * ms}, 0, 1, 1, 100 * ms},
		"half as fast":                 {player{work: 66 * ms}, 10, 0.4, 0.6, patience},
		"too slow for anybody":         {player{work: 400 * ms}, 60, 0, 0, 0},
		"slow to start":                {player{work: 5 * ms, begin: 5 * time.Second}, 160, 1, 1, 5 * ms},
		"holds one back":               {player{work: 5 * ms, held: 1}, 40, 1, 1, 45 * ms},
		"holds three back":             {player{work: 10 * ms, held: 3}, 60, 1, 1, 120 * ms},
		"holds one back, slow start":   {player{work: 10 * ms, held: 1, begin: 2 * time.Second}, 90, 1, 1, 50 * ms},
		"slow, with one that it holds": {player{work: 50 * ms, held: 1}, 60, 0.5, 0.8, maxPatience},
		"stands still for a second": {player{work: 5 * ms, hung: func(at time.Duration) bool {
			return at > 2*time.Second && at < 3*time.Second
		}}, 0, 0.85, 0.95, patience},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := simulate(t, &tt.player, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			part, worst := share(out, tt.first)
			if part < tt.least || part > tt.most || worst > tt.worst+2*ms {
				t.Errorf("%.2f of the pictures are changed, want %.2f to %.2f; the longest wait is %v, want %v", part, tt.least,
					tt.most, worst, tt.worst)
			}
		})
	}
}

func TestLineGivesUp(t *testing.T) {
	never := func(time.Duration) bool { return true }
	after := func(at time.Duration) bool { return at > time.Second }
	for name, tt := range map[string]struct {
		player player
		want   error
	}{
		"nothing ever":  {player{hung: never}, errSilent},
		"nothing more":  {player{work: time.Millisecond, hung: after}, errHangs},
		"too many held": {player{work: time.Millisecond, held: maxHeld + 1}, errSilent},
	} {
		out, err := simulate(t, &tt.player, 2*startAfter)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if len(out) == 0 {
			t.Errorf("%s: no picture went on", name)
		}
	}
	var l line
	l.start(time.Now())
	if err := l.back(time.Now(), nil); !errors.Is(err, errTooMuch) {
		t.Errorf("a picture too many: %v", err)
	}
}
