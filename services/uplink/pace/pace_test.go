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

// send gives the link some bytes.
func (p *path) send(w *pace.Window, bytes int) {
	if p.free.Before(p.now) {
		p.free = p.now
	}
	p.longest = max(p.longest, p.free.Sub(p.now))
	p.free = p.free.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
	p.due = append(p.due, p.free.Add(p.trip))
	w.Sent(bytes, p.now)
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
	}{
		{"1 Mbit/s, 20 ms", 125e3, 20 * time.Millisecond},
		{"1 Mbit/s, 200 ms", 125e3, 200 * time.Millisecond},
		{"20 Mbit/s, 50 ms", 2.5e6, 50 * time.Millisecond},
		{"200 Mbit/s, 1 ms", 25e6, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, w := &path{rate: tt.rate, trip: tt.trip, now: time.Unix(1000, 0)}, pace.New()
			begun, sent := p.now, 0
			measured := begun
			for p.now.Sub(begun) < 40*time.Second {
				if p.now.Sub(begun) > 20*time.Second && measured.Equal(begun) {
					measured, sent, p.longest = p.now, 0, 0
				}
				part := w.Part(p.now)
				if w.Room() >= part || len(p.due) == 0 {
					p.send(w, part)
					sent += part
				} else {
					p.confirm(w)
				}
			}
			used := float64(sent) / p.now.Sub(measured).Seconds() / tt.rate
			if used < 0.8 {
				t.Errorf("%.0f %% of the link are used", 100*used)
			}
			if p.longest > 60*time.Millisecond {
				t.Errorf("bytes wait for up to %v", p.longest)
			}
			if got := float64(w.Rate(p.now)) / tt.rate; got < 0.7 || got > 1.1 {
				t.Errorf("the rate is said to be %.2f of what it is", got)
			}
		})
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
	if w.Room() != 0 {
		t.Errorf("there is room for %d bytes", w.Room())
	}
	if w.Stalled(now.Add(time.Second)) || !w.Stalled(now.Add(1300*time.Millisecond)) {
		t.Error("a stall is told too early or too late")
	}
	if w.Size() != pace.SmallestPart {
		t.Errorf("after a stall the window is %d", w.Size())
	}
}
