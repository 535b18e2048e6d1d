package repair

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ms    = time.Millisecond
	bytes = 1000
)

// viewer is a budget and the packets that were sent under it, one each 5 ms.
type viewer struct {
	*Budget
	now     time.Time
	seq     uint16 // of the next packet
	packets map[uint16]*Packet
}

func newViewer(patient bool) *viewer {
	now := time.Unix(1_000_000, 0)
	return &viewer{Budget: New(patient, now), now: now, seq: 65_000, packets: make(map[uint16]*Packet)}
}

func (v *viewer) send(n int) {
	for range n {
		p := v.Sent(v.seq, bytes, v.now)
		v.packets[v.seq] = &p
		v.seq++
		v.now = v.now.Add(5 * ms)
	}
}

// ask asks for the packet that was sent so many before the next one.
func (v *viewer) ask(back int, l Link) Verdict {
	seq := v.seq - uint16(back)
	return v.Ask(seq, v.packets[seq], bytes, l, v.now)
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name    string
		patient bool
		link    Link
		before  func(v *viewer)
		back    int
		want    Verdict
		key     bool // a key frame is needed afterwards
	}{
		{name: "the last packet", back: 1, want: Send},
		{name: "200 ms old", back: 40, want: Send},
		{name: "300 ms old", back: 60, want: Late, key: true},
		{name: "300 ms old on a path of 200 ms", link: Link{RoundTrip: 200 * ms}, back: 60, want: Send},
		{name: "450 ms old on a path of 200 ms", link: Link{RoundTrip: 200 * ms}, back: 90, want: Late, key: true},
		{name: "900 ms old on a path of 600 ms", link: Link{RoundTrip: 600 * ms}, back: 180, want: Send},
		{name: "1.1 s old on a path of 2 s", link: Link{RoundTrip: 2 * time.Second}, back: 220, want: Late, key: true},
		{name: "2.5 s old, and the viewer waits", patient: true, back: 500, want: Send},
		{name: "beyond what one that waits keeps", patient: true, back: 520, want: Late},
		{name: "not sent yet", back: 0, want: Unknown},
		{name: "before the beginning", back: 2000, want: Unknown},
		{name: "no longer kept", before: func(v *viewer) { v.Key(); v.send(2000); clear(v.packets) }, back: 1500, want: Late,
			key: true},
		{name: "before a key frame", before: func(v *viewer) { v.Key(); v.send(3) }, back: 4, want: Superseded},
		{name: "before a key frame that has just begun", before: func(v *viewer) { v.Key() }, back: 1, want: Superseded},
		{name: "the first of a key frame", before: func(v *viewer) { v.Key(); v.send(3) }, back: 3, want: Send},
		{name: "before a key frame, and the viewer waits", patient: true,
			before: func(v *viewer) { v.Key(); v.send(3) }, back: 4, want: Send},
		{name: "twice at once", before: func(v *viewer) { v.ask(1, Link{}) }, back: 1, want: Recent},
		{name: "again before a round trip", link: Link{RoundTrip: 150 * ms},
			before: func(v *viewer) { v.ask(1, Link{}); v.send(29) }, back: 30, want: Recent},
		{name: "again after a round trip", link: Link{RoundTrip: 150 * ms},
			before: func(v *viewer) { v.ask(1, Link{}); v.send(30) }, back: 31, want: Send},
		{name: "again within 50 ms on a short path", link: Link{RoundTrip: ms},
			before: func(v *viewer) { v.ask(1, Link{}); v.send(9) }, back: 10, want: Recent},
		{name: "a fourth time", link: Link{RoundTrip: ms}, before: func(v *viewer) {
			v.ask(1, Link{})
			for i := range 3 {
				v.send(11)
				v.ask(1+11*(i+1), Link{RoundTrip: ms})
			}
		}, back: 34, want: Often, key: true},
		{name: "into a queue", link: Link{Queue: 151 * ms}, back: 1, want: Queued},
		{name: "into a short queue", link: Link{Queue: 150 * ms}, back: 1, want: Send},
		{name: "more than a quarter", before: func(v *viewer) {
			for i := range 48 {
				v.ask(2+i, Link{})
			}
		}, back: 1, want: Spent, key: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newViewer(tt.patient)
			v.send(600)
			if tt.before != nil {
				tt.before(v)
			}
			if got := v.ask(tt.back, tt.link); got != tt.want {
				t.Errorf("the verdict is %v, want %v", got, tt.want)
			}
			if got := v.NeedsKey(tt.link); got != tt.key {
				t.Errorf("a key frame is needed: %v, want %v", got, tt.key)
			}
		})
	}
}

// TestKeyFrameWaitsForTheQueue: what a queue had refused is repaired once the queue is short, and by one key frame.
func TestKeyFrameWaitsForTheQueue(t *testing.T) {
	v := newViewer(false)
	v.send(100)
	if got := v.ask(1, Link{Queue: time.Second}); got != Queued {
		t.Fatalf("the verdict is %v", got)
	}
	if v.NeedsKey(Link{Queue: 101 * ms}) {
		t.Error("a key frame is asked for while the queue is long")
	}
	if !v.NeedsKey(Link{Queue: 100 * ms}) {
		t.Error("no key frame is asked for once the queue is short")
	}
	v.Key()
	if v.NeedsKey(Link{}) {
		t.Error("another key frame is asked for")
	}
}

// TestFlood: more requests than any honest player makes are not looked at.
func TestFlood(t *testing.T) {
	v := newViewer(false)
	v.send(10)
	looked := 0
	for range 100 { // a second
		for range 5000 {
			if v.ask(1, Link{}) != Flood {
				looked++
			}
		}
		v.now = v.now.Add(10 * ms)
	}
	if most := askBurst + askRate; looked > most {
		t.Errorf("%d requests were looked at in a second, want %d at most", looked, most)
	}
}

// TestLowRate: a stream of a few packets a second can be repaired too.
func TestLowRate(t *testing.T) {
	v := newViewer(false)
	for range 100 {
		v.send(1)
		v.now = v.now.Add(195 * ms) // 5 packets a second, of which half are missed
		if v.seq%2 == 0 {
			if got := v.ask(1, Link{RoundTrip: 20 * ms}); got != Send {
				t.Fatalf("the verdict is %v", got)
			}
		}
	}
}

// FuzzBudget checks on random histories what holds whatever a viewer asks for.
func FuzzBudget(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, seed%2 == 0, uint16(seed*17), uint16(seed*23))
	}
	f.Fuzz(func(t *testing.T, seed uint64, patient bool, trip, queue uint16) {
		random := rand.New(rand.NewPCG(seed, 1))
		v := newViewer(patient)
		l := Link{RoundTrip: time.Duration(trip) * ms / 16, Queue: time.Duration(queue) * ms / 100}
		h := history{copies: map[uint16][]time.Time{}, began: v.now}
		for range 3000 {
			switch n := random.IntN(100); {
			case n < 50:
				v.send(1 + random.IntN(4))
			case n == 50:
				v.Key()
				h.keyAt = v.seq
				h.keyed = true
			default:
				h.ask(t, v, random.IntN(700), l)
			}
		}
	})
}

// history is what a random viewer got.
type history struct {
	began  time.Time
	copies map[uint16][]time.Time
	resent int
	keyAt  uint16
	keyed  bool
}

func (h *history) ask(t *testing.T, v *viewer, back int, l Link) {
	t.Helper()
	seq := v.seq - uint16(back)
	if v.Ask(seq, v.packets[seq], bytes, l, v.now) != Send {
		return
	}
	before := h.copies[seq]
	if v.packets[seq] == nil || len(before) >= maxCopies {
		t.Fatalf("packet %d was sent again %d times before", seq, len(before))
	}
	if n := len(before); n > 0 && v.now.Sub(before[n-1]) < l.wait() {
		t.Fatalf("packet %d was sent again after %v", seq, v.now.Sub(before[n-1]))
	}
	if l.Queue > fullQueue {
		t.Fatalf("sent into a queue of %v", l.Queue)
	}
	if !v.patient && h.keyed && int16(seq-h.keyAt) < 0 {
		t.Fatalf("packet %d is from before the key frame that begins with %d", seq, h.keyAt)
	}
	h.copies[seq] = append(before, v.now)
	h.resent += bytes
	seconds := v.now.Sub(h.began).Seconds()
	if most := float64(len(v.packets)*bytes)/share + floorBytes + floorRate*seconds + bytes; float64(h.resent) > most {
		t.Fatalf("%d bytes were sent again for %d sent in %.1f s, want %.0f at most", h.resent, len(v.packets)*bytes,
			seconds, most)
	}
}

func BenchmarkAsk(b *testing.B) {
	v := newViewer(false)
	v.send(1000)
	for b.Loop() {
		v.Ask(v.seq-10, v.packets[v.seq-10], bytes, Link{}, v.now)
	}
}
