package steer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

var (
	front = tracks.Stream{Device: "front", Name: "video"}
	rear  = tracks.Stream{Device: "rear", Name: "video"}
	began = time.Unix(1_700_000_000, 0)
)

// watching returns a viewer of streams that have small versions.
func watching(r Reading, streams ...tracks.Stream) *viewer {
	v := &viewer{reading: r}
	for _, s := range streams {
		v.views = append(v.views, &view{main: s, small: true})
	}
	return v
}

// by returns the reading of a healthy path.
func by(available int64) Reading { return Reading{Available: available, Healthy: true} }

// driving returns the reading of a driver's path.
func driving(available int64) Reading {
	return Reading{Available: available, Healthy: true, Drives: true}
}

// testPolicy returns the rules for two cameras of 2 Mbit/s.
func testPolicy(see string) *policy {
	return &policy{see: see, streams: map[tracks.Stream]*program{
		front: {configured: 2_000_000}, rear: {configured: 2_000_000},
	}}
}

// run decides ten times a second for some time, and returns the time after.
func (p *policy) run(now time.Time, d time.Duration, viewers ...*viewer) time.Time {
	for end := now.Add(d); now.Before(end); now = now.Add(100 * time.Millisecond) {
		p.decide(now, viewers)
	}
	return now
}

func TestWhoDecides(t *testing.T) {
	silent := Reading{Available: 300_000}
	for _, tt := range []struct {
		name   string
		see    string
		paths  []Reading
		want   int64 // 0: no limit
		by     decider
		paused bool
	}{
		{"nobody watches", "", nil, 0, byNobody, false},
		{"nothing is known", "", []Reading{{}, {Healthy: true}}, 0, byNobody, false},
		{"one viewer", "", []Reading{by(1_000_000)}, 950_000, byViewers, false},
		{"one viewer with room", "", []Reading{by(9_000_000)}, 0, byViewers, false},
		{"one viewer whose path is full", "", []Reading{{Available: 1_000_000, Healthy: true, Full: true}}, 950_000,
			byViewers, true},
		{"never the slower of two", "", []Reading{by(300_000), by(1_000_000)}, 950_000, byViewers, false},
		{"a quarter may be slower", "", []Reading{by(1_600_000), by(100_000), by(200_000), by(1_000_000), by(1_100_000),
			by(1_200_000), by(1_300_000), by(1_400_000)}, 950_000, byViewers, false},
		{"a full path of one of two", "", []Reading{{Available: 300_000, Healthy: true, Full: true}, by(1_000_000)},
			950_000, byViewers, false},
		{"one whose path is unknown has no objection", "", []Reading{by(300_000), {}}, 0, byNobody, false},
		{"who has fallen silent does not count", "", []Reading{silent, silent, by(1_000_000)}, 950_000, byViewers, false},
		{"the driver", "", []Reading{driving(1_000_000), by(9_000_000), by(9_000_000)}, 950_000, byDriver, false},
		{"the driver, whatever the others have", "", []Reading{driving(9_000_000), by(100_000), by(100_000)}, 0, byDriver,
			false},
		{"a driver whose path is unknown", "", []Reading{{Drives: true}, by(100_000), by(100_000)}, 0, byDriver, false},
		{"a driver with next to nothing", "", []Reading{driving(10_000), by(9_000_000)}, minRate, byDriver, false},
		{"a driver whose path is full", "", []Reading{{Available: 1_000_000, Drives: true, Full: true}, by(9_000_000)},
			950_000, byDriver, true},
		{"a driver who must see another camera, and does not watch it", "rear", []Reading{driving(1_000_000), by(9_000_000)},
			950_000, byDriver, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := testPolicy(tt.see)
			var all []*viewer
			for _, r := range tt.paths {
				all = append(all, watching(r, front))
			}
			p.decide(began, all)
			if s := p.streams[front]; s.target != tt.want || s.by != tt.by || s.paused != tt.paused {
				t.Errorf("target %d, decided by %v, paused %v, want %d, %v, %v", s.target, s.by, s.paused, tt.want, tt.by,
					tt.paused)
			}
		})
	}
}

func TestOnePathManyCameras(t *testing.T) {
	for _, tt := range []struct {
		name        string
		see         string
		path        Reading
		front, rear int64 // shares
	}{
		{"equal", "", driving(1_000_000), 500_000, 500_000},
		{"the camera to be seen has all but a small one", "front", driving(1_000_000), 850_000, 150_000},
		{"no more than it needs", "front", driving(5_000_000), 2_105_263, 2_894_737},
		{"and no less than half", "front", driving(200_000), 100_000, 100_000},
		{"only of the driver", "front", by(1_000_000), 500_000, 500_000},
		{"unknown", "front", driving(0), 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, v := testPolicy(tt.see), watching(tt.path, rear, front)
			p.decide(began, []*viewer{v})
			if v.views[1].share != tt.front || v.views[0].share != tt.rear {
				t.Errorf("front %d, rear %d, want %d and %d", v.views[1].share, v.views[0].share, tt.front, tt.rear)
			}
		})
	}
}

// TestSeenCameraOnly has a driver whose path carries one camera: the other one, which somebody else watches too, does
// not follow the driver down.
func TestSeenCameraOnly(t *testing.T) {
	p := testPolicy("front")
	d, other := watching(driving(1_000_000), front, rear), watching(by(9_000_000), front, rear)
	p.run(began, giveUp+time.Second, d, other)
	if f, r := p.streams[front], p.streams[rear]; f.target != 807_500 || r.target != 0 {
		t.Errorf("limits %d and %d", f.target, r.target)
	}
	if d.views[0].fit.version != whole || d.views[1].fit.version != small || other.views[1].fit.version != whole {
		t.Errorf("the driver gets %v and %v, the other %v", d.views[0].fit.version, d.views[1].fit.version,
			other.views[1].fit.version)
	}
}

// TestLettingGo has the bit rate glide when the driver lets go, and follow at once who drives next.
func TestLettingGo(t *testing.T) {
	p, v, other := testPolicy(""), watching(driving(400_000), front), watching(by(9_000_000), front)
	s := p.streams[front]
	now := p.run(began, time.Second, v, other)
	if s.target != 380_000 {
		t.Fatalf("target %d", s.target)
	}
	v.reading.Drives = false
	last := s.target
	for range 14 {
		p.decide(now, []*viewer{v, other})
		if s.target < last || s.target > last*13/10 || s.target >= s.configured {
			t.Fatalf("the target went from %d to %d", last, s.target)
		}
		last = s.target
		now = now.Add(100 * time.Millisecond)
	}
	if now = p.run(now, 200*time.Millisecond, v, other); s.target != 0 {
		t.Fatalf("target %d after the glide", s.target)
	}
	v.reading.Drives = true
	if p.decide(now, []*viewer{v, other}); s.target != 380_000 {
		t.Errorf("target %d with the driver back", s.target)
	}
}

// TestCameraWithoutLimits has everybody get the version that fits, the driver too.
func TestCameraWithoutLimits(t *testing.T) {
	p, v := testPolicy(""), watching(driving(400_000), front)
	p.streams[front] = &program{fixed: true, measured: 2_000_000}
	p.run(began, giveUp+time.Second, v)
	if s := p.streams[front]; s.target != 0 || s.paused || v.views[0].fit.version != small || s.smallTarget != maxSmall {
		t.Errorf("target %d, paused %v, version %v at %d", s.target, s.paused, v.views[0].fit.version, s.smallTarget)
	}
}

// TestSmallVersionLasts keeps the small version for a while after its last viewer.
func TestSmallVersionLasts(t *testing.T) {
	p, v, other := testPolicy(""), watching(by(400_000), front), watching(by(9_000_000), front)
	now := p.run(began, giveUp+200*time.Millisecond, v, other)
	s := p.streams[front]
	if v.views[0].fit.version != small || !s.smallHeld(now) {
		t.Fatalf("version %v, held %v", v.views[0].fit.version, s.smallHeld(now))
	}
	v.reading.Available = 90_000
	now = p.run(now, 2*smallPatience, v, other)
	if v.views[0].fit.version != keys || !s.smallHeld(now) || s.smallTarget != minSmall {
		t.Errorf("version %v, held %v, target %d", v.views[0].fit.version, s.smallHeld(now), s.smallTarget)
	}
	now = p.run(now, smallPatience-time.Second, other)
	if !s.smallHeld(now) {
		t.Error("the small version ended early")
	}
	if now = p.run(now, 2*time.Second, other); s.smallHeld(now) {
		t.Error("the small version did not end")
	}
}

// TestHistories checks what must hold whatever happens to the paths.
func TestHistories(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 13))
			see := []string{"", "front", "rear", "door"}[r.IntN(4)]
			p, all := testPolicy(see), make([]*viewer, 1+r.IntN(6))
			for i := range all {
				all[i] = watching(Reading{}, [][]tracks.Stream{{front}, {rear}, {front, rear}}[r.IntN(3)]...)
			}
			now := began
			for range 400 {
				now = now.Add(time.Duration(r.IntN(400)) * time.Millisecond)
				disturb(r, all)
				watched := all[:1+r.IntN(len(all))]
				p.decide(now, watched)
				checkDecision(t, p, watched, now)
			}
		})
	}
}

// disturb changes the path of somebody, and sometimes who drives.
func disturb(r *rand.Rand, all []*viewer) {
	v := all[r.IntN(len(all))]
	v.reading = Reading{
		Available: r.Int64N(3) * r.Int64N(5_000_000), Drives: v.reading.Drives,
		Queue: time.Duration(r.IntN(400)) * time.Millisecond, Full: r.IntN(3) == 0, Healthy: r.IntN(4) > 0,
	}
	if r.IntN(20) == 0 {
		driver := r.IntN(2 * len(all))
		for i, v := range all {
			v.reading.Drives = i == driver
		}
	}
}

func checkDecision(t *testing.T, p *policy, watched []*viewer, now time.Time) {
	t.Helper()
	for stream, s := range p.streams {
		if s.target != 0 && (s.target < minRate || s.target >= s.configured) {
			t.Fatalf("%v: target %d", stream, s.target)
		}
		if s.smallTarget != 0 && (s.smallTarget < minSmall || s.smallTarget > maxSmall) {
			t.Fatalf("%v: small target %d", stream, s.smallTarget)
		}
		if len(s.smallVotes) > 0 && !s.smallHeld(now) {
			t.Fatalf("%v: there is no small version for its viewers", stream)
		}
		for _, v := range s.votes {
			if v.decides && v.share > 0 && s.rate() > max(v.share, minRate) {
				t.Fatalf("%v has %d, and the driver's path carries %d", stream, s.rate(), v.share)
			}
		}
	}
	for _, v := range watched {
		var shares int64
		for _, w := range v.views {
			shares += w.share
			if p.vote(v, w).decides && w.fit.version != whole {
				t.Fatalf("the driver gets %v of %v", w.fit.version, w.main)
			}
		}
		if shares > v.reading.Available {
			t.Fatalf("shares of %d on a path of %d", shares, v.reading.Available)
		}
	}
}

// TestOthersAreNotHurt compares two histories that differ in the path of one viewer, who does not drive: with at least
// two others, whose paths are alike, nothing changes for them.
func TestOthersAreNotHurt(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		a, b := testPolicy(""), testPolicy("")
		path := by(500_000 + r.Int64N(4_000_000))
		others := func() (all []*viewer) {
			for range 2 + seed%4 {
				all = append(all, watching(path, front))
			}
			return all
		}
		goodA, goodB := others(), others()
		oneA, oneB := watching(path, front), watching(path, front)
		now := began
		for range 300 {
			now = now.Add(100 * time.Millisecond)
			oneB.reading = Reading{Available: 1 + r.Int64N(path.Available), Full: r.IntN(2) == 0, Healthy: r.IntN(2) == 0,
				Queue: time.Duration(r.IntN(900)) * time.Millisecond}
			a.decide(now, append(goodA, oneA))
			b.decide(now, append(goodB, oneB))
			if a, b := a.streams[front], b.streams[front]; a.target != b.target || b.paused {
				t.Fatalf("seed %d: target %d instead of %d, paused %v", seed, b.target, a.target, b.paused)
			}
			for _, v := range goodB {
				if v.views[0].fit.version != whole {
					t.Fatalf("seed %d: a good viewer gets %v", seed, v.views[0].fit.version)
				}
			}
		}
	}
}
