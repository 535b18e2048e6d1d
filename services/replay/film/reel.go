package film

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// maxQueue is how many frames may wait for the pipeline.
	maxQueue = 64
	// warnEvery is how far apart warnings about frames are.
	warnEvery = 10 * time.Second
)

// shot is a frame on its way to the pipeline.
type shot struct {
	source.Frame
	jump int64     // how often the replay has jumped
	due  time.Time // when it is shown
}

// reel is the recorded channel.
type reel struct {
	config   Config
	log      *slog.Logger
	unusable func()

	// Of the goroutine that brings the messages.
	frames   *frames
	speed    pace
	jump     int64
	recorded int64 // epoch of the last frame
	lead     media.Group[source.Frame]
	warned   time.Time

	shots   *stream.Topic[shot]
	queue   *stream.Subscription[shot]
	shown   sync.Once
	ready   chan struct{} // closed by shown, at the first frame
	still   atomic.Bool   // nothing has come for a while
	another chan struct{} // has a value when somebody needs a key frame

	mu   sync.Mutex
	info source.Info

	projector // of Capture
}

func newReel(c Config, log *slog.Logger, unusable func()) *reel {
	r := &reel{config: c, log: log, unusable: unusable, frames: newFrames(c.Foreign), shots: stream.NewTopic[shot](),
		ready: make(chan struct{}), another: make(chan struct{}, 1)}
	r.queue = r.shots.Subscribe(stream.DropOldest(maxQueue))
	return r
}

func (r *reel) pace(speed float64) { r.speed.factor = speed }

func (r *reel) begins() {
	r.jump++
	r.lead.Drop()
	r.frames.restart()
	r.speed.restart()
}

func (r *reel) leads(message []byte) {
	f, ok := r.frame(message)
	if !ok {
		return
	}
	r.lead.Add(f, len(f.Data), f.Key || !media.InterCoded(f.Format.GetMediaType()))
	if r.lead.Len() == 0 {
		r.frames.restart() // it was too much, or did not begin with a key frame
	}
}

func (r *reel) arrived(at time.Time) {
	lead := r.lead.Frames()
	r.lead.Drop()
	if len(lead) == 0 {
		return
	}
	place := lead[len(lead)-1]
	for i := range lead {
		before := min(max(0, place.Replay.Captured.Sub(lead[i].Replay.Captured)), time.Minute)
		lead[i].Time = at.Add(-before)
	}
	place.Time = at
	place.Replay.Lead = lead[:len(lead)-1]
	r.show(place, at)
}

func (r *reel) message(message []byte, at time.Time) {
	f, ok := r.frame(message)
	if !ok || !r.speed.takes(f, at) {
		return
	}
	f.Time = at
	if r.speed.factor == 1 {
		at = at.Add(r.config.Behind)
	}
	r.show(f, at)
}

// frame makes a frame of a message, if that can be shown.
func (r *reel) frame(message []byte) (source.Frame, bool) {
	f, ok, err := r.frames.take(message)
	if err != nil {
		r.unusable()
		if time.Since(r.warned) > warnEvery {
			r.warned = time.Now()
			r.log.Warn("a recorded frame is left out", "error", err)
		}
	}
	return f, ok
}

// show passes a frame on, which is shown at a time.
func (r *reel) show(f source.Frame, due time.Time) {
	info := r.frames.info()
	r.mu.Lock()
	r.info = info
	r.mu.Unlock()
	if f.Replay.Epoch != r.recorded { // the camera had restarted
		r.recorded = f.Replay.Epoch
		r.jump++
	}
	r.shots.Publish(shot{f, r.jump, due})
	r.shown.Do(func() { close(r.ready) })
}

// patience is how long a camera is awaited before it counts as one whose pictures are yet to come.
const patience = 2 * time.Second

// screening is a reel that is shown, a [source.Source].
type screening struct {
	*reel
	closed context.Context
	close  context.CancelFunc
}

// open waits for the first frame.
func (r *reel) open(ctx context.Context) (source.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-r.ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: the recording has no picture of it up to this place", device.ErrAway)
	}
	s := &screening{reel: r}
	s.closed, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Info implements [source.Source].
func (r *reel) Info() source.Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info
}

// Capture implements [source.Source]. It begins with the picture that was shown last.
func (s *screening) Capture(ctx context.Context, deliver func(source.Frame)) error {
	until, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	s.capture(until, deliver)
	if ctx.Err() == nil {
		return device.Away(nil)
	}
	return nil
}

// Close implements [source.Source]. The recording, which does not belong to its source, goes on.
func (s *screening) Close() error {
	s.close()
	return nil
}

// unmarshal reads a message of the channel.
func unmarshal(message []byte) (*mediav1.VideoFrame, error) {
	f := &mediav1.VideoFrame{}
	if err := proto.Unmarshal(message, f); err != nil {
		return nil, fmt.Errorf("it is not a VideoFrame: %w", err)
	}
	return f, nil
}
