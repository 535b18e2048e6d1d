package connect

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/source"
)

var doubling = Policy{Delay: time.Second, Backoff: 2, MaxDelay: 30 * time.Second}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func failure(reason feed.Reason) error { return feed.Failf(reason, "url", "the test says so") }

// The waits of rtsp-stream: 1, 2, 4, 8, 16, 30, 30 seconds.
func TestWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		policy Policy
		reason feed.Reason
		want   []time.Duration // after the first, second … failure
	}{
		"doubling": {doubling, feed.Away, seconds(1, 2, 4, 8, 16, 30, 30)},
		"constant": {Policy{Delay: time.Second, Backoff: 1, MaxDelay: 30 * time.Second}, feed.Away,
			seconds(1, 1, 1)},
		"nobody listens": {doubling, feed.Unreachable, []time.Duration{Booting, Booting, Booting}},
		"nobody listens, sooner": {Policy{Delay: 100 * time.Millisecond, Backoff: 2, MaxDelay: time.Second},
			feed.Unreachable, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, Booting}},
		"refused":   {doubling, feed.Refused, []time.Duration{Slow, Slow}},
		"not found": {doubling, feed.NotFound, []time.Duration{Slow, Slow}},
		"full":      {doubling, feed.Full, []time.Duration{Crowded, Crowded, Crowded, 8 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			for i, want := range tt.want {
				if got := tt.policy.wait(i+1, tt.reason); got != want {
					t.Errorf("after %d failures: %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

func seconds(n ...int) (all []time.Duration) {
	for _, s := range n {
		all = append(all, time.Duration(s)*time.Second)
	}
	return all
}

func TestAttemptsComeWhenTheyAreDue(t *testing.T) {
	line(t, doubling, []script{{dial: failure(feed.Away)}}, func(t *testing.T, l *Line, c *camera) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		use(ctx, l)
		for i, want := range seconds(0, 1, 3, 7, 15) {
			if got := c.dials[i]; got < want*9/10 || got > want*11/10 {
				t.Errorf("attempt %d came after %v, want %v give or take a tenth", i+1, got, want)
			}
		}
		if s := l.Status(); s.State != Waiting || s.Attempts != 5 || s.Reconnects != 4 || !errors.Is(s.Err, device.ErrAway) {
			t.Errorf("status %+v", s)
		}
	})
}

// Ten attempts, then exactly one event; an RPC starts over.
func TestGivingUp(t *testing.T) {
	policy := doubling
	policy.MaxAttempts = 10
	line(t, policy, []script{{dial: failure(feed.Away)}}, func(t *testing.T, l *Line, c *camera) {
		events := l.Events()
		defer events.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var used = make(chan struct{})
		go func() { defer close(used); use(ctx, l) }()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if len(c.dials) != 10 || l.Status().State != GaveUp {
			t.Errorf("%d attempts, state %v, want 10 and GaveUp", len(c.dials), l.Status().State)
		}
		if e, ok := events.TryNext(); !ok || e.Kind != EventGaveUp || !strings.Contains(e.Status.Err.Error(), "Reconnect") {
			t.Errorf("event %+v, want GaveUp with its reason and the remedy", e)
		}
		if e, ok := events.TryNext(); ok {
			t.Errorf("another event: %+v", e)
		}
		l.Retry()
		synctest.Wait()
		if len(c.dials) != 11 || l.Status().State != Waiting {
			t.Errorf("after Retry %d attempts, state %v", len(c.dials), l.Status().State)
		}
		cancel()
		<-used
	})
}

// A camera that accepts and dies at once is not hammered: failures count until pictures were healthy.
func TestOnlyHealthyPicturesResetTheWait(t *testing.T) {
	short, long := script{pictures: 5, end: failure(feed.Away)}, script{pictures: 200, end: failure(feed.Away)}
	line(t, doubling, []script{short, short, short, long, {pictures: -1}}, func(t *testing.T, l *Line, c *camera) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		events := l.Events()
		defer events.Close()
		use(ctx, l)
		played := 5 * interval
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 0} {
			if i == 3 {
				played = 200 * interval // healthy: the next attempt comes at once
			}
			if gap := c.dials[i+1] - c.dials[i] - played; gap < want*9/10 || gap > want*11/10 {
				t.Errorf("attempt %d came %v after the end of the last, want %v give or take a tenth", i+2, gap, want)
			}
		}
		var kinds []EventKind
		for e, ok := events.TryNext(); ok; e, ok = events.TryNext() {
			kinds = append(kinds, e.Kind)
		}
		if want := 9; len(kinds) != want || kinds[0] != EventConnected || kinds[1] != EventDisconnected {
			t.Errorf("events %v, want %d by turns", kinds, want)
		}
		if s := l.Status(); s.Connects != 5 || s.Reconnects != 4 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestSilenceIsNoticed(t *testing.T) {
	line(t, doubling, []script{{pictures: 250, pause: time.Hour}, {pictures: -1}}, func(t *testing.T, l *Line, c *camera) {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second + 900*time.Millisecond)
		if st := l.Status(); st.State != Connected || st.FPS != 25 {
			t.Errorf("after 0.9 s of silence %+v", st)
		}
		time.Sleep(200 * time.Millisecond)
		if st := l.Status(); st.State != Stalled {
			t.Errorf("after 1.1 s of silence %v, want Stalled", st.State)
		}
		err = s.(source.Watcher).Watch(t.Context())
		if since := time.Since(c.made); since > 12*time.Second || !strings.Contains(err.Error(), "no pictures") {
			t.Errorf("after %v: %v, want 2 s of silence", since-10*time.Second, err)
		}
		_ = s.Close()
		use(timeout(t, time.Second), l)
		if len(c.dials) != 2 || c.dials[1] > 12*time.Second+100*time.Millisecond {
			t.Errorf("attempts at %v, want the second at once", c.dials)
		}
	})
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A camera may send a picture each few seconds: after a few attempts its connection is left alone, though nothing told
// so before. One that goes silent after many pictures is noticed as soon as ever.
func TestAPictureEachFewSeconds(t *testing.T) {
	for _, every := range []time.Duration{2500 * time.Millisecond, 7 * time.Second, 20 * time.Second} {
		slow := script{pictures: -1, every: every}
		line(t, doubling, []script{slow}, func(t *testing.T, l *Line, c *camera) {
			use(timeout(t, 10*time.Minute), l)
			if last := c.dials[len(c.dials)-1]; len(c.dials) > 6 || last > 2*time.Minute {
				t.Errorf("a picture each %v: attempts at %v", every, c.dials)
			}
		})
	}
	starts := script{pictures: 10, pause: time.Hour}
	line(t, doubling, []script{starts, starts, {pictures: 250, pause: time.Hour}, {pictures: -1}},
		func(t *testing.T, l *Line, _ *camera) {
			use(timeout(t, 90*time.Second), l)
			if got := l.patience(); got != 0 {
				t.Errorf("after many pictures and a silence, the next silence may be %v", got)
			}
		})
}

// A camera that sends only pieces of pictures is not alive.
func TestPiecesAreNoSignOfLife(t *testing.T) {
	line(t, doubling, []script{{pictures: -1, damaged: 250}}, func(t *testing.T, l *Line, c *camera) {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = s.(source.Watcher).Watch(t.Context())
		if since := time.Since(c.made) - 250*interval; since < time.Second || since > 2*time.Second+interval {
			t.Errorf("%v after the last whole picture: %v, want 2 s", since, err)
		}
		_ = s.Close()
	})
}

// The time until the first picture says nothing of a camera's health.
func TestWakingUpIsNotHealth(t *testing.T) {
	short := script{wake: 10 * time.Second, pictures: 5, end: failure(feed.Away)}
	line(t, doubling, []script{short, short, {pictures: -1}}, func(t *testing.T, l *Line, c *camera) {
		use(timeout(t, 40*time.Second), l)
		for i, want := range []time.Duration{time.Second, 2 * time.Second} {
			if gap := c.dials[i+1] - c.dials[i] - short.wake - 5*interval; gap < want*9/10 || gap > want*11/10 {
				t.Errorf("attempt %d came %v after the end of the last, want %v give or take a tenth", i+2, gap, want)
			}
		}
	})
}

// hidden shows no picture.
type hidden struct{ pictures }

func (hidden) Add(feed.Picture, time.Time) (source.Frame, bool) { return source.Frame{}, false }
func (hidden) Remarks() Remarks                                 { return Remarks{Waits: "they are too large"} }

// While pictures come that cannot be shown, the status says why, before the attempt is given up.
func TestPicturesThatCannotBeShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &camera{scripts: []script{{pictures: -1}}, made: time.Now()}
		l := New(Config{Dial: c.dial, Policy: doubling, Pictures: func(feed.Track) Pictures { return &hidden{} }})
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := l.Open(ctx); err == nil {
			t.Error("it is open")
		}
		s := l.Status()
		if s.State != Connecting || s.Err == nil || !strings.Contains(s.Err.Error(), "too large") {
			t.Errorf("after 5 s: %+v", s)
		}
	})
}

func TestACameraWithoutPictures(t *testing.T) {
	line(t, doubling, []script{{pause: time.Hour}}, func(t *testing.T, l *Line, c *camera) {
		_, err := l.Open(t.Context())
		if err == nil || time.Since(c.made) != FirstPicture || !strings.Contains(err.Error(), "H.264") {
			t.Errorf("after %v: %v", time.Since(c.made), err)
		}
	})
}

// The pipeline may be late; what it gets can be decoded.
func TestALatePipelineBeginsAtAKeyFrame(t *testing.T) {
	line(t, doubling, []script{{pictures: 100, pause: time.Hour}}, func(t *testing.T, l *Line, _ *camera) {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(100 * interval)
		var got []source.Frame
		if err := s.Capture(timeout(t, 100*time.Millisecond), func(f source.Frame) { got = append(got, f) }); err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 || !got[0].Key || got[0].Lost+len(got) != 100 {
			t.Errorf("%d frames, the first a key frame: %v, after %d lost", len(got), got[0].Key, got[0].Lost)
		}
	})
}
