package player

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/recording/play"
)

// rig is a transport in the time of a bubble.
type rig struct {
	*transport
	changes int
}

func newRig(c play.Clock) *rig {
	begun := time.Now()
	r := &rig{}
	r.transport = &transport{now: func() time.Duration { return time.Since(begun) },
		changed: func(play.Clock) { r.changes++ }, clock: c}
	return r
}

func (r *rig) expect(t *testing.T, what string, place time.Duration, jump int64, playing bool) {
	t.Helper()
	s := r.get().State(r.now())
	if got := s.GetOffset().AsDuration(); got != place || s.GetJump() != jump || s.GetPlaying() != playing {
		t.Errorf("%s: at %v after jump %d, playing: %v; want %v, %d, %v", what, got, s.GetJump(), s.GetPlaying(), place, jump,
			playing)
	}
}

const second = time.Second

func TestTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(play.Clock{Jump: 1, Speed: 1, Duration: 60 * second})
		r.expect(t, "paused", 0, 1, false)
		time.Sleep(second)
		r.play()
		time.Sleep(2 * second)
		r.expect(t, "playing", 2*second, 1, true)
		r.setSpeed(10)
		time.Sleep(second)
		r.expect(t, "fast", 12*second, 1, true)
		r.pause()
		time.Sleep(time.Hour)
		r.expect(t, "paused again", 12*second, 1, false)
		r.seek(30 * second)
		r.expect(t, "elsewhere", 30*second, 2, false)
		r.setSpeed(0.1)
		r.play()
		time.Sleep(10 * second)
		r.expect(t, "slowly", 31*second, 2, true)
		r.seek(2 * time.Hour)
		r.expect(t, "beyond the end", 60*second, 3, false)
		r.seek(10 * second)
		r.expect(t, "back from the end", 10*second, 4, true)
		time.Sleep(time.Hour)
		r.expect(t, "at the end", 60*second, 4, false)
		r.play()
		r.expect(t, "from the beginning", 0, 5, true)
		if r.changes != 9 {
			t.Errorf("%d changes were told", r.changes)
		}
	})
}

// TestLoop: the recording begins again at its end, however late that is noticed, and one that is empty does not spin.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(play.Clock{Jump: 1, Playing: true, Speed: 2, Duration: 60 * second})
		if left, comes := r.end(); left != 30*second || !comes {
			t.Errorf("it ends in %v (%v)", left, comes)
		}
		r.setLoop(true)
		time.Sleep(29 * second)
		r.end()
		r.expect(t, "before the end", 58*second, 1, true)
		time.Sleep(second)
		if left, comes := r.end(); left != 30*second || !comes {
			t.Errorf("then it ends in %v (%v)", left, comes)
		}
		r.expect(t, "again", 0, 2, true)
		r.pause()
		time.Sleep(time.Hour)
		if left, comes := r.end(); comes {
			t.Errorf("it is paused and ends in %v", left)
		}
		r.expect(t, "paused", 0, 2, false)
		empty := newRig(play.Clock{Playing: true, Speed: 1, Loop: true})
		if left, comes := empty.end(); comes {
			t.Errorf("a recording of one moment ends in %v", left)
		}
	})
}
