package simworld

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// near reports whether two numbers are equal except for rounding.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// open is an empty world of 20 m.
var open = build(strings.Repeat(strings.Repeat(".", 80)+"\n", 80))

var middle = Pose{X: 10, Y: 10}

func TestPlan(t *testing.T) {
	w := New()
	if width, height := w.Size(); width != 8 || height != 6 {
		t.Errorf("the room is %v by %v m", width, height)
	}
	known := Materials()
	for i, m := range w.cells {
		if !slices.Contains(known, m) {
			t.Errorf("cell %d holds %q, which is unknown", i, m)
		}
	}
	for _, m := range known {
		if !slices.Contains(w.cells, m) {
			t.Errorf("material %q is nowhere", m)
		}
		if h := m.Height(); m.Solid() != (h > 0) || h > MaxHeight {
			t.Errorf("material %q, solid %v, is %v m high", m, m.Solid(), h)
		}
	}
	for i := range w.columns {
		for _, m := range []Material{w.Cell(i, 0), w.Cell(i, w.rows-1)} {
			if m.Height() < Inner.Height() {
				t.Errorf("the room is open below or above column %d", i)
			}
		}
	}
	for i := range w.rows {
		if !w.Cell(0, i).Solid() || !w.Cell(w.columns-1, i).Solid() {
			t.Errorf("the room is open beside row %d", i)
		}
	}
	if !w.Free(w.Start()) {
		t.Error("no room for the rover at its start")
	}
	if w.At(0.1, 0.1) != South || w.At(7.9, 3) != East || w.At(3.3, 3.8) != Red || w.At(-1, 3) != Inner ||
		w.At(1, 99) != Inner {
		t.Error("things are not where the plan has them")
	}
}

// TestEverywhereCanBeReached floods the room from the start in steps of the rover.
func TestEverywhereCanBeReached(t *testing.T) {
	w := New()
	const grid = 0.05
	type place struct{ x, y int }
	at := func(p place) Pose { return Pose{X: float64(p.x) * grid, Y: float64(p.y) * grid} }
	first := place{int(w.Start().X / grid), int(w.Start().Y / grid)}
	seen, next := map[place]bool{first: true}, []place{first}
	for len(next) > 0 {
		p := next[0]
		next = next[1:]
		for _, n := range []place{{p.x + 1, p.y}, {p.x - 1, p.y}, {p.x, p.y + 1}, {p.x, p.y - 1}} {
			if !seen[n] && w.Free(at(n)) {
				seen[n] = true
				next = append(next, n)
			}
		}
	}
	for x := range int(8 / grid) {
		for y := range int(6 / grid) {
			if p := (place{x, y}); w.Free(at(p)) && !seen[p] {
				t.Fatalf("%+v is free, but there is no way to it", at(p))
			}
		}
	}
}

func TestMove(t *testing.T) {
	quarterTurn := math.Pi / 2 * WheelBase / 2 / 0.4 // seconds it takes on the spot at 0.4 m/s
	quarter := time.Duration(quarterTurn * float64(time.Second))
	for name, tt := range map[string]struct {
		from        Pose
		left, right float64
		dt          time.Duration
		want        Pose
	}{
		"nothing":              {middle, 0, 0, time.Second, middle},
		"no time":              {middle, 0.8, 0.8, 0, middle},
		"time runs back":       {middle, 0.8, 0.8, -time.Second, middle},
		"forward":              {middle, 0.5, 0.5, 100 * time.Millisecond, Pose{X: 10.05, Y: 10}},
		"backward":             {middle, -0.5, -0.5, 100 * time.Millisecond, Pose{X: 9.95, Y: 10}},
		"forward, facing up":   {Pose{10, 10, math.Pi / 2}, 0.5, 0.5, time.Second, Pose{10, 10.5, math.Pi / 2}},
		"left on the spot":     {middle, -0.4, 0.4, quarter, Pose{10, 10, math.Pi / 2}},
		"right on the spot":    {middle, 0.4, -0.4, quarter, Pose{10, 10, -math.Pi / 2}},
		"on past half a turn":  {Pose{10, 10, 3}, -0.1, 0.1, 500 * time.Millisecond, Pose{10, 10, 3.5 - 2*math.Pi}},
		"around the left":      {middle, 0, 0.4, 2 * quarter, Pose{10.1, 10.1, math.Pi / 2}},
		"too fast":             {middle, 7, math.Inf(1), 100 * time.Millisecond, Pose{X: 10.08, Y: 10}},
		"not a number":         {middle, math.NaN(), math.NaN(), time.Second, middle},
		"longer than a second": {middle, 0.5, 0.5, time.Hour, Pose{X: 10.5, Y: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			got, bumped := open.Move(tt.from, tt.left, tt.right, tt.dt)
			if math.Hypot(got.X-tt.want.X, got.Y-tt.want.Y) > 1e-8 || math.Abs(got.Heading-tt.want.Heading) > 1e-7 || bumped {
				t.Errorf("got %+v, bumped %v, want %+v", got, bumped, tt.want)
			}
		})
	}
}

func TestStraightIsStraightAndATurnStays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		from := Pose{X: 8 + 4*random.Float64(), Y: 8 + 4*random.Float64(), Heading: math.Pi * (2*random.Float64() - 1)}
		speed, dt := MaxSpeed*(2*random.Float64()-1), time.Duration(1+random.IntN(100))*time.Millisecond
		straight, _ := open.Move(from, speed, speed, dt)
		way := math.Hypot(straight.X-from.X, straight.Y-from.Y)
		aside := (straight.Y-from.Y)*math.Cos(from.Heading) - (straight.X-from.X)*math.Sin(from.Heading)
		if straight.Heading != from.Heading || !near(way, math.Abs(speed)*dt.Seconds()) || !near(aside, 0) {
			t.Fatalf("%+v with %v for %v: got %+v", from, speed, dt, straight)
		}
		turned, _ := open.Move(from, -speed, speed, dt)
		if turned.X != from.X || turned.Y != from.Y || turned.Heading == from.Heading {
			t.Fatalf("%+v turned into %+v", from, turned)
		}
	}
}

// TestAnArcDoesNotDependOnItsSteps drives a circle in pieces and at once.
func TestAnArcDoesNotDependOnItsSteps(t *testing.T) {
	once, _ := open.Move(middle, 0.3, 0.5, 900*time.Millisecond)
	pieces := middle
	for range 45 {
		pieces, _ = open.Move(pieces, 0.3, 0.5, 20*time.Millisecond)
	}
	if math.Hypot(once.X-pieces.X, once.Y-pieces.Y) > 1e-9 || !near(once.Heading, pieces.Heading) {
		t.Errorf("at once %+v, in pieces %+v", once, pieces)
	}
}

// TestRandomDrivesStayFree drives millions of steps of all sorts.
func TestRandomDrivesStayFree(t *testing.T) {
	w := New()
	cramped := build("........\n..c..cc.\n..c...c.\n........\n.c..c...\n.cc.c.c.\n........\n........")
	for seed, world := range []*World{w, w, cramped} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(seed), 77))
			p := Pose{X: 0.14, Y: 0.14}
			if world == w {
				p = w.Start()
			}
			for steps := 0; steps < 1_000_000; {
				left, right := drive(random)
				dt := time.Duration(1+random.IntN(100)) * time.Millisecond
				for range 1 + random.IntN(20) {
					before := p
					p, _ = world.Move(p, left, right, dt)
					steps += int((dt + step - 1) / step)
					if !world.Free(p) || !(p.Heading > -math.Pi && p.Heading <= math.Pi) {
						t.Fatalf("from %+v with %v, %v for %v: got %+v", before, left, right, dt, p)
					}
					// corners let it slip a little
					if way := math.Hypot(p.X-before.X, p.Y-before.Y); way > 1.02*MaxSpeed*dt.Seconds() {
						t.Fatalf("from %+v to %+v in %v: too far", before, p, dt)
					}
				}
			}
		})
	}
}

// drive is a pair of speeds: straight, on the spot, or any.
func drive(random *rand.Rand) (left, right float64) {
	left, right = MaxSpeed*(2*random.Float64()-1), MaxSpeed*(2*random.Float64()-1)
	switch random.IntN(4) {
	case 0:
		return MaxSpeed, MaxSpeed
	case 1:
		return left, left
	case 2:
		return -right, right
	}
	return left, right
}

func TestWalls(t *testing.T) {
	w := New()
	drive := func(p Pose, left, right float64, seconds int) (Pose, bool) {
		bumped := false
		for range seconds * 10 {
			p, bumped = w.Move(p, left, right, 100*time.Millisecond)
		}
		return p, bumped
	}
	// Backwards to the wall behind the start, whose face is at 0.25 m.
	p, bumped := drive(w.Start(), -0.8, -0.8, 5)
	if !near(p.X, 0.25+Radius) || !near(p.Y, 3) || !bumped {
		t.Errorf("backwards into the wall: %+v, bumped %v", p, bumped)
	}
	if p, bumped = drive(p, -0.4, 0.4, 1); !near(p.X, 0.25+Radius) || !bumped {
		t.Errorf("turning at the wall: %+v, bumped %v", p, bumped)
	}
	if p, bumped = drive(Pose{X: p.X, Y: p.Y}, 0.1, 0.1, 1); !near(p.X, 0.25+Radius+0.1) || bumped {
		t.Errorf("away from the wall: %+v, bumped %v", p, bumped)
	}
	// At an angle into the wall in the north, along it, and into the corner.
	p, bumped = drive(Pose{X: 4, Y: 5, Heading: 3 * math.Pi / 4}, 0.8, 0.8, 2)
	if !near(p.Y, 5.75-Radius) || p.X > 3.3 || !bumped {
		t.Errorf("along the wall: %+v, bumped %v", p, bumped)
	}
	if p, bumped = drive(p, 0.8, 0.8, 10); !near(p.Y, 5.75-Radius) || !near(p.X, 0.25+Radius) || !bumped {
		t.Errorf("into the corner: %+v, bumped %v", p, bumped)
	}
	// Where there is no room at all nothing moves.
	stuck := Pose{X: 3.3, Y: 3.8, Heading: 1}
	if p, bumped = drive(stuck, 0.8, 0.8, 1); p != stuck || !bumped {
		t.Errorf("inside a pillar: %+v, bumped %v", p, bumped)
	}
}

func TestSpeed(t *testing.T) {
	for duty, want := range map[int]float64{0: 0, 255: 0.8, -255: -0.8, 51: 0.16, 256: 0.8, -32768: -0.8} {
		if got := Speed(duty); !near(got, want) {
			t.Errorf("duty %d: %v m/s, want %v", duty, got, want)
		}
	}
}

func TestOdometry(t *testing.T) {
	for name, tt := range map[string]struct {
		start, pose Pose
		want        Odometry
	}{
		"at the start":        {Pose{1, 3, 0.5}, Pose{1, 3, 0.5}, Odometry{}},
		"ahead":               {Pose{1, 3, 0}, Pose{2.5, 3, 0}, Odometry{X: 1500}},
		"left of the start":   {Pose{1, 3, 0}, Pose{1, 3.25, 0}, Odometry{Y: 250}},
		"ahead, facing up":    {Pose{1, 3, math.Pi / 2}, Pose{1, 4, math.Pi}, Odometry{X: 1000, Heading: 1571}},
		"behind, half a turn": {Pose{1, 3, 0}, Pose{0.5, 3, math.Pi}, Odometry{X: -500, Heading: 3142}},
		"past half a turn":    {Pose{1, 3, 3}, Pose{1, 3, -3}, Odometry{Heading: 283}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.pose.Odometry(tt.start); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestOdometryThereAndBack(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	angle := func() float64 { return math.Pi * (1 - 2*random.Float64()) }
	for range 10_000 {
		start := Pose{X: 8 * random.Float64(), Y: 6 * random.Float64(), Heading: angle()}
		p := Pose{X: 8 * random.Float64(), Y: 6 * random.Float64(), Heading: angle()}
		o := p.Odometry(start)
		back := o.Pose(start)
		if math.Abs(back.X-p.X) > 0.00075 || math.Abs(back.Y-p.Y) > 0.00075 ||
			math.Abs(normal(back.Heading-p.Heading)) > 0.00051 {
			t.Fatalf("start %+v: %+v became %+v", start, p, back)
		}
		again := back.Odometry(start)
		// 3142 and -3142 are the same direction, except for rounding
		again.Heading = int16(int(again.Heading-o.Heading) % 6283)
		if again.X != o.X || again.Y != o.Y || again.Heading < -1 || again.Heading > 1 {
			t.Fatalf("start %+v: %+v became %+v", start, o, again)
		}
	}
}

func TestRays(t *testing.T) {
	w := build("eeee\nwR.e\nw..e\nssss")
	type hit struct {
		material Material
		face     Face
		distance float64
		along    float64
	}
	for name, tt := range map[string]struct {
		x, y, dx, dy float64
		want         []hit
	}{
		"east":          {0.3, 0.3, 1, 0, []hit{{East, FacesWest, 0.45, 0.3}}},
		"west, 2 long":  {0.3, 0.3, -2, 0, []hit{{West, FacesEast, 0.025, 0.3}}},
		"south":         {0.3, 0.3, 0, -1, []hit{{South, FacesNorth, 0.05, 0.3}}},
		"north, two":    {0.3, 0.3, 0, 1, []hit{{Red, FacesSouth, 0.2, 0.3}, {East, FacesSouth, 0.45, 0.3}}},
		"askew":         {0.3, 0.3, 1, 0.5, []hit{{East, FacesWest, 0.45, 0.525}}},
		"from within":   {0.3, 0.6, 1, 0, []hit{{East, FacesWest, 0.45, 0.6}}},
		"not a number":  {math.NaN(), 0.3, 1, 0, nil},
		"from outside":  {-5, 0.3, -1, 0, nil},
		"from far away": {1e300, 1e300, -1, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []hit
			for r := w.Ray(tt.x, tt.y, tt.dx, tt.dy); r.Next(); {
				got = append(got, hit{r.Material, r.Face, r.Distance, r.Along})
			}
			same := func(a, b hit) bool {
				return a.material == b.material && a.face == b.face && near(a.distance, b.distance) && near(a.along, b.along)
			}
			if !slices.EqualFunc(got, tt.want, same) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func ExampleWorld_Move() {
	room := New()
	pose, bumped := room.Start(), false
	for range 2 * 50 { // two seconds straight ahead at half speed
		pose, bumped = room.Move(pose, Speed(128), Speed(128), 20*time.Millisecond)
	}
	fmt.Printf("%+v, bumped: %v\n", pose.Odometry(room.Start()), bumped)
	// Output: {X:803 Y:0 Heading:0}, bumped: false
}

func BenchmarkMove(b *testing.B) {
	w := New()
	p := w.Start()
	for range b.N {
		p, _ = w.Move(p, 0.5, 0.7, 20*time.Millisecond)
	}
}
