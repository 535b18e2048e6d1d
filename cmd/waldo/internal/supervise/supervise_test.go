package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
)

// fakes starts children that exist only in the test.
type fakes struct {
	life func(n int, f *fake) // what the nth start does; it ends the child with f.end

	mu     sync.Mutex
	starts []time.Time
	failed int // number of starts that fail
}

func (s *fakes) start(_ Process, output io.Writer, _ []*os.File) (child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = append(s.starts, time.Now())
	if len(s.starts) <= s.failed {
		return nil, errors.New("no such file")
	}
	f := &fake{output: output, signals: make(chan syscall.Signal, 2), ended: make(chan exit, 1), number: len(s.starts)}
	go s.life(len(s.starts), f)
	return f, nil
}

// waits returns the time between starts.
func (s *fakes) waits() []time.Duration {
	var waits []time.Duration
	for i := range s.starts[1:] {
		waits = append(waits, s.starts[i+1].Sub(s.starts[i]))
	}
	return waits
}

type fake struct {
	output  io.Writer
	signals chan syscall.Signal
	ended   chan exit
	number  int
	doing   atomic.Int64 // an activity
}

func (f *fake) wait() exit                { return <-f.ended }
func (f *fake) pid() int                  { return f.number }
func (f *fake) activity() activity        { return activity(f.doing.Load()) }
func (f *fake) signal(sig syscall.Signal) { f.signals <- sig }

// supervised runs the fakes for a while of bubble time and returns what was printed, without times.
func supervised(t *testing.T, s *fakes, d time.Duration) (string, error) {
	t.Helper()
	var out bytes.Buffer
	printer := NewPrinter(&out, nil, false)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	err := (&Supervisor{printer: printer, starter: s}).Run(ctx, []Process{{Name: "front"}})
	printer.Close()
	return withoutTimes(out.String()), err
}

func withoutTimes(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		_, text, _ := strings.Cut(line, " ")
		b.WriteString(text)
	}
	return b.String()
}

func TestCrashLoopBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakes{life: func(_ int, f *fake) { f.ended <- exit{signal: syscall.SIGKILL} }}
		out, err := supervised(t, s, 15*time.Second)
		if err != nil {
			t.Error(err)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 3200 * ms, 3200 * ms}
		if got := s.waits(); !slices.Equal(got, want) {
			t.Errorf("waits are %v, want %v", got, want)
		}
		first := "front │ was killed (killed); starting again at once\nfront │ was killed (killed); starting again " +
			"in 100ms\n"
		if !strings.HasPrefix(strings.ReplaceAll(out, "front ", "front"), strings.ReplaceAll(first, "front ", "front")) {
			t.Errorf("printed\n%s", out)
		}
	})
}

func TestGoodLifeForgivesCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakes{life: func(n int, f *fake) {
			if n == 4 {
				time.Sleep(goodLife)
			}
			if n < 6 {
				f.ended <- exit{code: 1}
				return
			}
			<-f.signals
			f.ended <- exit{}
		}}
		if _, err := supervised(t, s, time.Minute); err != nil {
			t.Error(err)
		}
		ms := time.Millisecond
		if got, want := s.waits(), []time.Duration{0, 100 * ms, 200 * ms, goodLife, 100 * ms}; !slices.Equal(got, want) {
			t.Errorf("waits are %v, want %v", got, want)
		}
	})
}

func TestFinalExits(t *testing.T) {
	for code, want := range map[int]string{
		device.ExitStopped: "front │ ended with code 0; stopped on request, so it is not started again: start " +
			"it with waldo restart\n",
		device.ExitConfiguration: "front │ ended with code 78; its configuration is wrong, so it is not started " +
			"again: correct it, then run waldo reload\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &fakes{life: func(_ int, f *fake) { f.ended <- exit{code: code} }}
			out, err := supervised(t, s, time.Minute)
			if !errors.Is(err, ErrNothingRuns) || len(s.starts) != 1 {
				t.Errorf("%d starts, error %v", len(s.starts), err)
			}
			if out != want {
				t.Errorf("printed %q, want %q", out, want)
			}
		})
	}
}

// TestAddressInUseAndFailingStart: both are crashes like any other, with their own messages.
func TestAddressInUseAndFailingStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakes{failed: 1, life: func(n int, f *fake) {
			if n == 2 {
				f.ended <- exit{code: device.ExitAddress}
				return
			}
			<-f.signals
			f.ended <- exit{}
		}}
		out, err := supervised(t, s, time.Second)
		want := "front │ no such file; starting again at once\nfront │ ended: an address it needs is in use; " +
			"starting again in 100ms\n"
		if err != nil || out != want {
			t.Errorf("printed %q, want %q; %v", out, want, err)
		}
	})
}

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		life func(int, *fake)
		took time.Duration
		want string
	}{
		"polite":   {func(_ int, f *fake) { <-f.signals; f.ended <- exit{} }, 0, ""},
		"stubborn": {stubborn, Grace, "front │ did not stop within 2s; killed\n"},
		// One that just crashed and waits for its turn is not started again.
		"waiting": {func(_ int, f *fake) { f.ended <- exit{code: 1} }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				out, err := supervised(t, &fakes{life: tt.life}, time.Second)
				if err != nil {
					t.Error(err)
				}
				if took := time.Since(began) - time.Second; took != tt.took {
					t.Errorf("stopped after %s, want %s", took, tt.took)
				}
				if tt.want != "" && out != tt.want {
					t.Errorf("printed %q, want %q", out, tt.want)
				}
			})
		})
	}
}

func stubborn(_ int, f *fake) {
	for sig := range f.signals {
		if sig == syscall.SIGKILL {
			f.ended <- exit{signal: sig}
			return
		}
	}
}

func TestOneCrashDoesNotDisturbOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		printer := NewPrinter(io.Discard, nil, false)
		defer printer.Close()
		calm := &fakes{life: func(_ int, f *fake) { <-f.signals; f.ended <- exit{} }}
		wild := &fakes{life: func(_ int, f *fake) { f.ended <- exit{code: 1} }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := (&Supervisor{printer: printer, starter: byName{"calm": calm, "wild": wild}}).Run(ctx,
			[]Process{{Name: "calm"}, {Name: "wild"}})
		if err != nil || len(calm.starts) != 1 || len(wild.starts) < 3 {
			t.Errorf("calm started %d times, wild %d; %v", len(calm.starts), len(wild.starts), err)
		}
	})
}

type byName map[string]starter

func (b byName) start(p Process, output io.Writer, files []*os.File) (child, error) {
	s, ok := b[p.Name]
	if !ok {
		return nil, fmt.Errorf("no %s", p.Name)
	}
	return s.start(p, output, files)
}
