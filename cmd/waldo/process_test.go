package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// logs are blocked outputs of all sorts that a process may meet.
var logs = map[string]func(*testing.T) *os.File{
	"reader gone": func(t *testing.T) *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		return w
	},
	"disk full": func(t *testing.T) *os.File { return open(t, "/dev/full", os.O_WRONLY) },
	"nobody reads": func(t *testing.T) *os.File {
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		filler := open(t, fifo, os.O_RDWR|unix.O_NONBLOCK)
		t.Cleanup(func() { filler.Close() })
		raw, err := filler.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		page := make([]byte, 4096)
		var full error
		err = raw.Write(func(fd uintptr) bool {
			for full == nil {
				_, full = unix.Write(int(fd), page)
			}
			return true
		})
		if err != nil || !errors.Is(full, unix.EAGAIN) {
			t.Fatal("the pipe does not become full:", err, full)
		}
		return open(t, fifo, os.O_WRONLY)
	},
}

func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// start runs an installed program with this output, until the test ends.
func start(t *testing.T, output *os.File, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// kill ends a process as a crash would, and waits for its end.
func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // fails if it has ended
	_ = cmd.Wait()         // it was killed
}

// board is a robot with one board that moves, not running yet.
type board struct{ file, nats, eStop string }

func newBoard(t *testing.T) board {
	t.Helper()
	t.Setenv("PATH", launchtest.Install(t, "waldo", "waldo-serial"))
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	address := free(t)
	file := launchtest.WriteRobot(t, fmt.Sprintf("robot: demo\ndevices:\n  motors: {kind: serial, grpc: "+
		"\"127.0.0.1:0\", actuator: true}\n"+
		"nats: {listen: %q}\n", address))
	return board{file, "nats://" + address, filepath.Join(state, "waldo", "demo", "motors.e-stop.json")}
}

// kept fails the test unless the complete e-stop is in its file.
func (b board) kept(t *testing.T) {
	t.Helper()
	var kept struct{ ID, Reason string }
	data, err := os.ReadFile(b.eStop)
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil || kept.ID == "" || kept.Reason != "smoke" {
		t.Fatalf("kept is %q, %v", data, err)
	}
}

// latched fails the test unless commands are refused.
func (b board) latched(t *testing.T) {
	t.Helper()
	if code, _, err := waldo(t, "send", "--nats", b.nats, "motors", "[1]"); code != 1 ||
		!strings.Contains(err, "an e-stop is latched") {
		t.Errorf("it can be driven: %d, %s", code, err)
	}
}

// press presses the e-stop.
func (b board) press(t *testing.T) {
	t.Helper()
	if code, _, err := waldo(t, "estop", "--nats", b.nats, "--reason", "smoke"); code != 0 ||
		err != "demo/motors stopped\n" {
		t.Fatalf("estop: %d, %s", code, err)
	}
	b.kept(t)
}

// TestEstopWhateverBecomesOfTheLog presses the e-stop of a robot whose log cannot be written. Nothing
// may end or wait because of that, and the e-stop must survive the death of all processes.
func TestEstopWhateverBecomesOfTheLog(t *testing.T) {
	for name, output := range logs {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			to := output(t)
			defer to.Close()
			launcher := start(t, to, "waldo", "up", "--no-gateway", b.file)
			motors := ls(t, 1, "--nats", b.nats)[0]
			b.press(t)
			if err := unix.Kill(int(motors.PID), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			for ls(t, 1, "--nats", b.nats)[0].Epoch == motors.Epoch {
				time.Sleep(10 * time.Millisecond) // the dead process may still be listed
			}
			b.latched(t)
			kill(launcher)
			start(t, to, "waldo", "up", "--no-gateway", b.file)
			ls(t, 1, "--nats", b.nats)
			b.latched(t)
		})
	}
}

// TestLauncherStopsWhateverBecomesOfTheLog stops a launcher whose log cannot be written: it exits soon,
// with code 0.
func TestLauncherStopsWhateverBecomesOfTheLog(t *testing.T) {
	for name, output := range logs {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			to := output(t)
			defer to.Close()
			launcher := start(t, to, "waldo", "up", "--no-gateway", b.file)
			motors := ls(t, 1, "--nats", b.nats)[0]
			if err := launcher.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := launcher.Wait(); err != nil {
				t.Error(err)
			}
			if launchtest.Running(int(motors.PID)) {
				t.Error("the board was left behind")
			}
		})
	}
}

// TestEstopOfADeviceAlone is the same for a device that was started by hand, like waldo-serial … | head.
func TestEstopOfADeviceAlone(t *testing.T) {
	for name, output := range logs {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t)
			server, err := embedded.Start(embedded.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			b.nats = server.URL()
			to := output(t)
			defer to.Close()
			args := []string{"--robot", "demo", "--device", "motors", "--actuator", "--nats", b.nats}
			motors := start(t, to, "waldo-serial", args...)
			ls(t, 1, "--nats", b.nats)
			b.press(t)
			if !launchtest.Running(motors.Process.Pid) {
				t.Fatal("it ended")
			}
			kill(motors)
			start(t, to, "waldo-serial", args...)
			ls(t, 1, "--nats", b.nats)
			b.latched(t)
		})
	}
}

// TestEstopIsKeptBeforeItIsSaid kills the device at the very moment at which its log reports the e-stop.
func TestEstopIsKeptBeforeItIsSaid(t *testing.T) {
	b := newBoard(t)
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for range 5 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		motors := start(t, w, "waldo-serial", "--robot", "demo", "--device", "motors", "--actuator", "--nats", server.URL())
		w.Close()
		ls(t, 1, "--nats", server.URL())
		pressed := make(chan struct{})
		go func() {
			defer close(pressed)
			run(t.Context(), []string{"estop", "--nats", server.URL(), "--reason", "smoke", "--timeout", "500ms"},
				console{io.Discard, io.Discard})
		}()
		for lines := bufio.NewScanner(r); lines.Scan() && !strings.Contains(lines.Text(), "msg=e-stop"); {
		}
		kill(motors)
		b.kept(t)
		r.Close()
		<-pressed
		if err := os.Remove(b.eStop); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEstopThatCannotBeKept lets the board run out of disk space.
func TestEstopThatCannotBeKept(t *testing.T) {
	b := newBoard(t)
	log := open(t, filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY)
	defer log.Close()
	start(t, log, "waldo", "up", "--no-gateway", b.file)
	motors := ls(t, 1, "--nats", b.nats)[0]
	if err := unix.Prlimit(int(motors.PID), unix.RLIMIT_FSIZE, &unix.Rlimit{}, nil); err != nil {
		t.Fatal(err)
	}
	code, _, said := waldo(t, "estop", "--nats", b.nats)
	if code != exitNotKept || !strings.Contains(said, "demo/motors: it has stopped, but the e-stop could not be stored") {
		t.Errorf("%d, %s", code, said)
	}
	b.latched(t)
	if again := ls(t, 1, "--nats", b.nats)[0]; again.Epoch != motors.Epoch {
		t.Error("the board died of it")
	}
}

// TestExitCodeOfEstop: the code is 74 only if nothing worse has happened.
func TestExitCodeOfEstop(t *testing.T) {
	a := bus.Address{Robot: "demo", Device: "motors"}
	notKept, away := plainError(a, errNotKept), plainError(a, errors.New("away"))
	for want, errs := range map[int][][]error{exitNotKept: {{notKept}, {notKept, notKept}},
		1: {{away}, {notKept, away}, {away, notKept}}} {
		for _, e := range errs {
			if got := exitCode(errors.Join(e...)); got != want {
				t.Errorf("%v: %d, want %d", e, got, want)
			}
		}
	}
}
