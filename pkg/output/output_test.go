package output_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/output"
)

// childMode, in the environment, makes this test program write to its output instead of running tests.
const childMode = "WALDO_TEST_OUTPUT"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(playChild(mode))
	}
	goleak.VerifyTestMain(m)
}

// playChild writes until a write fails, and then exits with 3.
func playChild(mode string) int {
	if mode != "without" {
		output.Survive()
	}
	if mode == "limit" {
		limit := syscall.Rlimit{Cur: 4096, Max: 4096}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return 1
		}
	}
	for {
		if _, err := os.Stderr.WriteString(strings.Repeat("x", 1000)); err != nil {
			return 3
		}
	}
}

func gap(n int64) string { return fmt.Sprintf("%d left out\n", n) }

// TestSurvive runs a process whose output cannot be written: it must get an error and keep running.
// Without Survive it would be killed, which shows that the test can fail.
func TestSurvive(t *testing.T) {
	for mode, want := range map[string]string{"gone": "exit status 3", "limit": "exit status 3",
		"without": "signal: broken pipe"} {
		t.Run(mode, func(t *testing.T) {
			to, err := os.Create(t.TempDir() + "/log")
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			if mode != "limit" {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				r.Close()
				defer w.Close()
				to = w
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childMode+"="+mode)
			cmd.Stderr = to
			if err := cmd.Run(); err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestWriterKeepsOrder(t *testing.T) {
	var out bytes.Buffer
	w := output.NewWriter(&out, gap)
	for i := range 100 {
		_, _ = fmt.Fprintf(w, "%d\n", i)
	}
	w.Close(time.Minute)
	_, _ = io.WriteString(w, "too late")
	if got := out.String(); strings.Count(got, "\n") != 100 || !strings.HasPrefix(got, "0\n1\n2\n") ||
		!strings.HasSuffix(got, "98\n99\n") {
		t.Errorf("wrote %q", got)
	}
}

// gate is an output that blocks until it is opened.
type gate struct {
	open chan struct{}
	took bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.took.Write(b)
}

// TestWriterNeverWaits writes more than the queue holds to a blocked output.
func TestWriterNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		w := output.NewWriter(g, gap)
		const count = 3000
		for range count {
			_, _ = io.WriteString(w, "line\n") // would hang here
		}
		began := time.Now()
		w.Close(time.Second)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("Close took %v", waited)
		}
		close(g.open)
		synctest.Wait()
		var lost int
		text := g.took.String()
		for line := range strings.Lines(text) {
			var n int
			if _, err := fmt.Sscanf(line, "%d left out", &n); err == nil {
				lost += n
			}
		}
		if shown := strings.Count(text, "line\n"); lost == 0 || shown+lost != count {
			t.Errorf("%d shown and %d reported as lost, of %d", shown, lost, count)
		}
	})
}

// fullDisk fails until there is room.
type fullDisk struct {
	mu   sync.Mutex
	room bool
	took bytes.Buffer
}

func (d *fullDisk) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.room {
		return 0, errors.New("no space left on device")
	}
	return d.took.Write(b)
}

// TestWriterAfterFullDisk resumes once there is room again, and reports the loss.
func TestWriterAfterFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fullDisk{}
		w := output.NewWriter(d, gap)
		for range 7 {
			_, _ = io.WriteString(w, "lost\n")
		}
		synctest.Wait()
		d.mu.Lock()
		d.room = true
		d.mu.Unlock()
		_, _ = io.WriteString(w, "kept\n")
		w.Close(time.Minute)
		if got := d.took.String(); got != "kept\n7 left out\n" {
			t.Errorf("wrote %q", got)
		}
	})
}
