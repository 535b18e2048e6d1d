package steer_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/linktest"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/steer"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// These tests have everything but the browser and the encoder: tracks, paths and steering, over the links of package
// linktest, in the time of a bubble.

// show is a camera, the gateway's part of it, and who drives.
type show struct {
	t        *testing.T
	camera   *camera
	hub      *tracks.Hub
	steering *steer.Steering
	drivers  *steer.Drivers
}

func newShow(t *testing.T) *show {
	s := &show{t: t, camera: newCamera(), drivers: steer.NewDrivers("motors")}
	s.hub = tracks.NewHub(s.camera, tracks.Config{})
	s.steering = steer.New(s.camera, s.hub, steer.Config{Drivers: s.drivers})
	return s
}

// join has somebody watch over a link.
func (s *show) join(name string, p linktest.Profile, seed uint64) *guest {
	return join(s.t, s.hub, s.steering, name, p, seed)
}

// drive has a guest drive for some time.
func (s *show) drive(g *guest, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(33 * time.Millisecond) {
		s.drivers.Accepted(g.name, "motors")
	}
}

func (s *show) close(all ...*guest) {
	for _, g := range all {
		g.leave()
	}
	s.steering.Close()
	s.hub.Close()
}

// constant is a link with a rate, a queue of 64 KB, and a round trip of 40 ms.
func constant(bps float64) linktest.Profile {
	from := linktest.Shape{Delay: 20 * time.Millisecond, Queue: 64 << 10, Rate: linktest.Constant(bps)}
	to := from
	to.Rate = linktest.Constant(3e6)
	return linktest.Profile{Name: "constant", FromRobot: from, ToRobot: to}
}

// TestStep has a driver's link fall from 3 to 0.5 Mbit/s, and come back after 15 s.
func TestStep(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const fall, back, end = 10 * time.Second, 25 * time.Second, 40 * time.Second
				s := newShow(t)
				g := s.join("driver", linktest.StepDown(64<<10, fall, back), seed)
				s.drive(g, end)
				stats := g.link.FromRobot.Stats()
				if stats.Overflowed.Packets > 0 {
					t.Errorf("%d packets overflowed", stats.Overflowed.Packets)
				}
				if age := g.age(.95, fall+2*time.Second, end); age > 150*time.Millisecond {
					t.Errorf("pictures are %v old 2 s after the fall and later", age)
				}
				if gap := g.gap(time.Second, end); gap > 400*time.Millisecond {
					t.Errorf("no picture for %v", gap)
				}
				if share := stats.Share(35, 40); share < 0.8 {
					t.Errorf("%.2f of the link are used 10 s after it is back", share)
				}
				if t.Failed() {
					t.Log("\n" + g.table())
				}
				s.close(g)
			})
		})
	}
}

// TestOneBadLink has two watch over good links, one of whom drives, and another over a bad one, which becomes good at
// last. Those with good links see nothing of it.
func TestOneBadLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const half = 20 * time.Second
		s := newShow(t)
		driver, other := s.join("driver", constant(20e6), 1), s.join("other", constant(20e6), 2)
		s.drive(driver, time.Second)
		bad := s.join("bad", constant(450e3), 3)
		s.drive(driver, half)
		if err := bad.link.Restart(constant(20e6)); err != nil {
			t.Fatal(err)
		}
		s.drive(driver, half)
		if age := bad.age(.95, 5*time.Second, half); age > 300*time.Millisecond {
			t.Errorf("over the bad link pictures are %v old", age)
		}
		if n := len(bad.of(videoSmall, 5*time.Second, half)); n < 14*14 {
			t.Errorf("%d pictures of the small version in 15 s", n)
		}
		if n := len(bad.of(video, 2*half-time.Second, 2*half)); n < 25 {
			t.Errorf("%d pictures of the stream in a second of the good link", n)
		}
		for _, g := range []*guest{driver, other} {
			if n := len(g.of(video, time.Second, 2*half)); n < 1100 {
				t.Errorf("%s: %d pictures in 39 s", g.name, n)
			}
			if gap := g.gap(time.Second, 2*half); gap > 250*time.Millisecond {
				t.Errorf("%s: no picture for %v", g.name, gap)
			}
		}
		if s.camera.most > 2 {
			t.Errorf("%d encoders at once", s.camera.most)
		}
		if t.Failed() {
			t.Log("\n" + bad.table() + driver.table())
		}
		s.close(driver, other, bad)
	})
}

// TestHardlyAnything has somebody watch over a link that carries key frames only: they get one every 2 s, and the queue
// of the link is left alone.
func TestHardlyAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const half = 20 * time.Second
		s := newShow(t)
		driver, bad := s.join("driver", constant(20e6), 1), s.join("bad", constant(450e3), 2)
		s.drive(driver, half)
		if err := bad.link.Restart(constant(90e3)); err != nil {
			t.Fatal(err)
		}
		s.drive(driver, 2*half)
		if n := len(bad.of(videoSmall, 2*half, 3*half)); n < 7 || n > 12 {
			t.Errorf("%d pictures in 20 s", n)
		}
		if age := bad.age(1, 2*half, 3*half); age > 2*time.Second {
			t.Errorf("a picture is %v old", age)
		}
		if n := len(driver.of(video, time.Second, 3*half)); n < 1700 {
			t.Errorf("the driver got %d pictures in 59 s", n)
		}
		if t.Failed() {
			t.Log("\n" + bad.table())
		}
		s.close(driver, bad)
	})
}
