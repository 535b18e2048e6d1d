package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

var start = simworld.New().Start()

// ahead is a pose some millimetres ahead of the start.
func ahead(mm float64) simworld.Pose { return simworld.Pose{X: start.X + mm/1000, Y: start.Y} }

func TestPoses(t *testing.T) {
	now := time.Now()
	moving := func(mm float64, at time.Duration) Report {
		return Report{Pose: ahead(mm), Left: 0.5, Right: 0.5, Time: now.Add(at)}
	}
	for name, tt := range map[string]struct {
		reports []Report
		at      time.Duration
		want    float64 // mm ahead of the start
	}{
		"nothing heard":           {nil, 0, 0},
		"between two":             {[]Report{moving(0, 0), moving(10, 20*ms)}, 25*ms + behind - 20*ms, 2.5},
		"at the last":             {[]Report{moving(0, 0), moving(10, 20*ms)}, 20*ms + behind, 10},
		"before the last but one": {[]Report{moving(0, 0), moving(10, 20*ms), moving(20, 40*ms)}, behind, 10},
		"on after the last":       {[]Report{moving(0, 0), moving(10, 20*ms)}, 50*ms + behind, 25},
		"not on for ever":         {[]Report{moving(0, 0), moving(10, 20*ms)}, time.Second, 60},
		"the first":               {[]Report{moving(10, 0)}, 0, 10},
		"it stands":               {[]Report{moving(0, 0), {Pose: ahead(8), Time: now.Add(20 * ms)}}, time.Second, 8},
		"put somewhere else":      {[]Report{moving(2000, 0), moving(0, 20*ms)}, 25 * ms, 0},
		"heard again after a while": {[]Report{moving(0, 0), moving(400, 3*time.Second)}, 3*time.Second + behind - 10*ms,
			400},
		"two at once":                {[]Report{moving(0, 0), moving(10, 0)}, behind, 10},
		"two at once, a while after": {[]Report{moving(0, 0), moving(10, 0)}, behind - 5*ms, 0},
	} {
		t.Run(name, func(t *testing.T) {
			track := newTrack(simworld.New())
			for _, r := range tt.reports {
				track.hear(r)
			}
			got := track.at(now.Add(tt.at)).pose
			if mm := (got.X - start.X) * 1000; math.Abs(mm-tt.want) > 0.001 || got.Y != start.Y {
				t.Errorf("%.3f mm ahead, want %v", mm, tt.want)
			}
		})
	}
}

func TestHeadingsMixTheShortWay(t *testing.T) {
	track, now := newTrack(simworld.New()), time.Now()
	track.hear(Report{Pose: simworld.Pose{X: 2, Y: 3, Heading: 3.1}, Time: now})
	track.hear(Report{Pose: simworld.Pose{X: 2, Y: 3, Heading: -3.1}, Time: now.Add(20 * ms)})
	got := track.at(now.Add(10*ms + behind)).pose
	if math.Abs(math.Cos(got.Heading)+1) > 1e-9 {
		t.Errorf("half way from 3.1 to -3.1 is %v", got.Heading)
	}
}

// TestItDrivesSmoothlyAndStopsWhereItStands lets a rover drive and stop, and looks at what 30 pictures a second would
// show: even steps while it drives evenly, and when it stops no more of a step back than reports are late.
func TestItDrivesSmoothlyAndStopsWhereItStands(t *testing.T) {
	for late := range 6 { // ms
		random := rand.New(rand.NewPCG(5, uint64(late)))
		track, now := newTrack(simworld.New()), time.Now()
		const speed = 0.0008 // metres per ms
		allowed := float64(late)*speed + 1e-9
		x, shown := 0.5, 0.0
		report, picture, since := 0, 0, 0 // ms: of the next ones, and since it began to drive or stopped
		for i := range 5000 {
			driving := i/700%2 == 0
			if since++; i%700 == 0 {
				since = 0
			}
			if driving {
				x += speed
			}
			at := now.Add(time.Duration(i) * ms)
			if i == report {
				r := Report{Pose: simworld.Pose{X: x, Y: 3}, Time: at}
				if driving {
					r.Left, r.Right = 1000*speed, 1000*speed
				}
				track.hear(r)
				report += 18 + random.IntN(3+late)
			}
			if i != picture {
				continue
			}
			got := track.at(at).pose.X
			step := got - shown
			shown, picture = got, picture+33
			switch {
			case i == 0:
			case step < -allowed || got > x+allowed:
				t.Fatalf("%d ms late: after %d ms a step of %.2f mm to %.2f mm before where it is", late, i, 1000*step,
					1000*(x-got))
			case driving && since > 100 && math.Abs(step-33*speed) > 0.003+allowed:
				t.Fatalf("%d ms late: after %d ms a step of %.2f mm while it drives evenly", late, i, 1000*step)
			case !driving && since > 100 && math.Abs(got-x) > 1e-9:
				t.Fatalf("%d ms late: after %d ms it stands at %v, shown at %v", late, i, x, got)
			}
		}
	}
}

func TestTrail(t *testing.T) {
	track, now := newTrack(simworld.New()), time.Now()
	drive := func(from, to float64) {
		for mm := from; mm <= to; mm += 5 {
			now = now.Add(20 * ms)
			track.hear(Report{Pose: ahead(mm), Time: now})
		}
	}
	drive(0, 1000)
	trail := track.at(now).trail
	if len(trail) < 20 || len(trail) > 26 {
		t.Errorf("a metre has %d points: %v", len(trail), trail)
	}
	for i := 1; i < len(trail); i++ {
		if d := trail[i].x - trail[i-1].x; d < trailSpacing || d > trailSpacing+0.006 {
			t.Errorf("points %d and %d are %v apart", i-1, i, d)
		}
	}
	drive(0, 100) // its board was restarted
	if trail := track.at(now).trail; len(trail) != 3 || trail[0] != (place{start.X, start.Y}) {
		t.Errorf("after a restart: %v", trail)
	}
	now = now.Add(time.Second) // nobody looked
	drive(200, 210)
	if trail := track.at(now).trail; len(trail) != 1 {
		t.Errorf("after a pause: %v", trail)
	}
	drive(210, 20_000)
	trail = track.at(now).trail
	if last := trail[len(trail)-1]; len(trail) != trailLength || last.x < start.X+19.9 {
		t.Errorf("a long way has %d points, the last %v", len(trail), last)
	}
}
