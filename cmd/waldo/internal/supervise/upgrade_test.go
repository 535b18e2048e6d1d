package supervise

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
)

// actors starts children that play the two sides of a handover.
type actors struct {
	play []func(*actor) // what the nth start does
	up   chan *actor    // those that were started

	mu     sync.Mutex
	starts int
}

// actor is a child with its ends of the connections.
type actor struct {
	fake
	channel, predecessor *handover.Conn
}

func (a *actors) start(_ Process, output io.Writer, files []*os.File) (child, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.starts++
	c := &actor{fake: fake{output: output, signals: make(chan syscall.Signal, 2), ended: make(chan exit, 1),
		number: a.starts}}
	for i, to := range []**handover.Conn{&c.channel, &c.predecessor} {
		if files[i] == nil {
			continue
		}
		fd, err := syscall.Dup(int(files[i].Fd())) // as a child has it
		if err != nil {
			return nil, err
		}
		if *to, err = handover.Open(os.NewFile(uintptr(fd), "inherited")); err != nil {
			return nil, err
		}
	}
	go func() {
		a.play[min(c.number, len(a.play))-1](c)
		for _, conn := range []*handover.Conn{c.channel, c.predecessor} {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	a.up <- c
	return c, nil
}

// serves until it is told to stop, or until a successor that it was offered is done.
func serves(a *actor) {
	succeeded, heard := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(heard)
		_, files, err := a.channel.Receive()
		if err != nil {
			return
		}
		successor, err := handover.Open(files[0])
		if err != nil {
			return
		}
		defer successor.Close()
		if m, _, err := successor.Receive(); err == nil && m.Kind == handover.Done {
			close(succeeded)
		}
	}()
	select {
	case <-succeeded:
		a.ended <- exit{}
	case sig := <-a.signals:
		a.ended <- exit{signal: sig}
	}
	a.channel.Interrupt()
	<-heard
}

// takesOver does, and serves.
func takesOver(a *actor) {
	_ = a.predecessor.Send(handover.Message{Kind: handover.Done})
	a.predecessor.Close()
	_ = a.channel.Send(handover.Message{Kind: handover.Done})
	serves(a)
}

// fails says why it does not take over, and ends.
func fails(a *actor) {
	_ = a.channel.Send(handover.Message{Kind: handover.Failed, Reason: "no such camera"})
	a.ended <- exit{code: 75}
}

// theatre runs a process that hands over.
func theatre(t *testing.T, play ...func(*actor)) (*Supervisor, *actors) {
	t.Helper()
	printer := NewPrinter(io.Discard, nil, false)
	t.Cleanup(printer.Close)
	a := &actors{play: play, up: make(chan *actor, 100)}
	s := &Supervisor{printer: printer, starter: a}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, []Process{{Name: "front", HandsOver: true}, {Name: "gateway"}}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		<-a.up
	}
	for _, name := range []string{"front", "gateway"} {
		if err := s.Running(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return s, a
}

// idle serves, and hands nothing over.
func idle(a *actor) {
	<-a.signals
	a.ended <- exit{}
}

func TestUpgrade(t *testing.T) {
	either := func(a *actor) { // the two first processes start in any order
		if a.channel == nil {
			idle(a)
		} else {
			serves(a)
		}
	}
	for name, tt := range map[string]struct {
		next func(*actor)
		says string // "" for a success
	}{
		"takes over": {takesOver, ""},
		"fails":      {fails, "no such camera"},
		"crashes":    {func(a *actor) { a.ended <- exit{signal: syscall.SIGSEGV} }, "was killed"},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := theatre(t, either, either, tt.next)
			before := pid(s)
			err := s.Upgrade(t.Context(), "front", false)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%v, want %q", err, tt.says)
			}
			if changed := pid(s) != before; changed != (tt.says == "") {
				t.Errorf("process %d was %d", pid(s), before)
			}
			if a.starts != 3 {
				t.Errorf("%d processes were started", a.starts)
			}
			if err := s.Upgrade(t.Context(), "gateway", false); !errors.Is(err, ErrCannotHandOver) {
				t.Errorf("the gateway: %v", err)
			}
			if err := s.Upgrade(t.Context(), "rear", false); !IsUnknown(err) {
				t.Errorf("nobody: %v", err)
			}
		})
	}
}

// TestASuccessorThatHangs is killed, and the present process goes on.
func TestASuccessorThatHangs(t *testing.T) {
	either := func(a *actor) { // the two first processes start in any order
		if a.channel == nil {
			idle(a)
		} else {
			serves(a)
		}
	}
	hangs := func(a *actor) {
		for sig := range a.signals {
			if sig == syscall.SIGKILL {
				a.ended <- exit{signal: sig}
				return
			}
		}
	}
	s, a := theatre(t, either, either, hangs)
	s.upgradeLimit = 50 * time.Millisecond
	before := pid(s)
	if err := s.Upgrade(t.Context(), "front", false); err == nil ||
		!strings.Contains(err.Error(), "within 50ms, and was killed") {
		t.Errorf("it says %v", err)
	}
	if pid(s) != before || a.starts != 3 {
		t.Errorf("process %d was %d; %d were started", pid(s), before, a.starts)
	}
}

// TestAProgramThatCannotBeStarted, for example because it was written to a full disk: the present process goes on.
func TestAProgramThatCannotBeStarted(t *testing.T) {
	printer := NewPrinter(io.Discard, nil, false)
	t.Cleanup(printer.Close)
	program := filepath.Join(t.TempDir(), "waldo-front")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	s := New(printer)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- s.Run(ctx, []Process{{Name: "front", Path: program, Args: []string{"1000"}, HandsOver: true}})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for s.Running(t.Context(), "front") != nil { // Run has yet to begin
		runtime.Gosched()
	}
	before := pid(s)
	for what, change := range map[string]func() error{
		"cut off":   func() error { return os.WriteFile(program, text[:100], 0o755) },
		"not there": func() error { return os.Remove(program) },
	} {
		if err := os.Remove(program); err != nil && !errors.Is(err, os.ErrNotExist) { // it runs, and cannot be written to
			t.Fatal(err)
		}
		if err := change(); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := s.Upgrade(t.Context(), "front", false); err == nil || !strings.Contains(err.Error(), program) {
			t.Errorf("%s: it says %v", what, err)
		}
		if pid(s) != before {
			t.Errorf("%s: process %d was %d", what, pid(s), before)
		}
	}
}

// TestUpgradeWhileTheOldOneDies: the successor is kept, and nothing else is started.
func TestUpgradeWhileTheOldOneDies(t *testing.T) {
	dies := func(a *actor) {
		if a.channel == nil {
			idle(a)
			return
		}
		_, _, _ = a.channel.Receive() // the offer
		a.ended <- exit{signal: syscall.SIGKILL}
	}
	s, a := theatre(t, dies, dies, idle)
	if err := s.Upgrade(t.Context(), "front", false); err != nil {
		t.Error(err)
	}
	if next := <-a.up; pid(s) != next.number || a.starts != 3 {
		t.Errorf("process %d runs, want %d of %d", pid(s), next.number, a.starts)
	}
}

func pid(s *Supervisor) int {
	for _, p := range s.Status() {
		if p.Name == "front" {
			return p.PID
		}
	}
	return 0
}
