package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// real processes are played by this test program; see playChild.

// session is a supervisor whose output the test reads.
type session struct {
	lines *bufio.Scanner
	stop  context.CancelFunc
	done  chan error
}

func start(t *testing.T, processes ...Process) *session {
	t.Helper()
	r, w := io.Pipe()
	printer := NewPrinter(w, nil, false)
	ctx, cancel := context.WithCancel(t.Context())
	s := &session{lines: bufio.NewScanner(r), stop: cancel, done: make(chan error, 1)}
	go func() {
		s.done <- New(printer).Run(ctx, processes)
		printer.Close()
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		for s.lines.Scan() {
		}
	})
	return s
}

// next returns the rest of the next line that has the word in it.
func (s *session) next(t *testing.T, word string) string {
	t.Helper()
	for s.lines.Scan() {
		if _, rest, ok := strings.Cut(s.lines.Text(), word); ok {
			return rest
		}
	}
	t.Fatalf("the output ended without %q", word)
	return ""
}

// pid returns the process id that the next child prints.
func (s *session) pid(t *testing.T) int {
	t.Helper()
	var pid int
	if _, err := fmt.Sscan(s.next(t, "│ pid "), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestRealStop(t *testing.T) {
	s := start(t, play("front", "polite"), play("rear", "stubborn"))
	one, two := s.pid(t), s.pid(t)
	s.stop()
	s.next(t, "stopping")
	s.next(t, "did not stop within 2s; killed")
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if alive(one) || alive(two) {
		t.Error("a process was left behind")
	}
}

func TestRealKillIsRestarted(t *testing.T) {
	s := start(t, play("front", "polite"))
	for range 3 {
		pid := s.pid(t)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.next(t, "was killed (killed); starting again")
	}
	last := s.pid(t)
	s.stop()
	s.next(t, "stopping")
	if err := <-s.done; err != nil || alive(last) {
		t.Errorf("alive: %v, error: %v", alive(last), err)
	}
}

func TestRealConfigurationError(t *testing.T) {
	s := start(t, play("front", "config"))
	s.next(t, "no good")
	s.next(t, "its configuration is wrong")
	if err := <-s.done; !errors.Is(err, ErrNothingRuns) {
		t.Errorf("got %v", err)
	}
}

func TestRealProgramMissing(t *testing.T) {
	s := start(t, Process{Name: "front", Path: "/nowhere/waldo-camera"})
	s.next(t, "/nowhere/waldo-camera: no such file or directory; starting again at once")
}

// TestRealGrandchild: the children that a process leaves behind end with it.
func TestRealGrandchild(t *testing.T) {
	s := start(t, play("front", "parent"))
	parent, grandchild := s.pid(t), s.pid(t)
	if err := syscall.Kill(parent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitDead(t, grandchild)
}

// TestSupervisorKilled: no process survives a supervisor that had no chance to stop it.
func TestSupervisorKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"=supervisor")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{lines: bufio.NewScanner(out)}
	s.next(t, "pid ") // of the supervisor
	one, two := s.pid(t), s.pid(t)
	// Threads of the Go runtime come and go; the children must not go with them.
	time.Sleep(50 * time.Millisecond)
	if !alive(one) || !alive(two) {
		t.Error("a process died with its supervisor alive")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	waitDead(t, one)
	waitDead(t, two)
	_ = cmd.Wait() // the error reports that it was killed
}
