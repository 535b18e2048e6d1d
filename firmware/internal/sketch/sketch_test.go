package sketch_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/firmware/internal/sketch"
	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

var (
	forward = wire.Command{Left: 100, Right: 100}
	back    = wire.Command{Left: -165, Right: -91} // its frame has a start byte within: -91 is 0xFFA5
	trap    = []byte{0xA5, 0xA5, 0xA5, 0xA5, 0xA5}
)

// streams are examples of data on the line. A number is a pause in ms; start is the clock at the first byte.
var streams = []struct {
	name  string
	start uint32
	parts []any // []byte, wire.Command or a pause in ms
	want  []wire.Command
}{
	{"nothing", 0, nil, nil},
	{"one", 0, []any{forward}, []wire.Command{forward}},
	{"two", 0, []any{forward, back}, []wire.Command{forward, back}},
	{"a start byte in the payload", 0, []any{back}, []wire.Command{back}},
	{"clamped", 0, []any{wire.Command{Left: 256, Right: -256}, wire.Command{Left: math.MaxInt16, Right: math.MinInt16}},
		[]wire.Command{{Left: 255, Right: -255}, {Left: 255, Right: -255}}},
	{"after noise", 0, []any{[]byte("noise"), forward}, []wire.Command{forward}},
	{"after start bytes", 0, []any{trap, forward}, []wire.Command{forward}},
	{"a wrong CRC", 0, []any{flip(forward, 5)}, nil},
	{"a wrong payload", 0, []any{flip(forward, 2), forward}, []wire.Command{forward}},
	{"a wrong start byte", 0, []any{flip(forward, 0), forward}, []wire.Command{forward}},
	{"the first byte lost", 0, []any{forward.Encode()[1:], back}, []wire.Command{back}},
	{"a byte lost", 0, []any{without(forward, 3), back, forward}, []wire.Command{back, forward}},
	{"the last byte lost", 0, []any{without(forward, 5), back, forward}, []wire.Command{back, forward}},
	{"only a part", 0, []any{forward.Encode()[:5]}, nil},
	{"in time", 0, []any{forward.Encode()[:3], 25, forward.Encode()[3:5], 25, forward.Encode()[5:]},
		[]wire.Command{forward}},
	{"too late", 0, []any{forward.Encode()[:3], 25, forward.Encode()[3:5], 26, forward.Encode()[5:]}, nil},
	{"an old part before a whole one", 0, []any{forward.Encode()[:5], 51, forward}, []wire.Command{forward}},
	{"an old start before a slow one", 0, []any{[]byte{0xA5, 0}, 49, back.Encode()[:3], 2, back.Encode()[3:]},
		[]wire.Command{back}},
	{"while the clock wraps around", math.MaxUint32 - 20, []any{forward.Encode()[:3], 49, forward.Encode()[3:], back},
		[]wire.Command{forward, back}},
	{"too late while the clock wraps around", math.MaxUint32 - 20, []any{forward.Encode()[:3], 51, forward.Encode()[3:]},
		nil},
}

func flip(c wire.Command, i int) []byte {
	frame := c.Encode()
	frame[i] ^= 0x10
	return frame
}

func without(c wire.Command, i int) []byte { return slices.Delete(c.Encode(), i, i+1) }

func TestCommandReader(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			stream := timed(tt.start, tt.parts)
			if got := read(stream); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			if got := wire.Commands(stream); !slices.Equal(got, tt.want) {
				t.Errorf("package wire expects %v, want %v", got, tt.want)
			}
		})
	}
}

func timed(now uint32, parts []any) (stream []wire.Byte) {
	for _, part := range parts {
		switch p := part.(type) {
		case int:
			now += uint32(p)
		case wire.Command:
			stream = append(stream, timed(now, []any{p.Encode()})...)
		case []byte:
			for _, b := range p {
				stream = append(stream, wire.Byte{Value: b, At: now})
			}
		}
	}
	return stream
}

func read(stream []wire.Byte) (got []wire.Command) {
	reader := sketch.NewCommandReader()
	defer reader.Close()
	for _, b := range stream {
		if c, ok := reader.Take(b); ok {
			got = append(got, c)
		}
	}
	return got
}

// A partial frame that stays until the clock wraps around does not become new again, because the loop looks in
// between.
func TestForget(t *testing.T) {
	reader := sketch.NewCommandReader()
	defer reader.Close()
	frame := forward.Encode()
	for _, b := range frame[:5] {
		reader.Take(wire.Byte{Value: b})
	}
	reader.Forget(51)
	if c, ok := reader.Take(wire.Byte{Value: frame[5], At: 0}); ok {
		t.Errorf("executed %v", c)
	}
}

// FuzzCommandReader compares the firmware's reader with the reference on any stream. Every byte of gaps is a pause in
// ms after one of stream.
func FuzzCommandReader(f *testing.F) {
	for _, tt := range streams {
		var values, gaps []byte
		stream := timed(tt.start, tt.parts)
		for i, b := range stream {
			values = append(values, b.Value)
			if i > 0 {
				gaps = append(gaps, byte(b.At-stream[i-1].At))
			}
		}
		f.Add(tt.start, values, gaps)
	}
	f.Fuzz(func(t *testing.T, now uint32, values, gaps []byte) {
		var stream []wire.Byte
		for i, v := range values {
			stream = append(stream, wire.Byte{Value: v, At: now})
			if i < len(gaps) {
				now += uint32(gaps[i])
			}
		}
		if got, want := read(stream), wire.Commands(stream); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// Random bytes hardly ever hold a frame, so here are many, some of them damaged.
func TestCommandReaderInNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var stream []wire.Byte
		now := random.Uint32()
		for range 20 {
			frame := wire.Command{Left: int16(random.Uint32()), Right: int16(random.Uint32())}.Encode()
			switch random.IntN(4) {
			case 0:
				frame[random.IntN(len(frame))] = wire.CommandStart
			case 1:
				frame = slices.Delete(frame, 0, random.IntN(len(frame)))
			case 2:
				frame = frame[:random.IntN(len(frame))]
			}
			for _, v := range frame {
				stream = append(stream, wire.Byte{Value: v, At: now})
				now += random.Uint32N(16)
			}
		}
		if got, want := read(stream), wire.Commands(stream); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v, of %v", got, want, stream)
		}
	}
}

func TestTelemetry(t *testing.T) {
	for _, want := range []wire.Telemetry{
		{},
		{Uptime: math.MaxUint32, Left: -255, Right: 255, X: math.MinInt32, Y: math.MaxInt32, Heading: -3142, Battery: 8400,
			Flags: 3},
	} {
		var reader wire.Reader
		if got := reader.Take(sketch.Telemetry(want)); !slices.Equal(got, []wire.Telemetry{want}) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestOdometry(t *testing.T) {
	const turn = 628 // ticks of each wheel that turn the rover once round, nearly
	tests := []struct {
		name        string
		steps       int
		left, right int16
		x, y        int32
		heading     int16
	}{
		{"stands", 100, 0, 0, 0, 0, 0},
		{"forward", 1000, 1, 1, 1000, 0, 0},
		{"back", 1000, -1, -1, -1000, 0, 0},
		{"a quarter to the left", turn / 4, -1, 1, 0, 0, 1570},
		{"a quarter to the right", turn / 4, 1, -1, 0, 0, -1570},
		{"three quarters to the left", 3 * turn / 4, -1, 1, 0, 0, 4710 - 6283},
		{"a thousand turns", 1000 * turn, -1, 1, 0, 0, int16(math.Round(math.Remainder(1000*turn*0.01, 2*math.Pi) * 1000))},
		{"half a circle of 300 mm to the left", 314, 2, 4, 0, 600, 3140},
		{"half a circle of 300 mm to the right", 314, 4, 2, 0, -600, -3140},
		{"around the left wheel", 157 * 2, 0, 1, 100, 100, 1570},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := sketch.NewOdometry()
			defer o.Close()
			for range tt.steps {
				o.Roll(tt.left, tt.right)
			}
			x, y, heading := o.Pose()
			if off(x, tt.x) > 2 || off(y, tt.y) > 2 || off(heading, tt.heading) > 10 {
				t.Errorf("at %d, %d, heading %d; want %d, %d, %d", x, y, heading, tt.x, tt.y, tt.heading)
			}
		})
	}
}

// After a kilometre a step of some millimetres still counts in full.
func TestOdometryFarAway(t *testing.T) {
	const turn, steps, step = 78, 200_000, 8
	o := sketch.NewOdometry()
	defer o.Close()
	for range turn {
		o.Roll(-1, 1)
	}
	for range steps {
		o.Roll(step, step)
	}
	x, y, _ := o.Pose()
	wantX, wantY := steps*step*math.Cos(turn*0.01), steps*step*math.Sin(turn*0.01)
	if math.Hypot(float64(x)-wantX, float64(y)-wantY) > 20 {
		t.Errorf("at %d, %d; want %.0f, %.0f", x, y, wantX, wantY)
	}
}

func off[T int16 | int32](a, b T) float64 { return math.Abs(float64(a) - float64(b)) }

// FuzzOdometry checks that no sequence of ticks leaves the range of the heading, or drifts from the same sums in
// double precision.
func FuzzOdometry(f *testing.F) {
	f.Add(int8(1), int8(1), uint16(1000))
	f.Add(int8(-3), int8(4), uint16(60000))
	f.Add(int8(127), int8(-128), uint16(300))
	f.Fuzz(func(t *testing.T, left, right int8, steps uint16) {
		o := sketch.NewOdometry()
		defer o.Close()
		var x, y, heading float64
		for i := range int(steps) {
			l, r := int16(left), int16(right)
			if i%3 == 0 {
				l, r = r, l
			}
			o.Roll(l, r)
			along := heading + float64(r-l)/400
			x, y, heading = x+float64(l+r)/2*math.Cos(along), y+float64(l+r)/2*math.Sin(along), heading+float64(r-l)/200
		}
		gotX, gotY, gotHeading := o.Pose()
		if gotHeading < -3142 || gotHeading > 3142 {
			t.Errorf("heading %d", gotHeading)
		}
		// Single precision loses some micrometres per step.
		if slack := 3 + float64(steps)*0.05; math.Hypot(float64(gotX)-x, float64(gotY)-y) > slack {
			t.Errorf("at %d, %d; want %.0f, %.0f within %.0f mm", gotX, gotY, x, y, slack)
		}
	})
}
