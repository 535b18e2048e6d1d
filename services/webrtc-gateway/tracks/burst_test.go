package tracks

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

func TestBurst(t *testing.T) {
	const ms = time.Millisecond
	steps := func(n int, captured, arrived time.Duration) (list [][2]time.Duration) {
		for range n {
			list = append(list, [2]time.Duration{captured, arrived})
		}
		return list
	}
	for _, tt := range []struct {
		name  string
		steps [][2]time.Duration // from one frame to the next: of the captures, of the arrivals
		want  int                // frames after the first that belong to the burst
	}{
		{"live from the beginning", steps(10, 33*ms, 33*ms), 0},
		{"a group of 2 s, then live", append(steps(60, 33*ms, ms), steps(100, 33*ms, 33*ms)...), 60 + 17},
		{"a group of 20 s", append(steps(600, 33*ms, ms), steps(100, 33*ms, 33*ms)...), 600 + 42},
		{"a slow bus", steps(60, 33*ms, 20*ms), 0},
		{"a burst later on", append(steps(3, 33*ms, 33*ms), steps(10, 33*ms, 0)...), 0},
		{"the clock was set", append(steps(1, time.Hour, 33*ms), steps(100, 33*ms, 33*ms)...), 60},
		{"the clock was set back", append(steps(5, 33*ms, 0), steps(10, -time.Hour, 0)...), 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b burst
			// The clocks do not agree.
			captured, arrived := time.Unix(1000, 0), time.Unix(5000, 0)
			if !b.includes(7, captured, arrived) {
				t.Error("the first frame does not belong to it")
			}
			n := 0
			for _, s := range tt.steps {
				captured, arrived = captured.Add(s[0]), arrived.Add(s[1])
				if b.includes(7, captured, arrived) {
					n++
				}
			}
			if n != tt.want {
				t.Errorf("%d frames belong to it, want %d", n, tt.want)
			}
			if !b.includes(8, captured, arrived) {
				t.Error("another life of the device does not begin with one")
			}
		})
	}
}

// kept sends what a device has kept for the first who asks: a group, captured 33 ms apart, at once. The last frame is
// captured now.
func (b *bench) kept(n int) {
	begin := time.Now().Add(time.Duration(1-n) * 33 * time.Millisecond)
	for i := range n {
		f := fakecam.Frame(b.epoch, b.seq, i == 0, 3000)
		f.CaptureTime = timestamppb.New(begin.Add(time.Duration(i) * 33 * time.Millisecond))
		b.feed.frames <- f
		b.seq++
	}
	time.Sleep(33 * time.Millisecond)
	synctest.Wait()
}

// TestFirstViewerGetsTheWholeGroup although it was ready before the group came, and frames go on while that is sent:
// no other key frame would come for a long time.
func TestFirstViewerGetsTheWholeGroup(t *testing.T) {
	for _, n := range []int{30, 60, 600} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newBench(t), &sink{ssrc: 1}
				b.feed.never = true
				v, r := b.viewer(s), b.reader()
				b.kept(n)
				b.send(1, false)
				if got := b.waiting(r); len(got) != n+1 || !got[0].Key {
					t.Errorf("a reader got %d pictures, want %d from a key frame on", len(got), n+1)
				}
				b.send(60, false)
				if got := s.frames(); got != n+61 || !isKey(s.all()[0]) {
					t.Errorf("%d frames came, want %d from a key frame on", got, n+61)
				}
				s.checkUnbroken(t)
				v.Close()
				r.Close()
				b.end()
			})
		})
	}
}

// TestBurstIsNoExcuse: a viewer that takes nothing keeps a bounded queue, though its stream began with a burst.
func TestBurstIsNoExcuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.never = true
		r := b.reader()
		b.kept(60)
		for range 200 {
			b.send(1, false)
		}
		r.queue.mu.Lock()
		n := len(r.queue.frames)
		r.queue.mu.Unlock()
		if most := 60 + 2*30 + maxQueue; n > most {
			t.Errorf("%d frames wait, want %d at most", n, most)
		}
		r.Close()
		b.end()
	})
}
