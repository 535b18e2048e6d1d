package order

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// in is a packet and when it comes, in milliseconds; without an SSRC nothing comes, and what is due expires.
type in struct{ number, ssrc, at int }

// table says in which order packets are passed on: -n before one stands for n lost ones, r for a restart.
var table = []struct {
	name   string
	window int
	in     []in
	want   string
}{
	{"in order, numbers wrap", 4, []in{{65534, 1, 0}, {65535, 1, 1}, {0, 1, 2}}, "65534 65535 0"},
	{"one overtakes another", 4, []in{{1, 1, 0}, {3, 1, 1}, {2, 1, 2}, {4, 1, 3}}, "1 2 3 4"},
	{"one comes twice", 4, []in{{1, 1, 0}, {1, 1, 1}, {3, 1, 1}, {3, 1, 1}, {2, 1, 2}}, "1 2 3"},
	{"lost, by time", 4, []in{{1, 1, 0}, {4, 1, 1}, {0, 0, 30}, {0, 0, 31}, {3, 1, 32}}, "1 -2 4"},
	{"lost, by number", 2, []in{{1, 1, 0}, {4, 1, 1}, {6, 1, 1}, {5, 1, 2}}, "1 -2 4 5 6"},
	{"no window", 0, []in{{1, 1, 0}, {3, 1, 1}, {2, 1, 1}, {4, 1, 1}}, "1 -1 3 4"},
	{"far away", 4, []in{{1, 1, 0}, {5000, 1, 1}, {5001, 1, 2}}, "1 r 5000 5001"},
	{"another SSRC", 4, []in{{1, 1, 0}, {3, 1, 1}, {9, 2, 2}, {10, 2, 3}}, "1 r 9 10"},
	{"two at once: the first is kept", 4, []in{
		{1, 1, 0}, {9, 2, 1}, {2, 1, 2}, {10, 2, 3}, {3, 1, 4}, {11, 2, 5},
	}, "1 r 9 r 2 3"},
}

func TestQueue(t *testing.T) {
	for _, tt := range table {
		t.Run(tt.name, func(t *testing.T) {
			q := Queue{Window: tt.window, Wait: 30 * time.Millisecond}
			var got []string
			out := func(p Packet, n News) {
				if n.Lost > 0 {
					got = append(got, fmt.Sprint(-n.Lost))
				}
				if n.Restart {
					got = append(got, "r")
				}
				got = append(got, fmt.Sprint(p.SequenceNumber))
			}
			for _, i := range tt.in {
				at := start.Add(time.Duration(i.at) * time.Millisecond)
				if i.ssrc == 0 {
					q.Expire(at, out)
					continue
				}
				h := rtp.Header{SequenceNumber: uint16(i.number), SSRC: uint32(i.ssrc)}
				q.Push(Packet{&rtp.Packet{Header: h, Payload: []byte{byte(i.number)}}, at}, out)
				if q.Waiting() >= max(tt.window, 1) {
					t.Errorf("%d wait", q.Waiting())
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	q := Queue{Window: 10, Wait: time.Second}
	push := func(numbers ...uint16) {
		for _, n := range numbers {
			q.Push(Packet{&rtp.Packet{Header: rtp.Header{SequenceNumber: n}}, start}, func(Packet, News) {})
		}
	}
	push(65534)
	if got := q.Missing(9); got != nil {
		t.Errorf("%d are missing before anything waits", got)
	}
	push(1, 3, 2, 6)
	for limit, want := range []string{"[]", "[65535]", "[65535 0]", "[65535 0 4]", "[65535 0 4 5]", "[65535 0 4 5]"} {
		if got := fmt.Sprint(q.Missing(limit)); got != want {
			t.Errorf("at most %d: %s, want %s", limit, got, want)
		}
	}
}

func TestTimeline(t *testing.T) {
	l := Timeline{Rate: 1000}
	if l.Started() {
		t.Error("it has begun before the first packet")
	}
	begin := l.Advance(0xffffffff)
	if got := l.Advance(9) - begin; got != 10*time.Millisecond || l.Last() != 9 {
		t.Errorf("10 ticks later it is %v later", got)
	}
	if got := l.At(4) - begin; got != 5*time.Millisecond {
		t.Errorf("5 ticks after the first it is %v later", got)
	}
}
