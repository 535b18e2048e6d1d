package firmware_test

import (
	"math"
	"testing"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

var stopped = wire.Command{}

func both(duty int16) wire.Command { return wire.Command{Left: duty, Right: duty} }

func TestTelemetry(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	got := b.until("2 s of telemetry", func(r record) bool { return len(r.telemetry) >= 100 })
	if got.skipped >= wire.TelemetrySize {
		t.Errorf("%d bytes were not telemetry: only a part of the first frame may be missed", got.skipped)
	}
	first := got.telemetry[0].Uptime
	for i, frame := range got.telemetry {
		if due := first + uint32(i)*20; frame.Uptime+2 < due || frame.Uptime > due+2 {
			t.Errorf("frame %d came at %d ms, at 50 Hz it is due at %d", i, frame.Uptime, due)
		}
		frame.Uptime = 0
		if want := (wire.Telemetry{Battery: 7400, Flags: wire.FlagWatchdog}); frame != want {
			t.Fatalf("frame %d: %+v, want %+v", i, frame, want)
		}
	}
}

func TestBattery(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]float64{"6400": 6400, "8400": 8400, "0": 0, "10000": 10000} {
		got := startBoard(t, "rover", "--battery", flag).ready()
		if measured := float64(got.last().Battery); math.Abs(measured-want) > 10 { // a step of the converter
			t.Errorf("%s mV are measured as %.0f", flag, measured)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	for _, tt := range []struct{ send, want wire.Command }{
		{both(255), both(255)},
		{both(-255), both(-255)},
		{wire.Command{Left: 254, Right: -254}, wire.Command{Left: 254, Right: -254}},
		{wire.Command{Left: 1, Right: -1}, wire.Command{Left: 1, Right: -1}},
		{wire.Command{Left: -1, Right: 1}, wire.Command{Left: -1, Right: 1}},
		{wire.Command{Left: 0, Right: 100}, wire.Command{Left: 0, Right: 100}},
		{wire.Command{Left: 100, Right: 0}, wire.Command{Left: 100, Right: 0}},
		{stopped, stopped},
		{wire.Command{Left: 256, Right: -256}, wire.Command{Left: 255, Right: -255}},
		{wire.Command{Left: math.MinInt16, Right: math.MaxInt16}, wire.Command{Left: -255, Right: 255}},
		// -91 contains the start byte of commands, 90 that of telemetry
		{wire.Command{Left: -91, Right: 90}, wire.Command{Left: -91, Right: 90}},
	} {
		got := b.driving(tt.send, "the motors and the telemetry follow", func(r record) bool {
			return len(r.motions) > 0 && r.motors() == tt.want && r.last().Command() == tt.want &&
				r.last().Flags&wire.FlagWatchdog == 0
		})
		moving := got.last().Flags&wire.FlagMoving != 0
		if want := tt.want != stopped; moving != want {
			t.Errorf("%v: the moving flag is %v", tt.want, moving)
		}
	}
}

// Between two commands the motors receive nothing else: no other direction, and neither side long before the other.
func TestCommandsAreCarriedOutAtOnce(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	sent := map[wire.Command]bool{stopped: true}
	var got record
	for i := range int16(100) {
		c := wire.Command{Left: 255 - 5*i, Right: -250 + 5*i}
		sent[c] = true
		got = b.driving(c, "the motors follow", func(r record) bool { return r.motors() == c })
	}
	for _, m := range got.motions {
		if !sent[m.Command] {
			t.Errorf("the motors received %v, which nobody sent", m.Command)
		}
	}
}

func TestStraight(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	b.driving(both(255), "the rover is 500 mm ahead", func(r record) bool { return r.last().X >= 500 })
	b.driving(both(-100), "the rover is back at 300 mm", func(r record) bool { return r.last().X <= 300 })
	got := b.driving(stopped, "it stands", func(r record) bool { return r.last().Flags == 0 })
	for _, frame := range got.telemetry {
		if frame.Y < -5 || frame.Y > 5 || frame.Heading < -10 || frame.Heading > 10 {
			t.Fatalf("%+v is not straight ahead", frame)
		}
	}
}

// The firmware counts every tick: the speed is that of the simulated wheels, 800 mm/s at full duty, on the board's own
// clock.
func TestSpeed(t *testing.T) {
	t.Parallel()
	for _, duty := range []int16{255, 128, -51} {
		b := startBoard(t, "rover")
		var run []wire.Telemetry
		b.driving(both(duty), "it drives for a second without a stop", func(r record) bool {
			run = longestRun(r.telemetry, both(duty))
			return len(run) > 50
		})
		from, to := run[0], run[len(run)-1]
		got, want := float64(to.X-from.X)/float64(to.Uptime-from.Uptime)*1000, 800*float64(duty)/255
		if math.Abs(got-want) > 0.02*math.Abs(want)+10 {
			t.Errorf("%d drives with %.0f mm/s, want %.0f", duty, got, want)
		}
	}
}

// longestRun returns the longest part of telemetry with unchanged motors. On a slow machine the watchdog may stop a
// driver now and then.
func longestRun(telemetry []wire.Telemetry, c wire.Command) (longest []wire.Telemetry) {
	start := 0
	for i, frame := range telemetry {
		if frame.Command() != c {
			start = i + 1
		} else if i+1-start > len(longest) {
			longest = telemetry[start : i+1]
		}
	}
	return longest
}

func TestTurnInPlace(t *testing.T) {
	t.Parallel()
	for _, sign := range []int16{1, -1} {
		b := startBoard(t, "rover")
		turn := wire.Command{Left: -150 * sign, Right: 150 * sign}
		b.driving(turn, "a quarter of a turn", func(r record) bool { return r.last().Heading*sign > 1571 })
		got := b.driving(turn, "more than half a turn, reported as less than half the other way", func(r record) bool {
			return r.last().Heading*sign < 0 && r.last().Heading*sign > -2000
		})
		for _, frame := range got.telemetry {
			if frame.X < -5 || frame.X > 5 || frame.Y < -5 || frame.Y > 5 || frame.Heading < -3142 || frame.Heading > 3142 {
				t.Fatalf("%+v is not in place", frame)
			}
		}
	}
}

// With the right side twice as fast as the left one, the rover goes in a circle of 300 mm around a point to its left.
func TestCircle(t *testing.T) {
	t.Parallel()
	b := startBoard(t, "rover")
	got := b.driving(wire.Command{Left: 100, Right: 200}, "half a circle",
		func(r record) bool { return r.last().Heading < -100 })
	for _, frame := range got.telemetry {
		heading := float64(frame.Heading) / 1000
		x, y := 300*math.Sin(heading), 300*(1-math.Cos(heading))
		if math.Hypot(float64(frame.X)-x, float64(frame.Y)-y) > 6 {
			t.Errorf("%+v, with this heading it is at %.0f, %.0f", frame, x, y)
		}
	}
}
