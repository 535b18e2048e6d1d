package film

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/video/source"
)

// TestBehind: at the speed of the recording pictures are shown as much later as sound is; otherwise, and after a jump,
// at their time. Their replay_time is when their turn was.
func TestBehind(t *testing.T) {
	all := recorded()
	synctest.Test(t, func(t *testing.T) {
		const behind = 50 * time.Millisecond
		r := newReel(Config{Behind: behind}, slog.New(slog.DiscardHandler), func() { t.Error("a frame is unusable") })
		ctx, cancel := context.WithCancel(t.Context())
		type showing struct {
			source.Frame
			at time.Time
		}
		shown := make(chan showing, 100)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.capture(ctx, func(f source.Frame) {
				if !f.Replay.Again {
					shown <- showing{f, time.Now()}
				}
			})
		}()
		begun := time.Now()
		expect := func(n int, turn, late time.Duration) {
			t.Helper()
			s := <-shown
			is(t, s.Frame, n)
			if got := s.at.Sub(begun); got != turn+late || !s.Frame.Time.Equal(begun.Add(turn)) {
				t.Errorf("frame %d is shown at %v, its turn %v; want %v later than %v", n, got, s.Frame.Time.Sub(begun), late, turn)
			}
		}
		r.pace(1)
		r.seek(t, 12)
		expect(12, 0, 0)
		time.Sleep(time.Second)
		for n := range 3 {
			r.play(t, all[13+n])
			time.Sleep(interval)
		}
		for n := range 3 {
			expect(13+n, time.Second+time.Duration(n)*interval, behind)
		}
		turn := time.Since(begun)
		r.pace(2)
		r.play(t, all[16])
		time.Sleep(time.Second)
		expect(16, turn, 0)
		r.pace(1)
		r.play(t, all[17])
		cancel() // what was taken is shown nevertheless
		<-ended
	})
}
