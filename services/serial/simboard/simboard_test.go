package simboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/simworld"
	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// inTime runs a test with a board on a fake clock. The board was switched on a moment ago.
func inTime(t *testing.T, config Config, test func(t *testing.T, b *Board)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		test(t, b)
	})
}

// next reads one telemetry frame.
func next(t *testing.T, r io.Reader) telemetry {
	t.Helper()
	var f [telemetrySize]byte
	if _, err := io.ReadFull(r, f[:]); err != nil {
		t.Fatal(err)
	}
	return decode(t, f[:])
}

func decode(t *testing.T, f []byte) telemetry {
	t.Helper()
	if f[0] != telemetryAt || crc8(f[1:telemetrySize-1]) != f[telemetrySize-1] {
		t.Fatalf("not telemetry: %x", f)
	}
	word := func(i int) int16 { return int16(binary.LittleEndian.Uint16(f[i:])) }
	long := func(i int) int32 { return int32(binary.LittleEndian.Uint32(f[i:])) }
	return telemetry{
		uptime: uint32(long(1)), left: word(5), right: word(7),
		odometry: simworld.Odometry{X: long(9), Y: long(13), Heading: word(17)}, battery: uint16(word(19)), flags: f[21],
	}
}

// last waits for some time and returns the telemetry at its end.
func last(t *testing.T, b *Board, wait time.Duration) telemetry {
	t.Helper()
	var got telemetry
	for until := time.Now().Add(wait); time.Now().Before(until); {
		got = next(t, b)
	}
	return got
}

func write(t *testing.T, b *Board, data []byte) {
	t.Helper()
	if n, err := b.Write(data); n != len(data) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(data), err)
	}
}

// drive keeps both sides at a duty for some time, with a command every 100 ms.
func drive(t *testing.T, b *Board, left, right int16, d time.Duration) telemetry {
	t.Helper()
	var got telemetry
	for until := time.Now().Add(d); time.Now().Before(until); {
		write(t, b, frame(left, right))
		got = last(t, b, min(100*ms, time.Until(until)))
	}
	return got
}

func TestTelemetryComesEvery20Milliseconds(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		born := time.Now()
		for i := 1; i <= 100; i++ {
			got := next(t, b)
			if at := time.Since(born); at != time.Duration(i)*20*ms || got.uptime != uint32(at/ms) {
				t.Fatalf("frame %d came after %v with uptime %d", i, at, got.uptime)
			}
			got.uptime = 0
			if want := (telemetry{battery: 8397, flags: flagWatchdog}); got != want {
				t.Fatalf("at rest: %+v, want %+v", got, want)
			}
		}
	})
}

func TestCommandsDrive(t *testing.T) {
	for name, tt := range map[string]struct {
		left, right int16
		want        telemetry // after half a second
	}{
		"forward": {255, 255, telemetry{left: 255, right: 255, odometry: simworld.Odometry{X: 400},
			flags: flagMoving}},
		"backward": {-51, -51, telemetry{left: -51, right: -51, odometry: simworld.Odometry{X: -80},
			flags: flagMoving}},
		"left on the spot": {-51, 51, telemetry{left: -51, right: 51, odometry: simworld.Odometry{Heading: 800},
			flags: flagMoving}},
		"standing": {0, 0, telemetry{}},
		"one wheel": {0, 51, telemetry{right: 51, odometry: simworld.Odometry{X: 39, Y: 8, Heading: 400},
			flags: flagMoving}},
		"more than possible": {300, 32767, telemetry{left: 255, right: 255, odometry: simworld.Odometry{X: 400},
			flags: flagMoving}},
		"less than possible": {-256, -32768, telemetry{left: -255, right: -255, odometry: simworld.Odometry{X: -400},
			flags: flagMoving}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, Config{}, func(t *testing.T, b *Board) {
				got := drive(t, b, tt.left, tt.right, 500*ms)
				got.uptime, got.battery = 0, 0
				if got != tt.want {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

// TestWatchdog drives at 800 mm/s with one command: the distance shows when the motors stopped.
func TestWatchdog(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		next(t, b)
		time.Sleep(7 * ms) // not at the same moment as telemetry
		commanded := time.Now()
		write(t, b, frame(255, 255))
		for {
			got, since := next(t, b), time.Since(commanded)
			stopped := since >= watchdog
			if want := int32(math.Round(800 * min(since, watchdog).Seconds())); got.odometry.X != want {
				t.Fatalf("after %v at %d mm, want %d", since, got.odometry.X, want)
			}
			if (got.flags&flagWatchdog != 0) != stopped || (got.flags&flagMoving == 0) != stopped ||
				(got.left == 0) != stopped {
				t.Fatalf("after %v: %+v", since, got)
			}
			if since > 2*watchdog {
				break
			}
		}
		write(t, b, frame(0, 0))
		if got := next(t, b); got.flags != 0 {
			t.Errorf("after the next command: %+v", got)
		}
		write(t, b, frame(255, 255))
		if got := last(t, b, 200*ms); got.odometry.X != 360 {
			t.Errorf("on after the watchdog: %+v, want 160 mm more", got)
		}
	})
}

func TestOnlyValidCommandsFeedTheWatchdog(t *testing.T) {
	bad := frame(255, 255)
	bad[5]++
	for name, rest := range map[string][]byte{"wrong crc": bad, "incomplete": bad[:5], "noise": {1, 2, 3, 4, 5, 6}} {
		t.Run(name, func(t *testing.T) {
			inTime(t, Config{}, func(t *testing.T, b *Board) {
				write(t, b, frame(100, 100))
				for range 15 {
					next(t, b)
					write(t, b, rest)
				}
				if got := next(t, b); got.flags != flagWatchdog || got.left != 0 {
					t.Errorf("after 320 ms: %+v", got)
				}
			})
		})
	}
}

func TestACommandMayComeInPieces(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		for _, c := range frame(200, -200) {
			if got := next(t, b); got.left != 0 {
				t.Fatal("acted on a part of a command")
			}
			write(t, b, []byte{c}) // it takes 100 ms: too long
		}
		if got := next(t, b); got.left != 0 {
			t.Error("acted on a command whose beginning was old")
		}
		for _, c := range frame(200, -200) {
			write(t, b, []byte{c})
			time.Sleep(9 * ms)
		}
		if got := last(t, b, 80*ms); got.left != 200 || got.right != -200 {
			t.Errorf("a command in pieces did nothing: %+v", got)
		}
	})
}

func TestBumper(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		got := drive(t, b, -255, -255, 2*time.Second) // the wall is 0.61 m behind
		if got.odometry.X != -610 || got.flags != flagBumper|flagMoving || got.left != -255 {
			t.Errorf("against the wall: %+v", got)
		}
		if got = last(t, b, time.Second); got.flags != flagBumper|flagWatchdog {
			t.Errorf("left at the wall: %+v", got)
		}
		if got = drive(t, b, 51, 51, 100*ms); got.odometry.X != -594 || got.flags != flagMoving {
			t.Errorf("away from the wall: %+v", got)
		}
	})
}

func TestStart(t *testing.T) {
	inTime(t, Config{Start: simworld.Pose{X: 4, Y: 3, Heading: math.Pi / 2}}, func(t *testing.T, b *Board) {
		if got := drive(t, b, 255, 255, 500*ms); got.odometry != (simworld.Odometry{X: 400}) {
			t.Errorf("odometry begins elsewhere than at the start: %+v", got)
		}
		if !near(b.rover.pose.Y, 3.4) {
			t.Errorf("the rover is at %+v", b.rover.pose)
		}
	})
	if _, err := Open(Config{Start: simworld.Pose{X: 3.3, Y: 3.8}}); err == nil {
		t.Error("a rover inside a pillar")
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestWhatNobodyReads has the board send for a minute.
func TestWhatNobodyReads(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		time.Sleep(time.Minute + ms)
		buffer := make([]byte, 1<<20)
		n, err := b.Read(buffer)
		if err != nil || n != maxUnread {
			t.Fatalf("read %d bytes: %v", n, err)
		}
		want := uint32(60_000 - (maxUnread/telemetrySize-1)*20)
		for f := buffer[:n]; len(f) > 0; f = f[telemetrySize:] {
			if got := decode(t, f); got.uptime != want {
				t.Fatalf("uptime %d, want %d", got.uptime, want)
			}
			want += 20
		}
	})
}

func TestReadsInPieces(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, b *Board) {
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("reading nothing: %d %v", n, err)
		}
		var whole []byte
		for len(whole) < 3*telemetrySize {
			p := make([]byte, 7)
			n, err := b.Read(p)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, p[:n]...)
		}
		for i := range 3 {
			if got := decode(t, whole[i*telemetrySize:]); got.uptime != uint32(i+1)*20 {
				t.Errorf("frame %d: %+v", i, got)
			}
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(Config{})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		for range 2 {
			go func() {
				for {
					if _, err := b.Read(make([]byte, 1)); err != nil {
						ended <- err
						return
					}
				}
			}()
		}
		synctest.Wait()
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, os.ErrClosed) {
				t.Errorf("a read that waited ended with %v", err)
			}
		}
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if _, err := b.Write(frame(1, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("write: %v", err)
		}
	})
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	b, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var users sync.WaitGroup
	for range 2 {
		users.Go(func() {
			for {
				if _, err := b.Write(frame(10, 20)); err != nil {
					return
				}
			}
		})
		users.Go(func() {
			for i := 0; ; i++ {
				if _, err := b.Read(make([]byte, 10)); err != nil {
					return
				}
				if i == 5 {
					go b.Close()
				}
			}
		})
	}
	users.Wait()
	b.Close()
}

func TestBattery(t *testing.T) {
	b := charged()
	volts := func(duty float64, d time.Duration) int {
		for range d / period {
			b.run(duty, period)
		}
		return int(b.millivolts())
	}
	between := func(what string, got, from, to int) {
		t.Helper()
		if got < from || got > to {
			t.Errorf("%s: %d mV, want %d to %d", what, got, from, to)
		}
	}
	between("full", volts(0, time.Hour), 8390, 8400)
	between("gives way", volts(510, 10*time.Second), 8100, 8180)
	between("recovers", volts(0, 10*time.Second), 8370, 8395)
	between("half the load for long", volts(255, 30*time.Minute), 7200, 7300)
	between("rests", volts(0, time.Minute), 7370, 7420)
	between("empty", volts(510, time.Hour), 6400, 6410)
	between("an hour later", volts(0, time.Hour), 7000, 7100)
	between("full again", volts(0, 4*time.Hour), 8390, 8400)
}

func ExampleOpen() {
	board, err := Open(Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer board.Close()
	if _, err := board.Write([]byte{0xA5, 100, 0, 100, 0, 0xAC}); err != nil { // both sides forward
		log.Fatal(err)
	}
	telemetry := make([]byte, 23)
	if _, err := io.ReadFull(board, telemetry); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("start byte %#x, battery %d mV\n", telemetry[0], binary.LittleEndian.Uint16(telemetry[19:])/1000*1000)
	// Output: start byte 0x5a, battery 8000 mV
}

// TestRestsWithoutAReader: one frame comes when the board is switched on, the others while somebody
// reads. The rover does what it is told all the same, and its watchdog bites when it is due.
func TestRestsWithoutAReader(t *testing.T) {
	var readers stream.Demand
	inTime(t, Config{While: readers.While}, func(t *testing.T, b *Board) {
		if first := next(t, b); first.uptime != 20 {
			t.Errorf("the first frame came after %d ms, want 20", first.uptime)
		}
		unread := func() int {
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.unread)
		}
		time.Sleep(time.Hour)
		if n := unread(); n > 0 {
			t.Errorf("%d bytes were sent to nobody", n)
		}
		write(t, b, frame(255, 255))
		time.Sleep(time.Minute) // the watchdog ends it after 250 ms
		if n := unread(); n > 0 {
			t.Errorf("%d bytes were sent to nobody while it drove", n)
		}
		release := readers.Want()
		got := next(t, b)
		if way := simworld.Speed(255) * watchdog.Seconds() * 1000; math.Abs(float64(got.odometry.X)-way) > 1 ||
			got.left != 0 || got.flags&flagWatchdog == 0 {
			t.Errorf("%+v, want it to have driven %.0f mm until the watchdog stopped it", got, way)
		}
		write(t, b, frame(100, 100))
		if moving := last(t, b, 100*ms); moving.left != 100 || moving.flags&flagMoving == 0 {
			t.Errorf("%+v, want it to move", moving)
		}
		release()
	})
}
