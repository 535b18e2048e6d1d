package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/services/serial/codec"
	"github.com/waldo-robot/waldo/services/serial/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a port whose line the test controls.
type fake struct {
	in     chan []byte
	closed chan struct{}
	close  sync.Once

	mu      sync.Mutex
	stalled chan struct{} // writes wait until it is closed; nil: they do not wait
	broken  error
	out     []sent
}

type sent struct {
	at   time.Duration
	text string
}

var begin = time.Now()

func newFake() *fake { return &fake{in: make(chan []byte), closed: make(chan struct{})} }

func (f *fake) Read(b []byte) (int, error) {
	select {
	case data := <-f.in:
		if data == nil {
			return 0, fmt.Errorf("%w: pulled", device.ErrAway)
		}
		return copy(b, data), nil
	case <-f.closed:
		return 0, os.ErrClosed
	}
}

func (f *fake) Write(b []byte) (int, error) {
	f.mu.Lock()
	stalled, broken := f.stalled, f.broken
	f.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-f.closed:
			return 0, os.ErrClosed
		}
	}
	if broken != nil {
		return 0, broken
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out = append(f.out, sent{time.Since(begin), string(b)})
	return len(b), nil
}

func (f *fake) Close() error {
	f.close.Do(func() { close(f.closed) })
	return nil
}

// stall blocks writes until the returned function is called.
func (f *fake) stall() (release func()) {
	c := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stalled = c
	return func() {
		f.mu.Lock()
		f.stalled = nil
		f.mu.Unlock()
		close(c)
	}
}

func (f *fake) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, s := range f.out {
		all = append(all, s.text)
	}
	return all
}

// way is how far a board moves by what was written, each byte being a speed: the sum of all speeds times their times.
func (f *fake) way() (sum time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range len(f.out) - 1 {
		sum += time.Duration(f.out[i].text[0]) * (f.out[i+1].at - f.out[i].at)
	}
	return sum
}

// rig is a board on a fake port.
type rig struct {
	*Board
	port *fake
	stop context.CancelFunc
}

func lines(c Config) Config {
	c.Reader, c.Writer = codec.Line{}, codec.Line{}
	c.Splitter = func(d frame.Discarded) (frame.Splitter, error) { return frame.NewLines("\n", d) }
	c.Frame = func(dst, payload []byte) []byte { return append(dst, payload...) }
	return c
}

// run runs the board on a port; it returns when the board is ready.
func run(t *testing.T, c Config) *rig {
	t.Helper()
	r := &rig{Board: New(c)}
	t.Cleanup(r.Close)
	r.plug(t)
	return r
}

func (r *rig) plug(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan struct{})
	r.port, r.stop = newFake(), cancel
	ended := make(chan struct{})
	hooks := Hooks{Attached: func() { close(ready) }}
	if r.commands != nil {
		hooks.Detaching = func() { r.Safe(control.CauseAway) }
	}
	go func() {
		defer close(ended)
		_ = r.Run(ctx, r.port, hooks) // the tests check what it did
	}()
	<-ready
	t.Cleanup(func() { cancel(); <-ended })
}

func (r *rig) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := r.port.texts(); !slices.Equal(got, want) {
		t.Errorf("on the line: %q, want %q", got, want)
	}
}

func inAMoment() time.Time { return time.Now().Add(100 * time.Millisecond) }

// TestNewestCommandWins: while the line is busy a newer command replaces an older one, and a stop
// replaces them all.
func TestNewestCommandWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Safe: []byte("safe")}))
		release := r.port.stall()
		for _, text := range []string{"1", "2", "3"} {
			r.Command([]byte(text), inAMoment())
			synctest.Wait()
		}
		release()
		synctest.Wait()
		r.expect(t, "1", "3")
		release = r.port.stall()
		r.Command([]byte("4"), inAMoment())
		synctest.Wait()
		r.Command([]byte("5"), inAMoment())
		r.Safe(control.CauseEStop)
		release()
		time.Sleep(time.Second)
		r.expect(t, "1", "3", "4", "safe", "safe", "safe")
		for why, want := range map[string]float64{"superseded": 1, "stopped": 1, "late": 0} {
			if n := testutil.ToFloat64(r.metrics.dropped.WithLabelValues(why)); n != want {
				t.Errorf("%v commands %s, want %v", n, why, want)
			}
		}
	})
}

// TestLateCommandIsNotWritten: a command that waited too long for the line.
func TestLateCommandIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Safe: []byte("safe")}))
		release := r.port.stall()
		r.Command([]byte("1"), inAMoment())
		synctest.Wait()
		r.Command([]byte("2"), inAMoment())
		time.Sleep(101 * time.Millisecond)
		release()
		synctest.Wait()
		r.expect(t, "1")
	})
}

// TestStopIsRepeated, and a new command ends the repetition.
func TestStopIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Safe: []byte("safe")}))
		start := time.Since(begin)
		r.Safe(control.CauseDeadman)
		time.Sleep(time.Second)
		r.expect(t, "safe", "safe", "safe")
		for i, s := range r.port.out {
			if want := time.Duration(i) * stopEvery; s.at-start != want {
				t.Errorf("stop %d after %v, want %v", i, s.at-start, want)
			}
		}
		r.Safe(control.CauseDeadman)
		synctest.Wait()
		r.Command([]byte("go"), inAMoment())
		time.Sleep(time.Second)
		r.expect(t, "safe", "safe", "safe", "safe", "go")
	})
}

// TestRamp goes down in steps, unless somebody presses an e-stop; a command ends it.
func TestRamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record, err := codec.NewRecord("<b", nil)
		if err != nil {
			t.Fatal(err)
		}
		c := lines(Config{Safe: []byte{0}, Ramp: 100 * time.Millisecond})
		c.Writer = record
		r := run(t, c)
		r.Safe(control.CauseDeadman) // standing still: no ramp
		time.Sleep(time.Second)
		r.Command([]byte{100}, inAMoment())
		synctest.Wait()
		r.Safe(control.CauseDeadman)
		time.Sleep(time.Second)
		r.expect(t, "\x00", "\x00", "\x00", "\x64", "\x50", "\x3c", "\x28", "\x14", "\x00", "\x00", "\x00")
		if way := r.port.way(); way > 100*100*time.Millisecond/2 {
			t.Errorf("it moves on by %v of full speed 100: more than with an even ramp", way)
		}
		r.port.out = nil
		r.Command([]byte{100}, inAMoment())
		synctest.Wait()
		r.Safe(control.CauseDeadman)
		time.Sleep(30 * time.Millisecond)
		r.Safe(control.CauseEStop)
		time.Sleep(time.Second)
		r.expect(t, "\x64", "\x50", "\x3c", "\x00", "\x00", "\x00")
		r.port.out = nil
		r.Command([]byte{100}, inAMoment())
		synctest.Wait()
		r.Safe(control.CauseDeadman)
		time.Sleep(30 * time.Millisecond)
		r.Command([]byte{90}, inAMoment())
		time.Sleep(time.Second)
		r.expect(t, "\x64", "\x50", "\x3c", "\x5a")
	})
}

// TestNoRampAfterEStop: the end of the lease does not turn an e-stop that still waits for the line into a ramp.
func TestNoRampAfterEStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record, err := codec.NewRecord("<b", nil)
		if err != nil {
			t.Fatal(err)
		}
		c := lines(Config{Safe: []byte{0}, Ramp: time.Second})
		c.Writer = record
		r := run(t, c)
		release := r.port.stall()
		r.Command([]byte{100}, inAMoment())
		synctest.Wait()
		r.Safe(control.CauseDeadman)
		r.Safe(control.CauseEStop)
		r.Safe(control.CauseReleased)
		release()
		time.Sleep(2 * time.Second)
		r.expect(t, "\x64", "\x00", "\x00", "\x00")
	})
}

// TestLastWord: when the board is released, the last message it receives is a stop.
func TestLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Safe: []byte("safe"), Ramp: time.Second}))
		r.Command([]byte("go"), inAMoment())
		synctest.Wait()
		r.stop()
		synctest.Wait()
		if got := slices.Compact(r.port.texts()); !slices.Equal(got, []string{"go", "safe"}) { // sent once or twice
			t.Errorf("on the line: %q", got)
		}
	})
}

// TestLastWordToADeafBoard: a board that reads nothing does not keep the process from ending.
func TestLastWordToADeafBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Safe: []byte("safe")}))
		r.port.stall()
		r.Command([]byte("go"), inAMoment())
		synctest.Wait()
		start := time.Now()
		r.stop()
		<-r.port.closed
		if waited := time.Since(start); waited != lastWord {
			t.Errorf("it waited %v", waited)
		}
		r.expect(t)
	})
}

// TestNothingSurvivesTheBoard: neither a command nor a message for an unplugged board reaches the next one.
func TestNothingSurvivesTheBoard(t *testing.T) {
	t.Run("actuator", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, lines(Config{Safe: []byte("safe")}))
			r.port.stall()
			r.Command([]byte("1"), inAMoment())
			synctest.Wait()
			r.Command([]byte("2"), time.Now().Add(time.Hour))
			r.port.in <- nil
			synctest.Wait()
			r.plug(t)
			time.Sleep(time.Second)
			r.expect(t, "safe", "safe", "safe")
		})
	})
	t.Run("messages", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, lines(Config{}))
			r.port.stall()
			ended := make(chan error, 2)
			for _, text := range []string{"1", "2"} {
				go func() { ended <- r.Write(t.Context(), []byte(text)) }()
			}
			synctest.Wait()
			r.port.in <- nil
			for range 2 {
				if err := <-ended; err == nil {
					t.Error("a message for a board that went was written")
				}
			}
			synctest.Wait()
			if err := r.Write(t.Context(), []byte("3")); !errors.Is(err, device.ErrAway) {
				t.Errorf("while it is away: %v", err)
			}
			r.plug(t)
			if err := r.Write(t.Context(), []byte("4")); err != nil {
				t.Error(err)
			}
			r.expect(t, "4")
		})
	})
}

// TestSlowBoard: a few messages wait, more are refused, and those whose callers gave up are not written.
func TestSlowBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{}))
		release := r.port.stall()
		ctx, giveUp := context.WithCancel(t.Context())
		ended := make(chan error, waitingWrites+2)
		send := func(ctx context.Context, text string) {
			go func() { ended <- r.Write(ctx, []byte(text)) }()
			synctest.Wait()
		}
		send(t.Context(), "first")
		send(ctx, "given up")
		for range waitingWrites - 1 {
			send(t.Context(), "x")
		}
		send(t.Context(), "too many")
		if err := <-ended; !errors.Is(err, ErrFull) {
			t.Errorf("too many: %v", err)
		}
		giveUp()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		release()
		synctest.Wait()
		got := r.port.texts()
		if len(got) != waitingWrites || got[0] != "first" || slices.Contains(got, "given up") ||
			slices.Contains(got, "too many") {
			t.Errorf("written: %q", got)
		}
	})
}

// TestWriteDelay: a board that restarts when its port is opened is not ready before that.
func TestWriteDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		run(t, lines(Config{WriteDelay: 2 * time.Second}))
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("ready after %v", waited)
		}
	})
}

// TestReaders get every message, numbered without gaps over ports; a slow one loses the oldest.
func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := run(t, lines(Config{Epoch: 7}))
		quick, slow := r.Subscribe(), r.Subscribe()
		next := func(want string, sequence int64) {
			t.Helper()
			m, err := quick.Next(t.Context())
			if err != nil || m.GetLine() != want || m.GetSequence() != sequence || m.GetEpoch() != 7 {
				t.Errorf("%v, %v, want %q, number %d", m, err, want, sequence)
			}
		}
		r.port.in <- []byte("a\nb\nhalf")
		next("a", 0)
		next("b", 1)
		r.port.in <- nil
		synctest.Wait()
		r.plug(t)
		r.port.in <- []byte("c\n")
		next("c", 2)
		for i := range int64(Queue) {
			r.port.in <- []byte("x\n")
			next("x", 3+i)
		}
		synctest.Wait() // the quick reader has its message before the slow one does
		if slow.Lost() != 3 {
			t.Errorf("the slow reader lost %d, want 3", slow.Lost())
		}
		if n := testutil.ToFloat64(r.metrics.discarded.WithLabelValues(string(frame.Interrupted))); n != 4 {
			t.Errorf("%v bytes of half a line are counted", n)
		}
	})
}

// TestBadMessages are counted, and do no harm.
func TestBadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lines(Config{})
		c.Reader = codec.NewNMEA()
		r := run(t, c)
		reader := r.Subscribe()
		r.port.in <- []byte("$GPXYZ,1*00\nrubbish\n$GPXYZ,a,1.5*07\n")
		m, err := reader.Next(t.Context())
		if err != nil || m.GetSentence().GetType() != "XYZ" || m.GetSequence() != 0 {
			t.Errorf("%v, %v", m, err)
		}
		if n := testutil.ToFloat64(r.metrics.unread); n != 2 {
			t.Errorf("%v bad messages are counted", n)
		}
	})
}
