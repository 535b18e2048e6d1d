package tracks

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// way is a path that is as the test wants it.
type way struct {
	unknown
	burst   int64
	full    atomic.Bool
	changed chan struct{} // closed once
}

func (w *way) Full() bool               { return w.full.Load() }
func (w *way) Changed() <-chan struct{} { return w.changed }
func (w *way) Burst() int64             { return w.burst }

// TestPaceOfPictures: where the path is known, large pictures are spread, and small ones leave at once.
func TestPaceOfPictures(t *testing.T) {
	const bytes = paceStep * (mtu + packetOverhead) // of a step
	for _, tt := range []struct {
		name  string
		burst int64
		steps int
		least time.Duration
		most  time.Duration
	}{
		{"a small picture", 1e6, 1, 0, 0},
		{"a large picture over a fast path", 40e6, 6, 8 * time.Millisecond, 12 * time.Millisecond},
		{"a large picture over a slow path", 1e6, 6, 35 * time.Millisecond, paceWithin},
		{"a large picture over an unknown path", 0, 6, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPace(&way{burst: tt.burst}, t.Context().Done())
				for range 3 { // pictures
					begin := time.Now()
					p.begin(tt.steps * bytes)
					for range tt.steps {
						if !p.wait(paceStep, bytes) {
							t.Fatal("stopped")
						}
					}
					if took := time.Since(begin); took < tt.least || took > tt.most {
						t.Errorf("it took %v, want %v to %v", took, tt.least, tt.most)
					}
					time.Sleep(200 * time.Millisecond)
				}
			})
		})
	}
}

// TestFullPath: pictures wait while the path is full, and go on when it is not; sound does not wait.
func TestFullPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t), &sink{ssrc: 1}
		w := &way{changed: make(chan struct{})}
		v := b.viewerOver(s, w)
		b.send(1, true)
		b.send(2, false)
		if got := s.frames(); got != 3 {
			t.Fatalf("%d frames were sent over a path with room", got)
		}
		w.full.Store(true)
		b.send(3, false)
		time.Sleep(300 * time.Millisecond)
		if got := s.frames(); got != 3 {
			t.Errorf("%d frames were sent over a full path", got-3)
		}
		w.full.Store(false)
		close(w.changed)
		synctest.Wait()
		if got := s.frames(); got != 6 {
			t.Errorf("%d frames were sent when there was room again, want 3", got-3)
		}
		s.checkUnbroken(t)
		b.end(v)
	})
}

// TestFullPathInSilence: a path that has room again because nobody reports is found out.
func TestFullPathInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &way{}
		w.full.Store(true)
		p := newPace(w, t.Context().Done())
		time.AfterFunc(time.Second, func() { w.full.Store(false) })
		begin := time.Now()
		if !p.wait(1, 100) {
			t.Fatal("stopped")
		}
		if took := time.Since(begin); took < time.Second || took > time.Second+2*fullPatience {
			t.Errorf("it took %v, want a second", took)
		}
		w.full.Store(true)
		stop := make(chan struct{})
		p = newPace(w, stop)
		time.AfterFunc(time.Second, func() { close(stop) })
		if p.wait(1, 100) {
			t.Error("a stopped track goes on")
		}
	})
}
