package supervise

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a process that answers the nth question as the test determines.
type scripted struct {
	ask   func(ctx context.Context, n int) Answer
	asked int
}

func (s *scripted) Ask(ctx context.Context) Answer { s.asked++; return s.ask(ctx, s.asked) }
func (s *scripted) Close()                         {}

// silent is a question without an answer.
func silent(ctx context.Context) Answer { <-ctx.Done(); return Silent }

// TestWatch runs each sort of process for two minutes, and checks after how long it counts as hanging,
// if it does.
func TestWatch(t *testing.T) {
	for name, tt := range map[string]struct {
		doing activity
		ask   func(ctx context.Context, n int) Answer
		want  string
		after time.Duration
	}{
		"well": {asleep, func(context.Context, int) Answer { return Answered }, "", 0},
		"slow but well": {asleep, func(context.Context, int) Answer {
			time.Sleep(patience - time.Millisecond)
			return Answered
		}, "", 0},
		"not listening": {asleep, func(context.Context, int) Answer { return Unasked }, "", 0},
		"stopped at once": {stopped, func(context.Context, int) Answer { return Unasked }, "was stopped for 5s",
			5 * time.Second},
		"stopped while it works": {stopped, afterFirst(silent), "was stopped for 5s", 7 * time.Second},
		"deadlock":               {asleep, afterFirst(silent), "gave no sign of life for 5s", 7 * time.Second},
		"starved":                {busy, afterFirst(silent), "gave no sign of life for 20s", 22 * time.Second},
		"deadlock at the start": {asleep, func(ctx context.Context, _ int) Answer { return silent(ctx) },
			"gave no sign of life for 1m0s", 61 * time.Second},
		"slow start": {asleep, func(ctx context.Context, n int) Answer {
			if n < startQuestions {
				return silent(ctx)
			}
			return Answered
		}, "", 0},
		"slow now and then": {busy, func(ctx context.Context, n int) Answer {
			if n%busyQuestions != 0 {
				return silent(ctx)
			}
			return Answered
		}, "", 0},
		"the launcher itself slept": {asleep, afterFirst(func(ctx context.Context) Answer {
			<-ctx.Done()
			time.Sleep(2 * late)
			return Silent
		}), "", 0},
		"listens no more": {asleep, afterFirst(func(context.Context) Answer { return Unasked }), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				f := &fake{}
				f.doing.Store(int64(tt.doing))
				began := time.Now()
				w := watcher{child: f, probe: &scripted{ask: tt.ask}}
				got := w.run(ctx)
				if took := time.Since(began); got != tt.want || got != "" && took > tt.after {
					t.Errorf("%q after %v, want %q after %v", got, took, tt.want, tt.after)
				}
			})
		})
	}
}

// afterFirst answers the first question, and leaves the others to then.
func afterFirst(then func(context.Context) Answer) func(context.Context, int) Answer {
	return func(ctx context.Context, n int) Answer {
		if n == 1 {
			return Answered
		}
		return then(ctx)
	}
}

// TestHungProcessIsReplaced lets a process hang until it is killed: the next one begins at once.
func TestHungProcessIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakes{life: func(n int, f *fake) {
			if n == 1 {
				f.doing.Store(int64(stopped))
			}
			for sig := range f.signals {
				if sig == syscall.SIGKILL || n > 1 {
					f.ended <- exit{signal: sig}
					return
				}
			}
		}}
		var out bytes.Buffer
		printer := NewPrinter(&out, nil, false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := (&Supervisor{printer: printer, starter: s}).Run(ctx, []Process{{Name: "front", NewProbe: func(pid int) Probe {
			return &scripted{ask: func(ctx context.Context, n int) Answer {
				if pid == 1 && n > 3 {
					return silent(ctx)
				}
				return Answered
			}}
		}}})
		printer.Close()
		if waits := s.waits(); err != nil || len(waits) != 1 || waits[0] < patience || waits[0] > 2*patience {
			t.Errorf("%v, the second start came after %v", err, waits)
		}
		if text := withoutTimes(out.String()); text != "front │ was stopped for 5s; killed; starting again at once\n" {
			t.Errorf("printed %q", text)
		}
	})
}

// TestActivity looks at real processes.
func TestActivity(t *testing.T) {
	for want, script := range map[activity]string{asleep: "exec sleep 60", busy: "while :; do :; done",
		stopped: "kill -STOP $$"} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			deadline := time.Now().Add(20 * time.Second)
			for ; activityOf(cmd.Process.Pid) != want; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("it is %d", activityOf(cmd.Process.Pid))
				}
			}
		})
	}
}

// living starts fakes that run until they are asked to stop.
func living() *fakes {
	return &fakes{life: func(_ int, f *fake) { <-f.signals; f.ended <- exit{} }}
}

// TestRestartAndChange runs two processes and changes them.
func TestRestartAndChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		printer := NewPrinter(&bytes.Buffer{}, nil, false)
		defer printer.Close()
		fakes := living()
		s := &Supervisor{printer: printer, starter: fakes}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, []Process{{Name: "a"}, {Name: "b"}}) }()
		pids := func() string {
			synctest.Wait()
			text := ""
			for _, p := range s.Status() {
				text += fmt.Sprintf("%s %d ", p.Name, p.PID)
			}
			return text
		}
		before := pids()
		if err := s.Restart(ctx, "c"); !IsUnknown(err) {
			t.Error(err)
		}
		if err := s.Restart(ctx, "b"); err != nil {
			t.Error(err)
		}
		restarted := pids()
		if before[:4] != restarted[:4] || !strings.HasSuffix(restarted, "b 3 ") {
			t.Errorf("%s became %s", before, restarted)
		}
		changes, err := s.Change([]Process{{Name: "b", Input: []byte("new")}, {Name: "c"}})
		if got := fmt.Sprint(changes, err, pids()); got != "{[] [c] [a]} <nil>b 3 c 4 " {
			t.Error(got)
		}
		changes, err = s.Change([]Process{{Name: "b", Config: "other"}, {Name: "c"}})
		if got := fmt.Sprint(changes, err, pids()); got != "{[b] [] []} <nil>b 5 c 4 " {
			t.Error(got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := s.Change(nil); err == nil {
			t.Error("changed after the end")
		}
	})
}

// TestRestartOfWhatHasEnded restarts a process that ended permanently, and one that waits for its next start.
func TestRestartOfWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		printer := NewPrinter(&bytes.Buffer{}, nil, false)
		defer printer.Close()
		var lives atomic.Int64
		fakes := &fakes{life: func(n int, f *fake) {
			lives.Add(1)
			if n == 2 || n == 1 { // one is a, the other is b
				<-f.signals
				f.ended <- exit{}
				return
			}
			f.ended <- exit{code: 1}
		}}
		s := &Supervisor{printer: printer, starter: fakes}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, []Process{{Name: "a"}, {Name: "b"}}) }()
		synctest.Wait()
		if err := s.Restart(ctx, "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(30 * time.Second) // it crashes again and again
		if status := s.Status()[0]; status.Ended ||
			!strings.Contains(status.Reason, "ended with code 1; starting again in 3.2s") {
			t.Errorf("%+v", status)
		}
		before := lives.Load()
		err := s.Restart(ctx, "a")
		synctest.Wait() // until the run counts as a good one
		if err != nil || lives.Load() <= before {
			t.Errorf("%v, %d lives after %d", err, lives.Load(), before)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestInput hands a process its file, and its successor too.
func TestInput(t *testing.T) {
	for range 2 {
		f, err := InputFile([]byte("robot: demo\n"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "cat", "/dev/fd/3")
		cmd.ExtraFiles = []*os.File{f}
		out, err := cmd.Output()
		if f.Close(); err != nil || string(out) != "robot: demo\n" {
			t.Errorf("%q, %v", out, err)
		}
	}
}
