package steer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var frontSmall = tracks.Stream{Device: "front", Name: "video-small"}

// robot is the cameras, as they behave: limits lapse, and a pause ends.
type robot struct {
	mu      sync.Mutex
	calls   []string
	limits  map[tracks.Stream]limit
	paused  time.Time // until when the front camera pauses
	held    map[tracks.Stream]int
	refusal error
	noSmall bool
}

type limit struct {
	bps   int64
	until time.Time
}

func newRobot() *robot {
	return &robot{limits: make(map[tracks.Stream]limit), held: make(map[tracks.Stream]int)}
}

func (r *robot) Limit(_ context.Context, s tracks.Stream, bps int64, ttl time.Duration) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprint(s.Name, " ", bps, " ", ttl))
	switch {
	case r.refusal != nil:
		return 0, r.refusal
	case ttl == 0:
		delete(r.limits, s)
	default:
		r.limits[s] = limit{bps, time.Now().Add(ttl)}
	}
	return 2_000_000, nil
}

func (r *robot) Pause(_ context.Context, s tracks.Stream, ttl time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprint(s.Name, " pause ", ttl))
	r.paused = time.Now().Add(min(ttl, 500*time.Millisecond))
	return r.refusal
}

// rate is what a stream has now.
func (r *robot) rate(s tracks.Stream) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch l, limited := r.limits[s]; {
	case time.Now().Before(r.paused):
		return 0
	case limited && time.Now().Before(l.until):
		return l.bps
	}
	return 2_000_000
}

func (r *robot) Small(s tracks.Stream) (tracks.Stream, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return tracks.Stream{Device: s.Device, Name: s.Name + "-small"}, !r.noSmall
}

func (r *robot) Hold(_ context.Context, s tracks.Stream) (func(), error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[s]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held[s]--
	}, nil
}

func (r *robot) holds(s tracks.Stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[s] > 0
}

// seat is a viewer's path and what they get.
type seat struct {
	mu        sync.Mutex
	available int64
	full      bool
	silent    bool
	want      int64
	stream    tracks.Stream
	keysOnly  bool
}

func (p *seat) set(change func(*seat)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *seat) get() (stream string, keysOnly bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream.Name, p.keysOnly
}

func (p *seat) Available() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.available
}

func (p *seat) Full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.full
}

func (p *seat) Heard() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		return time.Time{}
	}
	return time.Now()
}

func (*seat) Queue() time.Duration { return 0 }
func (*seat) Rate() int64          { return 1_900_000 }
func (p *seat) Want(bps int64)     { p.set(func(p *seat) { p.want = bps }) }

func (p *seat) Send(_ context.Context, s tracks.Stream, keysOnly bool) {
	p.set(func(p *seat) { p.stream, p.keysOnly = s, keysOnly })
}

// sit adds a viewer of the front camera.
func sit(s *Steering, peer string, available int64) (*seat, *Viewer) {
	p := &seat{available: available}
	v := s.Join(peer, p)
	v.Show("0", front, p)
	return p, v
}

func steering(t *testing.T, r *robot, c Config) *Steering {
	s := New(r, r, c)
	t.Cleanup(s.Close)
	return s
}

func expectRate(t *testing.T, r *robot, s tracks.Stream, want int64) {
	t.Helper()
	synctest.Wait()
	if got := r.rate(s); got != want {
		t.Fatalf("%s has %d bit/s, want %d", s.Name, got, want)
	}
}

func TestDriverSetsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := newRobot(), NewDrivers("motors")
		s := steering(t, r, Config{Drivers: d})
		sit(s, "a", 9_000_000)
		mine, v := sit(s, "b", 1_000_000)
		time.Sleep(time.Second)
		expectRate(t, r, front, 2_000_000) // the slower of two does not matter
		d.Accepted("b", "motors")
		expectRate(t, r, front, 950_000) // at once
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			d.Accepted("b", "motors")
			expectRate(t, r, front, 950_000) // renewed
		}
		mine.set(func(p *seat) { p.available = 500_000 })
		v.Changed()
		expectRate(t, r, front, 475_000)
		time.Sleep(drivingFor + glideTime/2)
		synctest.Wait()
		if rate := r.rate(front); rate < 500_000 || rate > 1_500_000 {
			t.Errorf("%d bit/s amid the glide", rate)
		}
		time.Sleep(glideTime)
		expectRate(t, r, front, 2_000_000)
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := newRobot(), NewDrivers("")
		s := steering(t, r, Config{Drivers: d})
		other, bystander := sit(s, "a", 1_000_000)
		driver, v := sit(s, "b", 1_000_000)
		d.Accepted("b", "motors")
		expectRate(t, r, front, 950_000)
		driver.set(func(p *seat) { p.full = true })
		v.Changed()
		expectRate(t, r, front, 0) // at once
		driver.set(func(p *seat) { p.available = 600_000 })
		v.Changed()
		synctest.Wait()
		if r.mu.Lock(); r.limits[front].bps != 570_000 { // it is told in time for the first picture afterwards
			t.Errorf("the pausing camera has the limit %d", r.limits[front].bps)
		}
		r.mu.Unlock()
		driver.set(func(p *seat) { p.available = 1_000_000 })
		time.Sleep(900 * time.Millisecond)
		d.Accepted("b", "motors")
		expectRate(t, r, front, 0) // as long as it is full
		driver.set(func(p *seat) { p.full = false })
		v.Changed()
		expectRate(t, r, front, 950_000)
		other.set(func(p *seat) { p.full = true })
		bystander.Changed()
		time.Sleep(turnEvery)
		expectRate(t, r, front, 950_000)
	})
}

// TestOnlyViewer has the camera follow the path of a viewer who is alone, though nobody drives.
func TestOnlyViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRobot()
		s := steering(t, r, Config{})
		mine, v := sit(s, "a", 0)
		time.Sleep(time.Second)
		expectRate(t, r, front, 2_000_000)
		mine.set(func(p *seat) { p.available = 300_000 })
		v.Changed()
		expectRate(t, r, front, 285_000)
		mine.set(func(p *seat) { p.full = true })
		v.Changed()
		expectRate(t, r, front, 0)
		if stream, _ := mine.get(); stream != "video" {
			t.Errorf("the viewer gets %s", stream)
		}
		v.Leave()
		v.Leave()
		time.Sleep(turnEvery)
		expectRate(t, r, front, 2_000_000) // lifted
		if len(s.metrics.paused) != 0 {
			t.Error("the stream is not forgotten")
		}
	})
}

func TestSmallVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRobot()
		s := steering(t, r, Config{})
		good, _ := sit(s, "a", 9_000_000)
		bad, v := sit(s, "b", 300_000)
		time.Sleep(giveUp + time.Second)
		expectRate(t, r, frontSmall, 285_000)
		expectRate(t, r, front, 2_000_000)
		if stream, keysOnly := bad.get(); stream != "video-small" || keysOnly || !r.holds(frontSmall) {
			t.Errorf("the bad path gets %s, keys only: %v, held: %v", stream, keysOnly, r.holds(frontSmall))
		}
		if stream, _ := good.get(); stream != "video" {
			t.Errorf("the good path gets %s", stream)
		}
		if bad.want < 2_600_000 {
			t.Errorf("the bad path is wanted to carry %d", bad.want)
		}
		bad.set(func(p *seat) { p.available = 90_000 })
		time.Sleep(giveUp + time.Second)
		if stream, keysOnly := bad.get(); stream != "video-small" || !keysOnly {
			t.Errorf("the bad path gets %s, keys only: %v", stream, keysOnly)
		}
		v.Hide("0")
		time.Sleep(smallPatience - 2*time.Second)
		if !r.holds(frontSmall) {
			t.Error("the small version ended too early")
		}
		time.Sleep(3 * time.Second)
		if r.holds(frontSmall) {
			t.Error("the small version did not end")
		}
	})
}

func TestCameraThatTakesNoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRobot()
		r.refusal = status.Error(codes.FailedPrecondition, "the hardware compresses")
		s := steering(t, r, Config{})
		mine, v := sit(s, "a", 400_000)
		for range 20 {
			time.Sleep(time.Second)
			v.Changed()
		}
		synctest.Wait()
		if n := len(r.calls); n == 0 || slices.Contains(r.calls[1:], "video 380000 3s") || n > 4 {
			t.Errorf("the camera was asked: %v", r.calls)
		}
		if stream, _ := mine.get(); stream != "video-small" {
			t.Errorf("the viewer gets %s", stream)
		}
	})
}

// TestCameraAway goes on telling a camera that does not answer.
func TestCameraAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRobot()
		r.refusal = status.Error(codes.Unavailable, "no such device")
		s := steering(t, r, Config{})
		sit(s, "a", 400_000)
		time.Sleep(5 * time.Second)
		r.mu.Lock()
		r.refusal = nil
		r.mu.Unlock()
		time.Sleep(limitEvery)
		expectRate(t, r, front, 380_000)
	})
}

func TestDrivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDrivers("motors")
		expect := func(peer string, drives, commands bool) {
			t.Helper()
			now := time.Now()
			if d.Drives(peer, now) != drives || d.Commands(peer, now) != commands {
				t.Errorf("%s drives: %v, commands: %v", peer, d.Drives(peer, now), d.Commands(peer, now))
			}
		}
		expect("a", false, false)
		d.Accepted("a", "mount")
		expect("a", true, true)
		d.Accepted("b", "motors")
		expect("a", false, true)
		expect("b", true, true)
		d.Accepted("c", "motors")
		expect("b", false, false)
		time.Sleep(drivingFor / 2)
		d.Accepted("a", "mount")
		time.Sleep(drivingFor / 2)
		expect("c", false, false)
		expect("a", true, true)
	})
	if (*Drivers)(nil).Drives("a", time.Now()) {
		t.Error("somebody drives")
	}
}

// TestNothingToSteer has viewers without a Steering.
func TestNothingToSteer(t *testing.T) {
	v := (*Steering)(nil).Join("a", &seat{})
	v.Show("0", front, &seat{})
	v.Hide("0")
	v.Changed()
	v.Leave()
}
