package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/version"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/library"
	"github.com/waldo-robot/waldo/recording/tap"
	"github.com/waldo-robot/waldo/services/recorder/preroll"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

// Kind is what package device runs.
func Kind() device.Kind[Config] {
	return device.Kind[Config]{Name: "recorder", Version: version.Version, Defaults: Defaults(), OneCore: true,
		New: newDriver}
}

const (
	// tick is how often it is looked whether something is to be done, and the state told while something is recorded.
	tick = time.Second
	// lookEvery is how often the room on the disk is looked at while something is recorded.
	lookEvery = 5 * time.Second
	// firstRetry and lastRetry are after what times it is tried again to record.
	firstRetry = 5 * time.Second
	lastRetry  = time.Minute
	// leastRoom is how much of the disk has to be free beside what is to be left free for a recording to begin.
	leastRoom = 16 << 20
)

// recorder is the driver.
type recorder struct {
	kit     *device.Kit
	config  Config
	path    string // of the folder
	reader  *folder.Folder
	tap     *tap.Tap
	ears    *ears
	metrics *metrics

	stateChannel, marksChannel *recording.Channel
	states                     *stream.Topic[*recorderv1.RecorderState]
	out                        *device.Out[*recorderv1.RecorderState]
	marked                     *device.Out[*recorderv1.Mark]
	poked                      chan struct{} // holds a token when something may be to be done
	left                       chan struct{} // holds a token when there may be files to be repaired

	telling sync.Mutex
	told    *recorderv1.RecorderState // nil: none; guarded by telling

	unattested []unattested // of repairLeft
	earlier    []string     // files that were complete when the process started; of repairLeft once it is signalled

	doing  sync.Mutex
	owner  *folder.Writer // nil: the folder is not ours
	before *note          // of the process before, whose recording is to go on; nil: none is

	mu      sync.Mutex
	wish    wish
	drives  drives
	reel    *reel.Reel      // nil: nothing is recorded
	ending  *reel.Reel      // is being completed; nil: none is
	session session         // about the reel
	buffer  *preroll.Buffer // nil: there is no pre-roll

	catching bool              // the buffer has what came since the process started, for the recording that goes on
	mended   []folder.Repaired // files that were repaired for that
	crashes  int               // how many processes in a row have crashed too soon
	gaveUp   bool              // nothing is recorded because of that
	stopping bool              // the process ends as it should
	problem  string            // why nothing is recorded although it should be
	retry    time.Time         // when it is tried again
	wait     time.Duration     // from one try to the next
	lost     int64             // by recordings that have ended, or have failed
	free     int64             // bytes of the disk; -1: not known yet
}

// session is what is known of the recording that is being written. recorder.mu guards it.
type session struct {
	started  time.Time
	by       string
	marks    []*recorderv1.Mark
	papers   *papers
	lookAt   time.Time // when the room on the disk is looked at next
	lostTold int64     // of what the recording tells
}

func newDriver(kit *device.Kit, c Config) (device.Driver, error) {
	path, err := c.folder(os.Getenv)
	if err != nil {
		return nil, err
	}
	r := &recorder{kit: kit, config: c, path: path, reader: folder.New(path), poked: make(chan struct{}, 1),
		left: make(chan struct{}, 1), states: stream.NewTopic[*recorderv1.RecorderState](), wait: firstRetry,
		buffer: c.buffer(), free: -1}
	if r.metrics, err = newMetrics(kit.Metrics, r); err != nil {
		return nil, err
	}
	r.out = device.NewOut[*recorderv1.RecorderState](kit, recorderStream, device.OutOptions{})
	r.marked = device.NewOut[*recorderv1.Mark](kit, marksStream, device.OutOptions{})
	recordings := library.New(r.reader)
	kit.OnStop(recordings.Close)
	recorderv1.RegisterRecorderServiceServer(kit, &service{recorder: r, library: recordings,
		reading: make(chan struct{}, maxReading),
		pace:    rate.NewLimiter(readRate, readBurst)})
	if r.tap, err = tap.New(kit.Bus(), kit.Address().Robot,
		tap.Config{Reader: kit.Address().String(), Log: kit.Log}); err != nil {
		return nil, err
	}
	r.ears = newEars(r)
	r.stateChannel = r.ownChannel(recorderStream, &recorderv1.RecorderState{})
	r.marksChannel = r.ownChannel(marksStream, &recorderv1.Mark{})
	kit.OnStop(r.stopped)
	kit.SetAttributes(map[string]string{"folder": path})
	return r, nil
}

// stopped ends what lives as long as the process.
func (r *recorder) stopped() {
	r.ears.close()
	r.tap.Close()
	r.doing.Lock()
	defer r.doing.Unlock()
	if r.owner != nil {
		r.owner.Close()
	}
}

// Run implements [device.Driver].
func (r *recorder) Run(ctx context.Context, ready func()) error {
	if err := r.own(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { r.ears.run(ctx) })
	work.Go(func() { _ = r.out.WhileHeld(ctx, r.publish) }) // ends with ctx
	work.Go(func() { r.repairLeft(ctx) })
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		switch err := r.settle(); {
		case err == nil:
			ready()
		case !errors.Is(err, errLater):
			return err
		}
		select {
		case <-ctx.Done():
			r.suspend()
			return nil
		case <-ticker.C:
		case <-r.poked:
		case <-r.failed():
		}
	}
}

// own takes the folder, and what was wanted there when the process before ended.
func (r *recorder) own() error {
	r.doing.Lock()
	defer r.doing.Unlock()
	if r.owner != nil {
		return nil
	}
	owner, err := folder.Own(r.path)
	if err != nil {
		r.fails(err)
		return err
	}
	r.owner, r.earlier = owner, r.complete()
	dropNotes(r.path)
	r.mu.Lock()
	r.problem = ""
	err = r.inherit(readNote(r.path), time.Now())
	wait := r.catching
	r.mu.Unlock()
	if !wait {
		signal(r.left) // else after the recording that goes on
	}
	if err != nil {
		r.note() // so that the next process does not begin, either
	}
	return err
}

// poke has Run look whether something is to be done.
func (r *recorder) poke() { signal(r.poked) }

// signal leaves one token; more would say nothing new.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// failed is closed when the recording has failed.
func (r *recorder) failed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reel == nil {
		return nil
	}
	return r.reel.Failed()
}

// suspend completes the recording because the process ends; the next one goes on.
func (r *recorder) suspend() {
	r.doing.Lock()
	defer r.doing.Unlock()
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	r.note()
	_, _ = r.end("the recorder stops") // it says so
	r.states.Close(nil)
}

// errLater is about what is wanted and will be tried later.
var errLater = errors.New("it is tried again later")

// settle brings what is done in line with what is wanted. It returns why that is not possible.
func (r *recorder) settle() error {
	r.doing.Lock()
	defer r.doing.Unlock()
	defer r.tell()
	now := time.Now()
	r.mu.Lock()
	r.drives.expire(now)
	r.follow(now)
	w, current, retry, gaveUp := r.wish, r.reel, r.retry, r.gaveUp
	r.mu.Unlock()
	switch {
	case current != nil && current.Err() != nil:
		return r.broke(current.Err())
	case current != nil && !w.wanted:
		r.note()
		_, err := r.end(w.reason)
		return err
	case current != nil:
		return r.look(current, now)
	case gaveUp:
		return errLater
	case !w.wanted:
		r.fine()
		return nil
	case now.Before(retry):
		return errLater
	}
	return r.begin(now)
}

// fine forgets a problem of what is not wanted any more.
func (r *recorder) fine() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem, r.retry, r.wait = "", time.Time{}, firstRetry
}

// fails notes a problem, and when it is tried again.
func (r *recorder) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem = err.Error()
	r.retry = time.Now().Add(r.wait)
	r.wait = min(2*r.wait, lastRetry)
}

// broke ends a recording that cannot go on. What was written is completed.
func (r *recorder) broke(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: the disk is full: delete recordings, or make room where %s is", err, r.path)
	}
	_, _ = r.end(err.Error())
	r.metrics.failures.Inc()
	r.fails(err)
	signal(r.left)
	return fmt.Errorf("nothing is recorded: %w", err)
}

// look sees to the recording that is being written.
func (r *recorder) look(current *reel.Reel, now time.Time) error {
	r.mu.Lock()
	papers := r.session.papers
	r.mu.Unlock()
	papers.renew(current)
	r.tellLosses(current, now)
	s := current.Stats()
	split := r.config.Split
	if split.Size > 0 && s.PartBytes >= int64(split.Size) || split.Time > 0 && s.Part >= split.Time {
		if err := current.Turn(); err != nil {
			return r.broke(err)
		}
		r.ears.askAll()
	}
	r.mu.Lock()
	due := !now.Before(r.session.lookAt)
	if due {
		r.session.lookAt = now.Add(lookEvery)
	}
	if now.Sub(r.session.started) > goodLife {
		r.wait, r.crashes = firstRetry, 0
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	r.note()
	if err := r.room(0); err != nil {
		return r.broke(err)
	}
	return nil
}
