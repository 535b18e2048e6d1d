package preprocess

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/video/codec/standard"
)

// marked is the first byte of a picture that the command has changed.
const marked = 255

// play is a command of the tests, or a camera with one.
func play(mode string) int {
	if mode == "camera" {
		return playCamera()
	}
	width, _ := strconv.Atoi(os.Getenv("FRAME_WIDTH"))
	height, _ := strconv.Atoi(os.Getenv("FRAME_HEIGHT"))
	held := 0
	if n, ok := strings.CutPrefix(mode, "hold"); ok {
		held, _ = strconv.Atoi(n)
	}
	var kept [][]byte
	for n := 0; ; n++ {
		picture := make([]byte, width*height*3)
		if _, err := io.ReadFull(os.Stdin, picture); err != nil {
			return 0
		}
		switch {
		case mode == "crash" && n == 5:
			return 3
		case mode == "slow":
			time.Sleep(400 * time.Millisecond)
		}
		picture[0] = marked
		kept = append(kept, picture)
		for len(kept) > held {
			write(mode, kept[0])
			kept = kept[1:]
		}
	}
}

func write(mode string, picture []byte) {
	piece := len(picture)
	if mode == "pieces" {
		piece = 1000
	}
	for len(picture) > 0 {
		n, err := os.Stdout.Write(picture[:min(piece, len(picture))])
		if err != nil {
			os.Exit(4)
		}
		if picture = picture[n:]; mode == "twice" {
			mode, picture = "", append(make([]byte, 0, 2*n), make([]byte, n)...)
		}
	}
}

// playCamera opens a camera with a command that would go on for ever, tells its process group, and never ends.
func playCamera() int {
	var log logtest.Text
	h := New(Config{Command: Command{Line: "trap '' HUP PIPE; echo started >&2; sleep 1000 | sleep 1000"},
		Codecs: standard.Codecs(), Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: prometheus.NewRegistry()})
	s, err := h.Open(newCamera())
	if err != nil {
		return 5
	}
	for !strings.Contains(log.String(), "started") {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(s.current().cmd.Process.Pid)
	select {}
}

// awaitStopped waits until all processes of a group are stopped.
func awaitStopped(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(waitFor); ; time.Sleep(5 * time.Millisecond) {
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("process group %d is not stopped: %v", group, err)
		}
		running := 0
		for _, path := range stats {
			stat, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended
			}
			_, fields, _ := strings.Cut(string(stat), ") ") // state, parent, group
			if f := strings.Fields(fields); len(f) > 2 && f[2] == strconv.Itoa(group) && f[0] != "T" {
				running++
			}
		}
		if running == 0 {
			return
		}
	}
}

// The command ends with a camera that is killed.
func TestCameraIsKilled(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HOOK_MODE=camera")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var group int
		if _, err := fmt.Fscan(out, &group); err != nil {
			t.Fatal(err)
		}
		if stopped {
			if err := syscall.Kill(-group, syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			awaitStopped(t, group)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
		gone(t, group)
	}
}

func TestWhatACommandSaysIsBounded(t *testing.T) {
	var log logtest.Text
	said := strings.Repeat("x", 10*maxText) + "\n" + strings.Repeat("line\x1b[2J\n", 20*burst) + "the end"
	relay(strings.NewReader(said), slog.New(slog.NewTextHandler(&log, nil)))
	text := log.String()
	if n := strings.Count(text, "\n"); n > 2*burst {
		t.Errorf("%d lines are logged", n)
	}
	for line := range strings.Lines(text) {
		if len(line) > 2*maxText {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	if !strings.Contains(text, "says more than is logged") || strings.Contains(text, "\x1b") {
		t.Errorf("logged:\n%.2000s", text)
	}
}

func TestCommand(t *testing.T) {
	for text, want := range map[string]string{
		"python blur.py": "", "": "is empty", "  \t": "is empty", "a\x00b": "zero byte",
		strings.Repeat("x", maxLine+1): "in a script",
	} {
		var c Command
		err := c.UnmarshalText([]byte(text))
		if want == "" && (err != nil || !c.Given() || c.Line != text) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %+v, %v", text, c, err)
		}
	}
}
