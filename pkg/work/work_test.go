package work_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/work"
)

// roomy is a worker that drops nothing in these tests.
var roomy = work.Config{Queue: 1000}

// TestTracks: every track gets every frame, each frame goes to one worker of a track, and results come in order.
func TestTracks(t *testing.T) {
	const frames = 200
	r := newRig(t)
	var workers []*work.Worker
	for range 3 {
		workers = append(workers, r.worker(t, "faces", number, roomy))
	}
	alone := r.worker(t, "lines", number, roomy)
	faces, lines := r.collect(t, "faces", work.ResultsConfig{Buffer: patience}),
		r.collect(t, "lines", work.ResultsConfig{Buffer: patience})
	r.camera.publish(t, frames, 1000, 0)
	for _, results := range []*work.Results{faces, lines} {
		if got := fmt.Sprint(inOrder(t, results, r.camera.epoch, frames-1)); got != all(0, frames-1) {
			t.Errorf("results of %s", got)
		}
		if s := results.Stats(); s != (work.Stats{Delivered: frames}) {
			t.Errorf("counted %+v", s)
		}
	}
	sum := uint64(0)
	for _, w := range workers {
		if w.Stats().Done == 0 {
			t.Error("a worker got nothing")
		}
		sum += w.Stats().Done
	}
	if sum != frames || alone.Stats().Done != frames {
		t.Errorf("%d frames were worked on for one track, and %d for the other", sum, alone.Stats().Done)
	}
}

// TestWorkersComeAndGo: nothing is lost while workers join and leave.
func TestWorkersComeAndGo(t *testing.T) {
	const frames = 1000
	for name, config := range map[string]work.Config{"dealt": roomy, "kept": {Lossless: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.worker(t, "faces", number, config)
			results := r.collect(t, "faces", work.ResultsConfig{Buffer: patience, Most: frames})
			published := make(chan struct{})
			go func() {
				defer close(published)
				r.camera.publish(t, frames, 1000, time.Millisecond)
			}()
			for joined := true; joined; {
				w := r.worker(t, "faces", number, config)
				until(t, "the new worker has worked", func() bool {
					select {
					case <-published:
						joined = false
					default:
					}
					return w.Stats().Done > 20 || !joined
				})
				w.Close()
			}
			if got := fmt.Sprint(inOrder(t, results, r.camera.epoch, frames-1)); got != all(0, frames-1) {
				t.Errorf("results of %s", got)
			}
			if s := results.Stats(); s.Missing+s.Late+s.Dropped+s.Failed != 0 {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

// TestBehind: a worker that is behind drops the oldest frames and says so, so that nobody waits for them.
func TestBehind(t *testing.T) {
	const frames = 50
	r := newRig(t)
	begun, goOn := make(chan int64, frames), make(chan struct{})
	w := r.worker(t, "faces", func(ctx context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
		begun <- f.GetSequence()
		<-goOn
		return number(ctx, f)
	}, work.Config{})
	results := r.collect(t, "faces", work.ResultsConfig{Buffer: patience})
	r.camera.publish(t, 1, 10, 0)
	if first := <-begun; first != 0 {
		t.Fatalf("begins with %d", first)
	}
	r.camera.publish(t, frames-1, 10, 0)
	until(t, "the others are dropped", func() bool { return w.Stats().Dropped == frames-3 })
	close(goOn)
	got := inOrder(t, results, r.camera.epoch, frames-1)
	if want := []int64{0, frames - 2, frames - 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("worked on %v, want %v", got, want)
	}
	if s := results.Stats(); s != (work.Stats{Delivered: 3, Dropped: frames - 3}) {
		t.Errorf("counted %+v", s)
	}
}

// TestFailures: what goes wrong with a frame is a result, too.
func TestFailures(t *testing.T) {
	r := newRig(t)
	w := r.worker(t, "faces", func(ctx context.Context, f *mediav1.VideoFrame) (*workv1.Result, error) {
		switch f.GetSequence() {
		case 0:
			return nil, errors.New("no \x1b[31mfaces")
		case 1:
			panic("no memory")
		case 2:
			return &workv1.Result{Data: make([]byte, 65<<20)}, nil
		case 3:
			return nil, errors.New(strings.Repeat("é", 2000))
		case 4:
			return nil, nil
		default:
			return &workv1.Result{Epoch: 99, Sequence: 99, Worker: "somebody", Data: []byte{1}}, nil
		}
	}, work.Config{Queue: 100, Name: "one"})
	results := r.collect(t, "faces", work.ResultsConfig{All: true, Buffer: patience})
	r.camera.publish(t, 6, 10, 0)
	for i, want := range []string{`no \u001b[31mfaces`, "panic: no memory", "larger than 64 MiB",
		strings.Repeat("é", 512), "", ""} {
		got := next(t, results)
		failed := got.GetOutcome() == workv1.Outcome_OUTCOME_FAILED
		if got.GetSequence() != int64(i) || failed != (want != "") || !strings.Contains(got.GetError(), want) ||
			len(got.GetError()) > 1024 || got.GetWorker() != "one" || got.GetEpoch() != r.camera.epoch {
			t.Errorf("frame %d: %v", i, got)
		}
	}
	if s := results.Stats(); s != (work.Stats{Delivered: 6, Failed: 4}) {
		t.Errorf("counted %+v", s)
	}
	if s := w.Stats(); s != (work.WorkerStats{Done: 2, Failed: 4}) {
		t.Errorf("the worker counted %+v", s)
	}
}

// TestFrameTooLarge: a frame in parts cannot be dealt. One worker says so, and what to do.
func TestFrameTooLarge(t *testing.T) {
	for name, config := range map[string]work.Config{"dealt": roomy, "kept": {Lossless: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.worker(t, "faces", number, config)
			r.worker(t, "faces", number, config)
			results := r.collect(t, "faces", work.ResultsConfig{All: true, Buffer: 50 * time.Millisecond})
			large := answerTo(t, r, results, 20<<20)
			if large.GetOutcome() != workv1.Outcome_OUTCOME_FAILED || large.GetCaptureTime() == nil ||
				!strings.Contains(large.GetError(), "max_payload") {
				t.Errorf("the large frame: %v", large)
			}
			until(t, "the next one is worked on", func() bool {
				return answerTo(t, r, results, 7<<20).GetOutcome() == workv1.Outcome_OUTCOME_DONE
			})
		})
	}
}

// answerTo publishes frames of a size, one at a time, until there is a result: on a busy machine one of
// megabytes may be lost on its way.
func answerTo(t *testing.T, r *rig, results *work.Results, size int) (result *workv1.Result) {
	t.Helper()
	until(t, "a frame is answered", func() bool {
		r.camera.publish(t, 1, size, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var err error
		result, err = results.Next(ctx)
		return err == nil
	})
	return result
}

// TestDeviceRestarts: the results of its next life follow those of the one before.
func TestDeviceRestarts(t *testing.T) {
	r := newRig(t)
	r.worker(t, "faces", number, roomy)
	results := r.collect(t, "faces", work.ResultsConfig{Buffer: patience})
	r.camera.publish(t, 10, 10, 0)
	inOrder(t, results, r.camera.epoch, 9)
	r.camera.stop()
	again := startCamera(t, r.url)
	again.publish(t, 10, 10, 0)
	if got := fmt.Sprint(inOrder(t, results, again.epoch, 9)); got != all(0, 9) {
		t.Errorf("results of %s", got)
	}
}

// TestWorkerDies: it takes the frames that it had with it, and the others go on at once.
func TestWorkerDies(t *testing.T) {
	r := newRig(t)
	results := r.collect(t, "faces", work.ResultsConfig{Buffer: 200 * time.Millisecond})
	child := startChild(t, r.url)
	r.camera.publish(t, 1, 10, 0) // it is there
	next(t, results)
	r.worker(t, "faces", number, roomy)
	r.camera.publish(t, 100, 10, 0)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	r.camera.publish(t, 100, 10, time.Millisecond)
	last := r.camera.sequence.Load() - 1
	inOrder(t, results, r.camera.epoch, last)
	missing := results.Stats().Missing
	r.camera.publish(t, 20, 10, 0)
	if got := fmt.Sprint(inOrder(t, results, r.camera.epoch, last+20)); got != all(last+1, last+20) {
		t.Errorf("afterwards: results of %s", got)
	}
	if s := results.Stats(); s.Missing != missing || s.Missing == 0 || s.Delivered+s.Missing != uint64(last)+21 {
		t.Errorf("counted %+v, %d missing before", s, missing)
	}
}

// TestKeptFramesOutliveWorkers: what a worker had when it was killed, or frozen, another one gets.
func TestKeptFramesOutliveWorkers(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			const frames = 100
			r := newRig(t)
			results := r.collect(t, "faces", work.ResultsConfig{Buffer: patience, Most: frames})
			child := startChild(t, r.url+" lossless")
			r.camera.publish(t, 1, 10, 0)
			next(t, results)
			r.worker(t, "faces", number, work.Config{Lossless: true})
			r.camera.publish(t, frames/2, 10, time.Millisecond)
			if err := child.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			r.camera.publish(t, frames/2-1, 10, time.Millisecond)
			if got := fmt.Sprint(inOrder(t, results, r.camera.epoch, frames-1)); got != all(1, frames-1) {
				t.Errorf("results of %s", got)
			}
		})
	}
}

// TestFrozenWorker: one that is frozen loses its share when the server misses the answers to its pings.
func TestFrozenWorker(t *testing.T) {
	r := newRig(t)
	results := r.collect(t, "faces", work.ResultsConfig{})
	child := startChild(t, r.url)
	r.camera.publish(t, 1, 10, 0)
	next(t, results)
	w := r.worker(t, "faces", number, roomy)
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	const frames = 20
	began := time.Now()
	until(t, "the frozen worker gets nothing any more", func() bool {
		before, end := w.Stats().Done, time.Now().Add(time.Second)
		r.camera.publish(t, frames, 10, 0)
		for w.Stats().Done != before+frames && time.Now().Before(end) {
			time.Sleep(time.Millisecond)
		}
		return w.Stats().Done == before+frames
	})
	t.Logf("the frozen worker kept its share for %v", time.Since(began).Round(100*time.Millisecond))
}

// TestCloseWaitsForTheFunction, whose context ends when it takes too long.
func TestCloseWaitsForTheFunction(t *testing.T) {
	for name, config := range map[string]work.Config{"dealt": {Queue: 1}, "kept": {Lossless: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			begun := make(chan struct{}, 1)
			w := r.worker(t, "faces", func(ctx context.Context, _ *mediav1.VideoFrame) (*workv1.Result, error) {
				begun <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}, config)
			results := r.collect(t, "faces", work.ResultsConfig{All: true, Buffer: patience})
			r.camera.publish(t, 1, 10, 0)
			<-begun
			r.camera.publish(t, 2, 10, 0)
			until(t, "the others wait", func() bool { return config.Lossless || w.Stats().Dropped == 1 })
			w.Close()
			w.Close()
			if got := next(t, results); got.GetOutcome() != workv1.Outcome_OUTCOME_FAILED {
				t.Errorf("the frame under way: %v", got)
			}
			if config.Lossless {
				r.worker(t, "faces", number, config) // gets the others
			}
			for range 2 {
				if got := next(t, results); (got.GetOutcome() == workv1.Outcome_OUTCOME_DONE) != config.Lossless {
					t.Errorf("a frame that waited: %v", got)
				}
			}
		})
	}
}

// TestBusGoes: worker and results end with their connections.
func TestBusGoes(t *testing.T) {
	r := newRig(t)
	conn := r.connect(t)
	w, err := work.Start(conn.Conn, front, "faces", number, work.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	w.Close()
	results := r.collect(t, "faces", work.ResultsConfig{})
	results.Close()
	if _, err := results.Next(t.Context()); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("closed results: %v", err)
	}
	other := r.connect(t)
	results, err = work.Collect(other.Conn, front, "faces", work.ResultsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	if _, err := results.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("results without a connection: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.collect(t, "faces", work.ResultsConfig{}).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestBadNames(t *testing.T) {
	r := newRig(t)
	for want, tt := range map[string]struct {
		camera bus.Address
		track  string
		config work.Config
	}{
		"track: ":     {front, "two words", work.Config{}},
		"track: \"\"": {front, "", work.Config{}},
		"device: ":    {bus.Address{Robot: "demo", Device: "*"}, "faces", work.Config{}},
		"robot: ":     {bus.Address{Robot: ">", Device: "front"}, "faces", work.Config{}},
		"stream: ":    {front, "faces", work.Config{Stream: "video.jpeg"}},
		"name: ":      {front, "faces", work.Config{Name: strings.Repeat("x", 65)}},
	} {
		w, err := work.Start(r.conn.Conn, tt.camera, tt.track, number, tt.config)
		if err == nil {
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if tt.config != (work.Config{}) {
			continue
		}
		if _, err := work.Collect(r.conn.Conn, tt.camera, tt.track, work.ResultsConfig{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("collect, %s: %v", want, err)
		}
	}
}
