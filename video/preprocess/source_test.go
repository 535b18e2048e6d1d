package preprocess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/logtest"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
	"github.com/waldo-robot/waldo/video/testsource"
)

const waitFor = 30 * time.Second

func TestMain(m *testing.M) {
	if mode := os.Getenv("HOOK_MODE"); mode != "" {
		os.Exit(play(mode))
	}
	goleak.VerifyTestMain(m)
}

// camera delivers pictures whose bytes are all the number of the picture, modulo 100.
type camera struct {
	width  atomic.Int32
	kind   string // media type
	closed chan struct{}
	once   sync.Once
}

const rate = 60

func newCamera() *camera {
	c := &camera{kind: media.Raw, closed: make(chan struct{})}
	c.width.Store(64)
	return c
}

func (c *camera) format() *mediav1.VideoFormat {
	f := &mediav1.VideoFormat{MediaType: c.kind, WidthPx: c.width.Load(), HeightPx: 48, FrameRateHz: rate}
	if c.kind == media.Raw {
		f.PixelFormat = media.PixelBGR24
	}
	return f
}

func (c *camera) Info() source.Info {
	return source.Info{Native: []*mediav1.VideoFormat{c.format()}, Current: c.format(),
		Attributes: map[string]string{"driver": "test"}}
}

func (c *camera) Capture(ctx context.Context, deliver func(source.Frame)) error {
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for n := 0; ; n++ {
		f := source.Frame{Format: c.format(), Time: time.Now(), Key: true,
			Metadata: map[string]string{"n": strconv.Itoa(n)}}
		f.Data = make([]byte, media.FrameSize(f.Format))
		for i := range f.Data {
			f.Data[i] = byte(n % 100)
		}
		deliver(f)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		case <-c.closed:
			return fmt.Errorf("test: %w", device.ErrAway)
		}
	}
}

func (c *camera) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// rig is a source with a command.
type rig struct {
	*Source
	hook   *Hook
	camera *camera
	log    *logtest.Text
	frames chan source.Frame // what is delivered, while capture runs
	torn   bool              // pictures may be others than they should
}

// own is a command that runs this test program as a hook.
func own(mode string) string { return "HOOK_MODE=" + mode + " exec '" + os.Args[0] + "'" }

func open(t *testing.T, line string) *rig {
	t.Helper()
	r := &rig{camera: newCamera(), log: &logtest.Text{}, frames: make(chan source.Frame, 1000)}
	r.hook = New(Config{Command: Command{Line: line, Folder: t.TempDir()}, Codecs: standard.Codecs(),
		Log: slog.New(slog.NewTextHandler(r.log, nil)), Metrics: prometheus.NewRegistry()})
	var err error
	if r.Source, err = r.hook.Open(r.camera); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log.String())
		}
	})
	return r
}

// capture captures until the test ends.
func (r *rig) capture(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Capture(ctx, func(f source.Frame) { r.frames <- f }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// isChanged checks a picture, and reports whether the command has changed it.
func isChanged(t *testing.T, f source.Frame) bool {
	t.Helper()
	n, err := strconv.Atoi(f.Metadata["n"])
	if err != nil || len(f.Data) != media.FrameSize(f.Format) || f.Data[1] != byte(n%100) ||
		f.Data[len(f.Data)-1] != f.Data[1] {
		t.Fatalf("picture %v has %d bytes, of picture %d", f.Metadata, len(f.Data), f.Data[1])
	}
	return f.Data[0] == marked
}

// await takes pictures, all in order, until one is as wanted, and returns it.
func (r *rig) await(t *testing.T, what string, done func(f source.Frame, changed bool) bool) source.Frame {
	t.Helper()
	deadline := time.After(waitFor)
	for last := (time.Time{}); ; {
		select {
		case f := <-r.frames:
			if !f.Time.After(last) {
				t.Fatalf("a picture of %v comes after one of %v", f.Time, last)
			}
			last = f.Time
			if done(f, !r.torn && isChanged(t, f)) {
				return f
			}
		case <-deadline:
			t.Fatalf("%s: not within %v; it says %q", what, waitFor, r.hook.Words())
		}
	}
}

// awaitRun waits for a number of pictures in a row that are all changed, or all not.
func (r *rig) awaitRun(t *testing.T, length int, want bool) {
	t.Helper()
	n := 0
	what := fmt.Sprintf("%d pictures in a row with changed = %v", length, want)
	r.await(t, what, func(_ source.Frame, changed bool) bool {
		if n++; changed != want {
			n = 0
		}
		return n == length
	})
}

func (r *rig) failures() float64 { return testutil.ToFloat64(r.hook.restarts) }

func TestPicturesAreChanged(t *testing.T) {
	for name, line := range map[string]string{
		"one by one":     own("mark"),
		"holds one back": own("hold1"),
		"holds three":    own("hold3"),
		"in a pipeline":  "cat | " + own("mark") + " | cat",
		"small pieces":   own("pieces"),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, line)
			r.capture(t)
			r.awaitRun(t, 10, true)
			if n := r.failures(); n != 0 {
				t.Errorf("%v failures", n)
			}
			r.hook.Words()
			r.awaitRun(t, 5, true)
			if got := r.hook.Words(); got != "changes all pictures" && !strings.HasPrefix(got, "too slow") {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// Troubles cost the change only, and pass.
func TestTroublesCostTheChangeOnly(t *testing.T) {
	for name, tt := range map[string]struct{ line, log string }{
		"it ends":           {own("crash"), "exit status 3"},
		"it writes more":    {own("twice"), errTooMuch.Error()},
		"it is not there":   {"no-such-command", "exit status 127"},
		"it is no command":  {"(", "exit status 2"},
		"it ends well":      {"true", "exit status 0"},
		"it takes no input": {"exec <&-; sleep 0.2", "exit status 0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, tt.line)
			r.torn = name == "it writes more" // its surplus is taken for the next picture, until there is none
			r.capture(t)
			last := 0
			r.await(t, "it failed twice, and pictures come", func(f source.Frame, _ bool) bool {
				n, err := strconv.Atoi(f.Metadata["n"])
				if err != nil || n > last+rate {
					t.Fatalf("picture %d after %d: %v", n, last, err)
				}
				last = n
				return r.failures() >= 2
			})
			if log := r.log.String(); !strings.Contains(log, tt.log) {
				t.Errorf("the log does not say %q:\n%s", tt.log, log)
			}
		})
	}
}

// A command that is killed or stopped is started again.
func TestKilledAndStopped(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(signal.String(), func(t *testing.T) {
			r := open(t, own("mark"))
			r.capture(t)
			r.awaitRun(t, 10, true)
			if err := syscall.Kill(-r.current().cmd.Process.Pid, signal); err != nil {
				t.Fatal(err)
			}
			r.awaitRun(t, 5, false)
			r.awaitRun(t, 10, true)
			if n := r.failures(); n < 1 {
				t.Errorf("%v failures", n)
			}
		})
	}
}

func TestTooSlow(t *testing.T) {
	r := open(t, own("slow"))
	r.capture(t)
	r.awaitRun(t, 2*rate, false)
	if got := r.hook.Words(); got != "too slow: about 100 % of the pictures pass unchanged" {
		t.Errorf("it says %q", got)
	}
	if n := r.failures(); n != 0 {
		t.Errorf("%v failures", n)
	}
	if n := testutil.ToFloat64(r.hook.pictures[busy]) + testutil.ToFloat64(r.hook.pictures[late]); n < rate {
		t.Errorf("%v pictures are counted", n)
	}
}

func TestPicturesChangeSize(t *testing.T) {
	r := open(t, own("mark"))
	r.capture(t)
	r.awaitRun(t, 10, true)
	r.camera.width.Store(96)
	r.await(t, "pictures of the new size are changed", func(f source.Frame, changed bool) bool {
		return changed && f.Format.GetWidthPx() == 96
	})
	if n := r.failures(); n != 0 {
		t.Errorf("%v failures", n)
	}
}

// While nobody watches, the command gets nothing; those who come later have changed pictures at once.
func TestOnlyWhileWatched(t *testing.T) {
	r := open(t, own("mark"))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		if err := r.Capture(ctx, func(f source.Frame) {
			if isChanged(t, f) {
				n++
			}
			if n == 10 {
				cancel()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if r.hook.Words(); r.hook.Words() != "ready" {
			t.Errorf("with nobody watching it says %q", r.hook.Words())
		}
	}
	if n := r.failures(); n != 0 {
		t.Errorf("%v failures", n)
	}
}

// gone waits until a process group has ended.
func gone(t *testing.T, group int) {
	t.Helper()
	for deadline := time.Now().Add(waitFor); !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH); {
		if time.Now().After(deadline) {
			t.Fatalf("process group %d is still there", group)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestNothingIsLeft(t *testing.T) {
	for name, line := range map[string]string{
		"it ends":           own("mark"),
		"it goes on":        "sleep 1000",
		"it leaves another": "sleep 1000 & exec " + strings.TrimPrefix(own("mark"), "HOOK_MODE=mark exec"),
		"another has pipes": "(trap '' TERM HUP; sleep 1000) & cat",
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, line)
			for r.current() == nil {
				time.Sleep(time.Millisecond)
			}
			group := r.current().cmd.Process.Pid
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			gone(t, group)
		})
	}
}

func TestSecretsAreNotPassedOn(t *testing.T) {
	t.Setenv("WALDO_TOKEN", "very-secret")
	t.Setenv("OTHER", "kept")
	r := open(t, "env >&2; pwd >&2; exec cat")
	r.capture(t)
	r.awaitRun(t, 1, false)
	for deadline := time.Now().Add(waitFor); !strings.Contains(r.log.String(), r.hook.config.Command.Folder); {
		if time.Now().After(deadline) {
			t.Fatal("the folder is not the one of the file")
		}
		time.Sleep(5 * time.Millisecond)
	}
	log := r.log.String()
	for _, want := range []string{"OTHER=kept", "FRAME_WIDTH=64", "FRAME_HEIGHT=48", "FRAME_RATE=60"} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(log, "very-secret") {
		t.Error("the token is passed on")
	}
}

func TestConformance(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) source.Source {
		src, err := testsource.Open(testsource.Config{Width: 320, Height: 240, FrameRate: 30})
		if err != nil {
			t.Fatal(err)
		}
		h := New(Config{Command: Command{Line: "exec cat"}, Codecs: standard.Codecs(), Log: logtest.New(t, slog.LevelInfo),
			Metrics: prometheus.NewRegistry(), Orientation: codec.Orientation{Rotate: 90}})
		s, err := h.Open(src)
		if err != nil {
			t.Fatal(err)
		}
		if f := s.Info().Current; f.GetWidthPx() != 240 || f.GetPixelFormat() != media.PixelBGR24 {
			t.Errorf("pictures are %v", f)
		}
		return s
	})
}

func TestPicturesThatCannotBeDecoded(t *testing.T) {
	h := New(Config{Command: Command{Line: "cat"}, Codecs: standard.Codecs(), Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry()})
	c := newCamera()
	c.kind = media.H265
	if _, err := h.Open(c); !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), "remove the key") {
		t.Errorf("got %v", err)
	}
	select {
	case <-c.closed:
	default:
		t.Error("the camera is still open")
	}
}
