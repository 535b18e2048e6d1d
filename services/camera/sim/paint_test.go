package sim

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
)

// painted is a picture of the usual size.
func painted(v view, m moment) *media.I420 {
	img := media.NewI420(defaultWidth, defaultHeight)
	v.paint(img, m)
	return img
}

func TestEverythingSolidHasALook(t *testing.T) {
	all := looks()
	for _, m := range simworld.Materials() {
		if _, ok := all[m]; ok != m.Solid() {
			t.Errorf("material %q: looks %v, solid %v", m, ok, m.Solid())
		}
		if m.Solid() && m.Height() <= eye {
			t.Errorf("material %q is lower than the camera: its top would have to be painted", m)
		}
	}
}

// TestEveryPixelIsPainted at all sizes and from everywhere, even from within walls: with values that pictures may have.
func TestEveryPixelIsPainted(t *testing.T) {
	world := simworld.New()
	random := rand.New(rand.NewPCG(7, 8))
	for _, size := range [][2]int{{16, 16}, {17, 33}, {16, 600}, {600, 16}, {161, 91}, {321, 240}, {640, 360}} {
		views := map[string]view{Front: newFront(world, size[0], size[1]), Above: newAbove(world, size[0], size[1])}
		for name, v := range views {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				for range 20 {
					m := moment{
						pose:  simworld.Pose{X: 12*random.Float64() - 2, Y: 10*random.Float64() - 2, Heading: 7*random.Float64() - 3.5},
						trail: []place{{1, 1}, {-100, 50}, {7, 5}}, bumped: random.IntN(2) == 0,
					}
					a, b := media.NewI420(size[0], size[1]), media.NewI420(size[0], size[1])
					for _, plane := range [][]byte{b.Y, b.U, b.V} {
						fill(plane, 255)
					}
					v.paint(a, m)
					v.paint(b, m)
					if !bytes.Equal(a.Packed(), b.Packed()) {
						t.Fatalf("at %+v what was on the picture before shines through", m.pose)
					}
					inRange(t, a)
					newNotice(size[0], size[1], "no reports from motors").paint(a)
					inRange(t, a)
				}
			})
		}
	}
}

func inRange(t *testing.T, p *media.I420) {
	t.Helper()
	for i, v := range p.Y {
		if v < 16 || v > 235 {
			t.Fatalf("luma %d at %d,%d", v, i%p.Width, i/p.Width)
		}
	}
	for i := range p.U {
		if u, v := p.U[i], p.V[i]; u < 16 || u > 240 || v < 16 || v > 240 {
			t.Fatalf("chroma %d, %d at %d,%d", u, v, i%p.StrideC, i/p.StrideC)
		}
	}
}

func TestPaintingAllocatesNothing(t *testing.T) {
	world := simworld.New()
	for name, v := range map[string]view{Front: newFront(world, 320, 180), Above: newAbove(world, 320, 180)} {
		img := media.NewI420(320, 180)
		m := moment{pose: start, trail: []place{{1, 1}, {2, 2}}}
		if n := testing.AllocsPerRun(10, func() { v.paint(img, m) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestWallsGrowAsOneComesNearer measures the wall in the middle of the picture: it begins where the sky ends.
func TestWallsGrowAsOneComesNearer(t *testing.T) {
	f := newFront(simworld.New(), defaultWidth, defaultHeight)
	for x := 3.0; x < 5.6; x += 0.1 {
		p := painted(f, moment{pose: simworld.Pose{X: x, Y: 3.25}}) // toward the eastern wall at 7.75 m, beside a crate
		const column = defaultWidth/2 + 1
		row := 0
		for row < int(f.horizon) && p.Y[row*p.StrideY+column] == f.sky[row].y {
			row++
		}
		want := f.horizon - (simworld.East.Height()-eye)*f.focal/(7.75-x)
		if math.Abs(float64(row)-want) > 1.5 {
			t.Errorf("from %.1f m the wall begins at row %d, want %.1f", 7.75-x, row, want)
		}
	}
}

// centre is where on the picture, from left to right, colour is that is this strongly red; n is how much of it there
// is.
func centre(p *media.I420, red byte) (column float64, n int) {
	sum := 0
	for i, v := range p.V {
		if v >= red && p.U[i] < 128 {
			sum += i % p.StrideC * 2
			n++
		}
	}
	return float64(sum) / float64(max(n, 1)), n
}

// TestTurningLeftMovesTheSceneRight looks at the red pillar, whose middle is at 3.375, 3.875.
func TestTurningLeftMovesTheSceneRight(t *testing.T) {
	f := newFront(simworld.New(), defaultWidth, defaultHeight)
	for heading := 0.0; heading < 0.7; heading += 0.1 {
		got, n := centre(painted(f, moment{pose: simworld.Pose{X: 1, Y: 3, Heading: heading}}), 190)
		to := math.Atan2(3.875-3, 3.375-1)
		want := f.focal*math.Tan(heading-to) + defaultWidth/2
		if n < 500 || math.Abs(got-want) > 20 {
			t.Errorf("heading %.1f: %d of red around column %.0f, want %.0f", heading, n, got, want)
		}
	}
}

func TestWhatIsNearHidesWhatIsFar(t *testing.T) {
	f := newFront(simworld.New(), defaultWidth, defaultHeight)
	_, seen := centre(painted(f, moment{pose: simworld.Pose{X: 2.5, Y: 3.875}}), 190)
	_, hidden := centre(painted(f, moment{pose: simworld.Pose{X: 6, Y: 2, Heading: -1}}), 190)
	if seen < 2000 || hidden != 0 {
		t.Errorf("red before the pillar: %d; with walls between: %d", seen, hidden)
	}
}

// somewhere is a place in the room where a rover may be.
func somewhere(w *simworld.World, random *rand.Rand) simworld.Pose {
	for {
		p := simworld.Pose{X: 8 * random.Float64(), Y: 6 * random.Float64(), Heading: 2 * math.Pi * random.Float64()}
		if w.Free(p) {
			return p
		}
	}
}

// TestWallsAreWhereTheyAre gives every material a brightness of its own, and finds out in the plainest way what each
// pixel shows: the nearest thing that is neither above nor below it.
func TestWallsAreWhereTheyAre(t *testing.T) {
	world := simworld.New()
	f := newFront(world, 320, 180)
	lumas := map[simworld.Material]int{}
	for i, m := range simworld.Materials() {
		flat := rgb{0.08 * float64(i), 0.08 * float64(i), 0.08 * float64(i)}
		lumas[m] = int(flat.yuv().y)
		if m.Solid() {
			f.walls[m] = newTexture(0.5, m.Height(), func(float64, float64) rgb { return flat }, make(grain, detail*detail), 0)
		}
	}
	random := rand.New(rand.NewPCG(9, 10))
	for range 12 {
		pose := somewhere(world, random)
		img := media.NewI420(320, 180)
		f.paint(img, moment{pose: pose})
		for column := range 320 {
			for row := range 180 {
				want := int(f.sky[row].y)
				below := (float64(row) + 0.5 - f.horizon) / f.focal // for each metre ahead
				for ray := newEyes(f, pose).ray(column); ray.Next(); {
					low := eye - below*ray.Distance
					if low < 0 {
						want = -1 // floor
						break
					}
					if low <= ray.Material.Height() {
						tone := f.tone(ray.Face, ray.Distance)
						want = (lumas[ray.Material]*tone.factor + tone.y) >> 8
						break
					}
				}
				if got := int(img.Y[row*320+column]); want >= 0 && got != want {
					t.Fatalf("from %+v at %d,%d: %d, want %d", pose, column, row, got, want)
				}
			}
		}
	}
}

// TestTheFloorIsWhereItIs compares places of the floor, off the joints of its tiles, with the pixels that show them.
func TestTheFloorIsWhereItIs(t *testing.T) {
	world := simworld.New()
	f := newFront(world, defaultWidth, defaultHeight)
	random := rand.New(rand.NewPCG(11, 12))
	compared := 0
	for range 30 {
		pose := somewhere(world, random)
		if compared%2 == 0 { // look at the mark around the start as well
			pose = simworld.Pose{X: 1.9, Y: 3, Heading: math.Pi}
		}
		e, p := newEyes(f, pose), painted(f, moment{pose: pose})
		for range 500 {
			x, y := pose.X+4*random.Float64()-2, pose.Y+4*random.Float64()-2
			ahead, aside := (x-e.x)*e.cos+(y-e.y)*e.sin, (x-e.x)*e.sin-(y-e.y)*e.cos
			column, row := int(f.focal*aside/ahead+defaultWidth/2), int(f.horizon+eye*f.focal/ahead)
			toThere := world.Ray(e.x, e.y, x-e.x, y-e.y)
			joint := math.Min(math.Abs(off(x+0.25, 0.5)), math.Abs(off(y+0.25, 0.5)))
			mark := math.Abs(math.Abs(math.Hypot(x-start.X, y-start.Y)-0.24) - 0.025) // from its edges
			hidden := toThere.Next() && toThere.Distance < 1
			if ahead < 0.1 || column < 0 || column >= defaultWidth || row >= defaultHeight || joint < 0.06 || mark < 0.02 ||
				hidden {
				continue
			}
			lit := float64(f.light[int(y*lightRes)<<lightBits|int(x*lightRes)]) / bright
			left := math.Exp(-ahead / haze)
			want := (16+(float64(parquet(x, y).yuv().y)-16)*lit)*left + float64(f.air.y)*(1-left)
			if got := float64(p.Y[row*p.StrideY+column]); math.Abs(got-want) > 12 {
				t.Fatalf("from %+v the floor at %.2f, %.2f is shown as %v, want %.0f", pose, x, y, got, want)
			}
			compared++
		}
	}
	if compared < 500 {
		t.Errorf("only %d places compared", compared)
	}
}

// TestTheFloorMoves drives a little over it.
func TestTheFloorMoves(t *testing.T) {
	f := newFront(simworld.New(), defaultWidth, defaultHeight)
	a, b := painted(f, moment{pose: start}), painted(f, moment{pose: ahead(100)})
	changed := 0
	for i := defaultWidth * defaultHeight * 3 / 4; i < len(a.Y); i++ {
		if a.Y[i] != b.Y[i] {
			changed++
		}
	}
	if changed < defaultWidth*defaultHeight/4/4 {
		t.Errorf("after 10 cm only %d pixels of floor changed", changed)
	}
}

// luma is the brightness of a place on a map.
func luma(a *above, p *media.I420, x, y float64) byte {
	column, row := a.point(x, y)
	return p.Y[int(row)*p.StrideY+int(column)]
}

func TestTheMapShowsTheRoverWhereItIs(t *testing.T) {
	a := newAbove(simworld.New(), defaultWidth, defaultHeight)
	for _, pose := range []simworld.Pose{start, {X: 4, Y: 3, Heading: 1}, {X: 7.2, Y: 1, Heading: -2},
		{X: 1, Y: 5, Heading: math.Pi}} {
		p := painted(a, moment{pose: pose})
		sin, cos := math.Sincos(pose.Heading)
		behind := func(d float64) (x, y float64) { return pose.X - d*cos, pose.Y - d*sin }
		x, y := behind(0.09)
		if got := luma(a, p, x, y); got != bodyColour.y {
			t.Errorf("%+v: no body there: %d", pose, got)
		}
		if x, y = behind(simworld.Radius - 0.009); luma(a, p, x, y) > inkColour.y+30 {
			t.Errorf("%+v: no edge there", pose)
		}
		if got := luma(a, p, pose.X, pose.Y); got != noseColour.y {
			t.Errorf("%+v: no arrow there: %d", pose, got)
		}
		if x, y = behind(0.2); luma(a, p, x, y) != luma(a, a.background, x, y) {
			t.Errorf("%+v: something is painted behind the rover", pose)
		}
		if x, y = behind(-0.3); luma(a, p, x, y) <= luma(a, a.background, x, y) {
			t.Errorf("%+v: no light before the rover", pose)
		}
		bumped := painted(a, moment{pose: pose, bumped: true})
		if x, y = behind(0.09); luma(a, bumped, x, y) != bumpColour.y {
			t.Errorf("%+v: a bump does not show", pose)
		}
	}
}

func TestTheMapShowsTheTrail(t *testing.T) {
	a := newAbove(simworld.New(), defaultWidth, defaultHeight)
	trail := []place{{2, 3}, {3, 3}, {4, 3}} // all on tiles of one colour
	p := painted(a, moment{pose: start, trail: trail})
	fade := 0
	for _, at := range trail {
		difference := int(luma(a, a.background, at.x, at.y)) - int(luma(a, p, at.x, at.y))
		if difference <= fade {
			t.Errorf("trail at %v: %d darker than the floor, want more than %d", at, difference, fade)
		}
		fade = difference
	}
}

func TestNotice(t *testing.T) {
	lines := func(n *notice) int { return n.text.Rect.Dy() }
	for name, tt := range map[string]struct {
		width, height int
		text          string
		shown         bool
	}{
		"usual":      {960, 540, "no reports from motors", true},
		"small":      {160, 90, "no reports from motors", true},
		"long name":  {960, 540, "no reports from " + strings.Repeat("m", 63), true},
		"too small":  {64, 64, "no reports from motors", false},
		"very small": {16, 16, "no reports from motors", false},
		"large":      {1920, 1080, "no reports from motors", true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNotice(tt.width, tt.height, tt.text)
			if (lines(n) > 0) != tt.shown || lines(n) > 2*maxText {
				t.Fatalf("text of %d rows, want some: %v", lines(n), tt.shown)
			}
			img := media.NewI420(tt.width, tt.height)
			fill(img.Y, 200)
			n.paint(img)
			if !grey(img) {
				t.Error("there is colour left")
			}
			bright := 0
			for _, v := range img.Y {
				if v > 200 {
					bright++
				}
			}
			if (bright > 0) != tt.shown {
				t.Errorf("%d bright pixels of text, want some: %v", bright, tt.shown)
			}
			box := n.text.Rect
			if left := box.Min.X; tt.shown && left < 0 {
				t.Errorf("the text is too wide: %v", box)
			}
		})
	}
}

func BenchmarkPaint(b *testing.B) {
	world := simworld.New()
	f, a := newFront(world, defaultWidth, defaultHeight), newAbove(world, defaultWidth, defaultHeight)
	trail := make([]place, trailLength)
	for i := range trail {
		trail[i] = place{1 + 0.01*float64(i), 3}
	}
	for _, tt := range []struct {
		name string
		view view
		pose simworld.Pose
	}{
		{"front/start", f, start},
		{"front/pillar", f, simworld.Pose{X: 2.7, Y: 3.7, Heading: 0.2}},
		{"front/wall", f, simworld.Pose{X: 0.5, Y: 3, Heading: math.Pi}},
		{"above", a, start},
	} {
		b.Run(tt.name, func(b *testing.B) {
			img := media.NewI420(defaultWidth, defaultHeight)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				tt.view.paint(img, moment{pose: tt.pose, trail: trail})
			}
		})
	}
	b.Run("notice", func(b *testing.B) {
		n, img := newNotice(defaultWidth, defaultHeight, "no reports from motors"), media.NewI420(defaultWidth, defaultHeight)
		for range b.N {
			n.paint(img)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, view := range Views() {
		b.Run(view, func(b *testing.B) {
			for range b.N {
				if _, err := Open(atStart(), Config{View: view}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
