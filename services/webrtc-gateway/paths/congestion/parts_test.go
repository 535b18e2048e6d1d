package congestion

import (
	"math"
	"testing"
	"time"
)

const ms = time.Millisecond

var start = time.Unix(1_700_000_000, 0)

func TestLowest(t *testing.T) {
	l := lowest{part: time.Second}
	if _, ok := l.value(); ok {
		t.Error("there is a value before any was added")
	}
	for _, step := range []struct{ at, d, want time.Duration }{
		{0, 30 * ms, 30 * ms}, {ms, 20 * ms, 20 * ms}, {3 * time.Second, 25 * ms, 20 * ms},
		{10 * time.Second, 40 * ms, 25 * ms}, // the first part is over
		{9 * time.Second, 35 * ms, 25 * ms},  // time does not go back
		{14 * time.Second, 50 * ms, 35 * ms}, {time.Hour, 90 * ms, 90 * ms}, {time.Hour, -ms, -ms},
	} {
		l.add(step.d, start.Add(step.at))
		if got, _ := l.value(); got != step.want {
			t.Errorf("after %v: %v, want %v", step.at, got, step.want)
		}
	}
	l.forget()
	if _, ok := l.value(); ok {
		t.Error("it has not forgotten")
	}
}

func TestFlow(t *testing.T) {
	var f flow
	if f.over(time.Second) != 0 || f.until(time.Second, time.Second) != 0 {
		t.Error("there is a rate before anything")
	}
	at := -5 * time.Second // clocks have any zero
	for range 300 {        // 1 Mbit/s for 3 s
		f.add(at, 1250)
		at += 10 * ms
	}
	for _, span := range []time.Duration{100 * ms, time.Second, time.Minute} {
		if got := f.over(span); math.Abs(got-1e6) > 1 {
			t.Errorf("%.0f bit/s over %v, want 1 Mbit/s", got, span)
		}
	}
	if got := f.until(at+490*ms, time.Second); math.Abs(got-.5e6) > 2e4 {
		t.Errorf("%.0f bit/s until half a second later, want half of it", got)
	}
	f.add(at-200*ms, 12500) // late
	if got := f.over(time.Second); math.Abs(got-1.1e6) > 1 {
		t.Errorf("%.0f bit/s with one that was late", got)
	}
	f.add(at+time.Hour, 1250)
	if got := f.over(time.Second); got != 1e6 {
		t.Errorf("%.0f bit/s after a pause, of which 10 ms are known", got)
	}
}

// send makes packets that leave in bursts and pass a bottleneck of a rate after a delay.
func send(bursts, each, bytes int, every time.Duration, bps float64) (packets []Packet) {
	var free time.Duration
	for b := range bursts {
		departs := time.Duration(b) * every
		for range each {
			free = max(free, departs) + time.Duration(8*float64(bytes)/bps*float64(time.Second))
			packets = append(packets, Packet{Departed: departs, Arrived: free + time.Hour, Bytes: bytes})
		}
	}
	return packets
}

func TestTrains(t *testing.T) {
	for _, tt := range []struct {
		name     string
		packets  []Packet
		from, to float64
	}{
		{"3 Mbit/s", send(20, 8, 1200, 33*ms, 3e6), 2.99e6, 3.01e6},
		{"0.5 Mbit/s", send(20, 2, 1200, 50*ms, .5e6), .49e6, .51e6},
		{"one packet in a picture", send(20, 1, 1200, 33*ms, 3e6), 0, 0},
		{"too few", send(trainsFew-1, 8, 1200, 33*ms, 3e6), 0, 0},
		{"faster than can be told", send(20, 8, 1200, 33*ms, 10e9), 50e6, 1e9},
	} {
		var r trains
		for _, p := range tt.packets {
			r.add(p, start)
		}
		r.end(start)
		if got := r.rate(start.Add(time.Second), trainSpan); got < tt.from || got > tt.to {
			t.Errorf("%s: %.0f bit/s", tt.name, got)
		}
		if got := r.rate(start.Add(time.Minute), trainSpan); got != 0 {
			t.Errorf("%s: %.0f bit/s a minute later", tt.name, got)
		}
	}
}

func TestBusy(t *testing.T) {
	measure := func(packets []Packet) float64 {
		var b busy
		for _, p := range packets {
			b.add(p, p.Arrived-p.Departed-time.Hour)
		}
		return b.rate()
	}
	for _, tt := range []struct {
		name    string
		packets []Packet
		want    float64
	}{
		{"more is sent than passes", send(60, 4, 1200, 33*ms, 1e6), 1e6},
		{"half of what could pass is sent", send(60, 4, 1200, 77*ms, 1e6), 1e6},
		{"never busy", send(60, 1, 1200, 33*ms, 1e6), 0},
	} {
		if got := measure(tt.packets); math.Abs(got-tt.want) > .05*tt.want {
			t.Errorf("%s: %.0f bit/s, want %.0f", tt.name, got, tt.want)
		}
	}
}

// TestLossesOfThePath: what remains when less is sent is the path's own.
func TestLossesOfThePath(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after float64 // share lost after the answer
		vain  bool
	}{{"a policer", .01, false}, {"a bad radio", .2, true}, {"worse than any path", .5, false}} {
		var l losses
		now := start
		lose := func(share float64, d time.Duration) {
			for end := now.Add(d); now.Before(end); now = now.Add(50 * ms) {
				l.add(100, int(100*share), now)
			}
		}
		lose(.2, 3*time.Second)
		if !l.excess(now) {
			t.Fatalf("%s: a fifth is not too much", tt.name)
		}
		if got := l.answer(1e6, .8e6, now); got != toReceived*.8e6 {
			t.Errorf("%s: the answer is %.0f bit/s", tt.name, got)
		}
		if l.excess(now) {
			t.Errorf("%s: answered again at once", tt.name)
		}
		lose(tt.after, 3*time.Second)
		before, vain := l.judge(now)
		if vain != tt.vain || vain && before != 1e6 {
			t.Errorf("%s: in vain: %v, %.0f bit/s", tt.name, vain, before)
		}
		if vain && l.excess(now) {
			t.Errorf("%s: what the path loses at any rate is answered", tt.name)
		}
	}
}

// TestSilence: without reports, what is on the way counts as gone, again and again, and the rate is halved once.
func TestSilence(t *testing.T) {
	c, now := New(), start
	clock := func() time.Duration { return now.Sub(start) }
	c.Sent(1000, 0, now, clock())
	now = now.Add(50 * ms)
	c.Report(Report{Arrived: []Packet{{Departed: 0, Arrived: time.Hour, Bytes: 1000}}}, now, clock())
	c.limit(1e6)
	gone := 0
	for range 30 {
		c.Sent(1000, 1000, now, clock())
		if now = now.Add(50 * ms); c.Gone(1000, now) {
			gone++
		}
		if c.Full(leastWindow-1) && gone > 0 {
			t.Error("there is no room for a trial")
		}
	}
	if gone < 3 || gone > 8 {
		t.Errorf("what is on the way counted as gone %d times in 1.5 s", gone)
	}
	if c.Rate() != 5e5 {
		t.Errorf("the rate is %d bit/s", c.Rate())
	}
	if c.Gone(0, now.Add(time.Minute)) {
		t.Error("nothing is on the way, and counts as gone")
	}
}
