package pace_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/uplink/pace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// path is a link of a rate, with a queue that drops nothing and a round trip.
type path struct {
	rate    float64 // bytes a second
	trip    time.Duration
	now     time.Time
	free    time.Time   // when the link has sent what was given to it
	due     []time.Time // when what is on its way is confirmed
	longest time.Duration
}

// send gives the link some bytes, for which there is room.
func (p *path) send(w *pace.Window, bytes int) {
	p.give(bytes)
	w.Sent(bytes, p.now)
}

// give has the link carry some bytes.
func (p *path) give(bytes int) {
	if p.free.Before(p.now) {
		p.free = p.now
	}
	p.longest = max(p.longest, p.free.Sub(p.now))
	p.free = p.free.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
	p.due = append(p.due, p.free.Add(p.trip))
}

// fill has the link carry what there is room for, in parts of a size; 0: as large as they should be.
func (p *path) fill(w *pace.Window, size int, d time.Duration) (sent int) {
	for begun := p.now; p.now.Sub(begun) < d; {
		part := size
		if part == 0 {
			part = w.Part(p.now)
		}
		if w.Fits(part) {
			p.send(w, part)
			sent += part
		} else {
			p.confirm(w)
		}
	}
	return sent
}

// confirm lets time pass until the oldest bytes are confirmed.
func (p *path) confirm(w *pace.Window) {
	p.now, p.due = p.due[0], p.due[1:]
	w.Confirmed(p.now)
}

// TestFullLink: with always something to send, the link is used and its queue is short.
func TestFullLink(t *testing.T) {
	for _, tt := range []struct {
		name string
		rate float64
		trip time.Duration
		wait time.Duration // on the way, at most
	}{
		{"1 Mbit/s, 1 ms", 125e3, time.Millisecond, 25 * time.Millisecond},
		{"1 Mbit/s, 20 ms", 125e3, 20 * time.Millisecond, 40 * time.Millisecond},
		{"1 Mbit/s, 200 ms", 125e3, 200 * time.Millisecond, 40 * time.Millisecond},
		{"20 Mbit/s, 50 ms", 2.5e6, 50 * time.Millisecond, 30 * time.Millisecond},
		{"200 Mbit/s, 1 ms", 25e6, time.Millisecond, 25 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, w := &path{rate: tt.rate, trip: tt.trip, now: time.Unix(1000, 0)}, pace.New()
			const span = 20 * time.Second
			p.fill(w, 0, span)
			p.longest = 0
			if used := float64(p.fill(w, 0, span)) / span.Seconds() / tt.rate; used < 0.8 {
				t.Errorf("%.0f %% of the link are used", 100*used)
			}
			if p.longest > tt.wait {
				t.Errorf("bytes wait for up to %v", p.longest)
			}
			if got := float64(w.Rate(p.now)) / tt.rate; got < 0.7 || got > 1.1 {
				t.Errorf("the rate is said to be %.2f of what it is", got)
			}
		})
	}
}

// TestSmallBesideLarge: what is small and frequent, whether it waits for room or not, neither keeps pictures from the
// link nor lets the queue grow: its own round trip is shorter than that of a part.
func TestSmallBesideLarge(t *testing.T) {
	for name, send := range map[string]func(*path, *pace.Window){
		"at once": func(p *path, w *pace.Window) { p.give(100); w.SentAtOnce(100, p.now) },
		"waits":   func(p *path, w *pace.Window) { p.send(w, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			p, w := &path{rate: 125e3, trip: 60 * time.Millisecond, now: time.Unix(1000, 0)}, pace.New()
			w.Sent(100, p.now.Add(-time.Hour))
			if !w.Stalled(p.now) { // so the window is the smallest
				t.Fatal("nothing is late")
			}
			w.Confirmed(p.now)
			begun, next, sent := p.now, p.now, 0
			for p.now.Sub(begun) < 40*time.Second {
				switch {
				case w.Fits(pace.SmallestPart):
					p.send(w, pace.SmallestPart)
					sent += pace.SmallestPart
				case p.due[0].Before(next):
					p.confirm(w)
				default:
					p.now, next = next, next.Add(20*time.Millisecond)
					send(p, w)
				}
			}
			if used := float64(sent) / 40 / p.rate; used < 0.7 {
				t.Errorf("%.0f %% of the link are used", 100*used)
			}
			if p.longest > 60*time.Millisecond {
				t.Errorf("bytes wait for up to %v", p.longest)
			}
		})
	}
}

// TestSmallAlone: what is small does not fill the queue either.
func TestSmallAlone(t *testing.T) {
	p, w := &path{rate: 12_500, trip: 20 * time.Millisecond, now: time.Unix(1000, 0)}, pace.New()
	p.fill(w, 100, 20*time.Second)
	p.longest = 0
	p.fill(w, 100, 20*time.Second)
	if p.longest > 120*time.Millisecond {
		t.Errorf("bytes wait for up to %v", p.longest)
	}
}

// TestIdle: what does not use its window does not have it grow.
func TestIdle(t *testing.T) {
	p, w := &path{rate: 125e3, trip: 20 * time.Millisecond, now: time.Unix(1000, 0)}, pace.New()
	before := w.Size()
	for range 100 {
		p.send(w, 1000)
		p.confirm(w)
		p.now = p.now.Add(time.Second)
	}
	if w.Size() != before {
		t.Errorf("the window is %d, was %d", w.Size(), before)
	}
	if w.Rate(p.now.Add(2*time.Second)) != 0 {
		t.Error("nothing is said to arrive at a rate")
	}
}

func TestStalled(t *testing.T) {
	now, w := time.Unix(1000, 0), pace.New()
	if w.Stalled(now) {
		t.Error("nothing is on its way, and is late")
	}
	w.Confirmed(now) // nothing to confirm
	w.Sent(1000, now)
	w.Confirmed(now.Add(100 * time.Millisecond))
	w.Sent(50_000, now)
	if w.Fits(1) {
		t.Error("there is room beside what has not arrived")
	}
	if w.Stalled(now.Add(time.Second)) || !w.Stalled(now.Add(1300*time.Millisecond)) {
		t.Error("a stall is told too early or too late")
	}
	if w.Size() != pace.SmallestPart {
		t.Errorf("after a stall the window is %d", w.Size())
	}
}
