package recorder

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/tap"
	"github.com/waldo-robot/waldo/services/recorder/reel"
)

const (
	// Messages that may wait between the bus and the recording: a second of many small ones, two seconds of pictures.
	messagesQueue = 1024
	picturesQueue = 64

	// checkEvery is how often it is looked which streams need a key frame.
	checkEvery = 250 * time.Millisecond
	// askAgain is how long a camera that was asked for a key frame is left alone.
	askAgain = time.Second
	// askTime bounds a call to a camera.
	askTime = time.Second
	// flowing is after what time without a picture a stream counts as one that needs no key frame.
	flowing = time.Second
)

// ears have the streams that are read.
type ears struct {
	recorder *recorder
	tuned    chan struct{} // holds a token when the streams may have to be others
	work     sync.WaitGroup

	mu     sync.Mutex
	open   map[string]*ear // by name of the channel
	topics *ear            // nil: not read
	lost   uint64          // by those that are closed
	closed bool
}

// ear is a stream that is read.
type ear struct {
	name     string
	stream   tap.Stream // as it was described last
	opened   *tap.Opened
	recorded atomic.Bool // else it is only listened to
	pictures bool
	counts   bool          // its messages are numbered without gaps
	missed   atomic.Uint64 // messages, by their numbers
	asking   atomic.Bool
	asked    atomic.Int64 // when it was asked for a key frame, as [since]
	key      atomic.Int64 // when one came, likewise
	seen     atomic.Int64 // when a picture came, likewise

	epoch, sequence int64 // of the last message; of the goroutine
	begun           bool
}

// epoch is when times of ears begin.
var epoch = time.Now()

// since is the time on the monotonic clock.
func since(now time.Time) int64 { return int64(now.Sub(epoch)) }

func newEars(r *recorder) *ears {
	return &ears{recorder: r, tuned: make(chan struct{}, 1), open: map[string]*ear{}}
}

// run has the streams open that are to be read, and asks for key frames, until ctx ends.
func (e *ears) run(ctx context.Context) {
	check := time.NewTicker(checkEvery)
	defer check.Stop()
	for {
		_, changed := e.recorder.tap.Streams()
		var tick <-chan time.Time
		if e.tuneNow() {
			tick = check.C
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-e.tuned:
		case now := <-tick:
			e.askStale(now)
		}
	}
}

// tune has the streams looked at soon.
func (e *ears) tune() { signal(e.tuned) }

// tuneNow opens and closes streams. It returns whether there are pictures that can be asked for key frames.
func (e *ears) tuneNow() (asks bool) {
	r := e.recorder
	streams, _ := r.tap.Streams()
	listening := r.listening()
	wanted := map[string]tap.Stream{}
	if listening {
		for _, s := range r.chosen(streams) {
			wanted[s.Channel.Name()] = s
		}
	}
	watched := map[string]tap.Stream{}
	if r.config.OnEStop || r.config.When == whenDriven {
		for _, s := range streams {
			if isControl(s.Channel) {
				watched[s.Channel.Name()] = s
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	for name, one := range e.open {
		_, record := wanted[name]
		_, watch := watched[name]
		one.recorded.Store(record)
		if !record && !watch {
			delete(e.open, name)
			e.leave(one)
		}
	}
	for name, s := range watched {
		e.enter(name, s, false)
	}
	for name, s := range wanted {
		asks = e.enter(name, s, true) || asks
	}
	e.hearTopics(listening && r.config.choice.Topics())
	return asks
}

// enter opens a stream unless it is open, and returns whether it has pictures that can be asked for key frames. e.mu is
// held.
func (e *ears) enter(name string, s tap.Stream, record bool) (asks bool) {
	if one := e.open[name]; one != nil {
		one.stream = s
		if record {
			one.recorded.Store(true)
		}
		return one.asks()
	}
	_, counted := s.Channel.Counted()
	one := &ear{name: name, stream: s, pictures: isPictures(s), counts: counted != ""}
	one.recorded.Store(record)
	policy := stream.DropOldest(messagesQueue)
	if one.pictures {
		policy = stream.DropOldest(picturesQueue)
	}
	var err error
	one.opened, err = e.recorder.tap.Open(s, policy, func(m tap.Message) { e.recorder.take(one, m) })
	if err != nil {
		e.recorder.kit.Log.Error("a stream is not recorded", "stream", name, "error", err)
		return false
	}
	e.open[name] = one
	if one.pictures && record {
		e.ask(one, time.Now()) // it may flow already, for others
	}
	return one.asks()
}

// asks reports whether there are pictures that can be asked for key frames.
func (e *ear) asks() bool { return e.pictures && e.stream.Info.GetKeyFrameOnRequest() }

// leave closes a stream, which can take a second. e.mu is held.
func (e *ears) leave(one *ear) {
	e.work.Go(func() {
		one.opened.Close()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lost += one.lost()
	})
}

// hearTopics reads messages between pages and programs, or ceases to. e.mu is held.
func (e *ears) hearTopics(listen bool) {
	switch {
	case listen == (e.topics != nil):
	case !listen:
		e.leave(e.topics)
		e.topics = nil
	default:
		one := &ear{name: "messages"}
		var err error
		one.opened, err = e.recorder.tap.OpenTopics(stream.DropOldest(messagesQueue), func(m tap.Message) {
			one.recorded.Store(e.recorder.config.choice.Topic(m.Channel.Stream))
			e.recorder.take(one, m)
		})
		if err != nil {
			e.recorder.kit.Log.Error("messages between pages and programs are not recorded", "error", err)
			return
		}
		e.topics = one
	}
}

// close closes all streams for good.
func (e *ears) close() {
	e.mu.Lock()
	e.closed = true
	for name, one := range e.open {
		delete(e.open, name)
		e.leave(one)
	}
	e.hearTopics(false)
	e.mu.Unlock()
	e.work.Wait()
}

// lostAll is how many messages were lost on the way to the recorder.
func (e *ears) lostAll() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	lost := e.lost
	for _, one := range e.open {
		lost += one.lost()
	}
	if e.topics != nil {
		lost += e.topics.lost()
	}
	return lost
}

// lost is how many messages of a stream were lost. Of those that are numbered also those count that did not come.
func (e *ear) lost() uint64 {
	if e.counts {
		return max(e.missed.Load(), e.opened.Lost()) + e.opened.Unreadable()
	}
	return e.opened.Lost() + e.opened.Unreadable()
}

// hear notes what a message says of those before it.
func (e *ear) hear(m tap.Message, now time.Time) {
	if e.counts {
		if s := m.Facts.Sequence; e.begun && m.Epoch == e.epoch && s > e.sequence+1 {
			e.missed.Add(uint64(s - e.sequence - 1))
		}
		e.epoch, e.sequence, e.begun = m.Epoch, m.Facts.Sequence, true
	}
	if e.pictures && reel.InterCoded(m.Channel) {
		e.seen.Store(since(now))
		if m.Facts.Key {
			e.key.Store(since(now))
		}
	}
}

// askAll asks all streams of pictures for a key frame, with which a file can begin.
func (e *ears) askAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.open {
		if one.pictures && one.recorded.Load() {
			e.ask(one, time.Now())
		}
	}
}

// askStale asks the streams that flow and had no key frame for long.
func (e *ears) askStale(now time.Time) {
	every := int64(e.recorder.config.KeyFrames)
	if every == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.open {
		at := since(now)
		if one.pictures && one.recorded.Load() && at-one.seen.Load() < int64(flowing) && at-one.key.Load() >= every &&
			at-one.asked.Load() >= int64(askAgain) {
			e.ask(one, now)
		}
	}
}

// ask is best effort: a camera that cannot be asked sends a key frame by itself. e.mu is held.
func (e *ears) ask(one *ear, now time.Time) {
	if e.closed || !one.stream.Info.GetKeyFrameOnRequest() || one.asking.Swap(true) {
		return
	}
	one.asked.Store(since(now))
	r, c := e.recorder, one.stream.Channel
	e.work.Go(func() {
		defer one.asking.Store(false)
		ctx, cancel := context.WithTimeout(r.kit.Stopping(), askTime)
		defer cancel()
		client := camerav1.NewCameraServiceClient(r.kit.Bus().Client(bus.Address{Robot: r.kit.Address().Robot,
			Device: c.Device}))
		if _, err := client.RequestKeyFrame(ctx, &camerav1.RequestKeyFrameRequest{Stream: c.Stream}); err != nil &&
			ctx.Err() == nil {
			r.kit.Log.Debug("no key frame", "of", c.Device, "stream", c.Stream, "error", err)
		}
		r.metrics.keyFrames.Inc()
	})
}

// isPictures reports whether a stream may need key frames.
func isPictures(s tap.Stream) bool {
	return s.Channel.Type == videoType && s.Channel.Direction == recording.Out
}

func isControl(c *recording.Channel) bool {
	return c.Direction == recording.Out && c.Type == controlType
}
