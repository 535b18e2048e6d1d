package work

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	defaultStream = "video-jpeg"
	defaultQueue  = 2
	// maxName and maxError bound what a result says of its worker, in bytes.
	maxName  = 64
	maxError = 1024
	// drainFor is how long Close lets the function work on what is there.
	drainFor = 5 * time.Second
	// workingEvery is how often the server hears that a frame is being worked on.
	workingEvery = bus.KeptFor / 3
)

// Func works on one frame of a camera. Its context ends when the worker has been closing for 5 s. Of the result only
// value, picture and data count; nil is an empty one. An error, or a panic, becomes OUTCOME_FAILED.
type Func func(ctx context.Context, frame *mediav1.VideoFrame) (*workv1.Result, error)

// Config describes a worker. The zero value works.
type Config struct {
	// Name of the worker, for people: up to 64 bytes of printable text. Default: the machine's name and the process id.
	Name string
	// Stream of the camera. Every frame must mean something by itself. Default: video-jpeg.
	Stream string
	// Parallel is how many frames are worked on at a time. Default 1.
	Parallel int
	// Queue is how many frames may wait; of more than that the oldest is dropped. Default 2. It does not matter with
	// Lossless.
	Queue int
	// Lossless has the server keep frames until they have been worked on. All workers of a track must agree on it.
	Lossless bool
	// KeepBytes bounds what the server keeps with Lossless, for all tracks of the stream together: default 64 MiB.
	KeepBytes int64
	// Log receives failures, one in a second at most. Default: nothing is logged.
	Log *slog.Logger
}

// WorkerStats counts frames.
type WorkerStats struct {
	// Done have a result.
	Done uint64
	// Failed: the function returned an error, or the frame cannot be read.
	Failed uint64
	// Dropped: the worker was behind.
	Dropped uint64
	// Unanswered results could not be published, because the bus was away.
	Unanswered uint64
	// Ignored messages were no frames.
	Ignored uint64
}

// Worker works on its share of a track's frames. It is safe for concurrent use.
type Worker struct {
	conn    *bus.Conn
	answers string // subject
	do      Func
	config  Config
	source  source
	hold    *bus.Hold

	ctx    context.Context // of the function
	cancel context.CancelFunc
	slots  sync.WaitGroup
	close  func()

	done, failed, dropped, unanswered, ignored atomic.Uint64
	logged                                     atomic.Int64 // ns
}

// source is where a worker's frames come from.
type source interface {
	// next waits for a frame; nil means that there will be none any more.
	next() *job
	// leave takes no more frames, and has next return those that are there.
	leave()
	// stop has next return nil.
	stop()
}

// job is a frame to be worked on, and answered once.
type job struct {
	frame   *mediav1.VideoFrame
	problem error         // with the frame
	kept    *bus.Delivery // nil unless it must not be lost
}

// Start begins to work for a track of a camera, which need not be there yet. Close the worker to leave. With Lossless
// it fails with [bus.ErrNotKept] or [bus.ErrNoRoom] if the server cannot keep frames.
func Start(conn *bus.Conn, camera bus.Address, track string, do Func, config Config) (*Worker, error) {
	if err := config.complete(camera, track); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w := &Worker{conn: conn, answers: camera.Work(track), do: do, config: config}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	var err error
	if config.Lossless {
		w.source, err = newKept(w, camera.Out(config.Stream), group(track))
	} else {
		w.source, err = newLive(w, camera.Out(config.Stream), group(track))
	}
	if err != nil {
		w.cancel()
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w.hold = conn.Hold(camera, config.Stream, "work "+track)
	for range config.Parallel {
		w.slots.Go(w.run)
	}
	w.close = sync.OnceFunc(w.drain)
	return w, nil
}

// complete checks a configuration, and fills in what it leaves out.
func (c *Config) complete(camera bus.Address, track string) error {
	if c.Name == "" {
		host, _ := os.Hostname()
		c.Name = clean(fmt.Sprintf("%s-%d", host, os.Getpid()), maxName)
	}
	if c.Stream == "" {
		c.Stream = defaultStream
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	c.Parallel = max(c.Parallel, 1)
	switch {
	case len(c.Name) > maxName || !text.IsPrintable(c.Name):
		return fmt.Errorf("name: %.80q: use up to %d bytes of printable text", c.Name, maxName)
	case !text.IsName(c.Stream):
		return fmt.Errorf("stream: %.80q is not a name: use 1 to 63 lower-case letters, digits and inner hyphens", c.Stream)
	}
	return check(camera, track)
}

// Close leaves the track, works on the frames that are there for 5 s at most, and returns when the function has.
// Frames that it does not get to are dropped; with Lossless they go to another worker. It may be called more than
// once, but not from the function.
func (w *Worker) Close() { w.close() }

func (w *Worker) drain() {
	w.source.leave()
	end := time.AfterFunc(drainFor, func() {
		w.cancel()
		w.source.stop()
	})
	w.slots.Wait()
	end.Stop()
	w.cancel()
	w.source.stop()
	w.hold.Close()
}

// Stats returns what has been counted so far.
func (w *Worker) Stats() WorkerStats {
	return WorkerStats{Done: w.done.Load(), Failed: w.failed.Load(), Dropped: w.dropped.Load(),
		Unanswered: w.unanswered.Load(), Ignored: w.ignored.Load()}
}

// run works until there are no more frames.
func (w *Worker) run() {
	for j := w.source.next(); j != nil; j = w.source.next() {
		switch {
		case j.problem != nil:
			w.answer(j, nil, j.problem)
		case w.ctx.Err() != nil:
			w.drop(j)
		default:
			result, err := w.work(j)
			w.answer(j, result, err)
		}
	}
}

// work calls the function. The server keeps hearing that the worker is there.
func (w *Worker) work(j *job) (result *workv1.Result, err error) {
	defer w.keep(j)()
	defer func() {
		if p := recover(); p != nil {
			w.config.Log.Error("panic in the function of a worker", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return w.do(w.ctx, j.frame)
}

// keep tells the server that a frame is being worked on, until stop is called.
func (w *Worker) keep(j *job) (stop func()) {
	if j.kept == nil {
		return func() {}
	}
	done := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(workingEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				j.kept.Working()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		telling.Wait()
	}
}

// drop answers for a frame that nobody will work on here.
func (w *Worker) drop(j *job) {
	if j.kept != nil {
		j.kept.Return()
		return
	}
	w.dropped.Add(1)
	_ = w.publish(j, &workv1.Result{Outcome: workv1.Outcome_OUTCOME_DROPPED}) // counted if it fails
}

// answer publishes what became of a frame.
func (w *Worker) answer(j *job, made *workv1.Result, problem error) {
	err := problem
	if err == nil {
		err = w.publish(j, &workv1.Result{Outcome: workv1.Outcome_OUTCOME_DONE, Value: made.GetValue(),
			Picture: made.GetPicture(), Data: made.GetData()})
	}
	switch {
	case err == nil:
		w.done.Add(1)
	case errors.Is(err, bus.ErrDisconnected): // counted
	default:
		w.failed.Add(1)
		w.logFailure(j.frame.GetSequence(), err)
		err = w.publish(j, &workv1.Result{Outcome: workv1.Outcome_OUTCOME_FAILED, Error: clean(err.Error(), maxError)})
	}
	switch {
	case j.kept == nil:
	case err == nil:
		j.kept.Confirm()
	default:
		j.kept.Return()
	}
}

func (w *Worker) publish(j *job, r *workv1.Result) error {
	r.Epoch, r.Sequence, r.CaptureTime = j.frame.GetEpoch(), j.frame.GetSequence(), j.frame.GetCaptureTime()
	r.Worker = w.config.Name
	err := w.conn.Publish(w.answers, r)
	if errors.Is(err, bus.ErrDisconnected) {
		w.unanswered.Add(1)
	}
	return err
}

func (w *Worker) logFailure(sequence int64, err error) {
	now := time.Now().UnixNano()
	if last := w.logged.Load(); now-last >= int64(time.Second) && w.logged.CompareAndSwap(last, now) {
		w.config.Log.Warn("failed on a frame", "sequence", sequence, "error", err)
	}
}
