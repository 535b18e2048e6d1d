package foxglove

import (
	"context"
	"slices"
	"sync"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording/tap"
)

const (
	// feedQueue is how many messages may wait for the gateway itself: those of some seconds, as a camera that makes no key
	// frames on request sends all since the last one at once.
	feedQueue = 1024
	// keptEarly is how many messages may come before the subscription for which a stream was opened has joined.
	keptEarly = 256
	// keyTimeout bounds a request for a key frame, keyPause is the least time between two.
	keyTimeout = time.Second
	keyPause   = 100 * time.Millisecond
)

// member is one subscription that a feed serves, and the outbox that its messages go to.
type member struct {
	subscription *subscription
	outbox       *outbox
}

// feed is one channel that has subscribers: whoever they are, it is read, held and encoded once. It is safe for
// concurrent use.
type feed struct {
	view    *view
	channel *channel
	run     func(context.Context) // until its context ends
	stop    func()                // frees what is left

	mu      sync.Mutex
	members []member
	recent  recent // what a new subscription gets at once
	keys    chan struct{}
}

// recent keeps what a new subscription gets at once.
type recent interface {
	add(message)
	all() []message
}

// open opens a channel for its first subscriber.
func (v *view) open(_ context.Context, c *channel) (*feed, error) {
	f := &feed{view: v, channel: c, stop: func() {}, recent: &early{last: last{most: keptEarly}}}
	if c == v.log {
		f.run, f.recent = func(ctx context.Context) { v.follow(ctx, f) }, &last{most: keptLog}
		return f, nil
	}
	s, err := v.find(c)
	if err != nil {
		return nil, err
	}
	f.run = f.keyFrames
	if c.video {
		if info := s.Info; info.GetKeyFrameOnRequest() {
			f.keys = make(chan struct{}, 1)
		} else {
			f.recent = &group{}
		}
	}
	opened, err := v.tap.Open(s, stream.DropOldest(feedQueue), f.take)
	if err != nil {
		return nil, err
	}
	f.stop = func() {
		opened.Close()
		v.metrics.lost.WithLabelValues(lostByGateway).Add(float64(opened.Lost()))
		v.metrics.lost.WithLabelValues(lostUnreadable).Add(float64(opened.Unreadable()))
	}
	return f, nil
}

// Run implements [stream.Resource].
func (f *feed) Run(ctx context.Context) { f.run(ctx) }

// Close implements [stream.Resource].
func (f *feed) Close() { f.stop() }

// take passes a message of the bus on.
func (f *feed) take(m tap.Message) {
	if c := f.view.channelOf(m.Channel); c != f.channel {
		f.view.replace(m.Channel)
		return
	}
	one := message{at: stamp(f.view.now()), data: m.Channel.Encode(make([]byte, 0, len(m.Data)+appended), m.Data)}
	if f.channel.video {
		one.video, one.key, one.epoch, one.sequence = true, m.Facts.Key, m.Facts.Epoch, m.Facts.Sequence
	}
	f.publish(one)
}

// appended is the size of what Encode may append.
const appended = 128

// publish gives a message to all members.
func (f *feed) publish(m message) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent.add(m)
	for _, to := range f.members {
		to.outbox.put(to.subscription, m, now)
	}
}

// join adds a member, which gets what is kept for it, and everything from now on. It must leave.
func (f *feed) join(m member) (leave func()) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys != nil {
		m.subscription.askKey = f.askKey
	}
	for _, kept := range f.recent.all() {
		m.outbox.put(m.subscription, kept, now)
	}
	if f.keys != nil && !m.subscription.begun {
		m.subscription.wantKey(now)
	}
	f.members = append(f.members, m)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.members = slices.DeleteFunc(f.members, func(x member) bool { return x == m })
	}
}

// askKey asks for a key frame.
func (f *feed) askKey() {
	select {
	case f.keys <- struct{}{}:
	default:
	}
}

// keyFrames asks the device for key frames, as members want them, until ctx ends.
func (f *feed) keyFrames(ctx context.Context) {
	camera := camerav1.NewCameraServiceClient(f.view.conn.Client(bus.Address{Robot: f.view.robot,
		Device: f.channel.device}))
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.keys:
		}
		one, cancel := context.WithTimeout(ctx, keyTimeout)
		// A device that is away begins with a key frame when it is back.
		_, err := camera.RequestKeyFrame(one, &camerav1.RequestKeyFrameRequest{Stream: f.channel.stream})
		cancel()
		if err != nil && ctx.Err() == nil {
			f.view.logger.Debug("key frame not requested", "device", f.channel.device, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(keyPause):
		}
	}
}

// early keeps what comes before the first subscription has joined, for which the stream was opened, and then nothing.
type early struct {
	last
	joined bool
}

func (e *early) add(m message) {
	if !e.joined {
		e.last.add(m)
	}
}

func (e *early) all() []message {
	e.joined = true
	messages := e.messages
	e.messages = nil
	return messages
}

// last keeps some messages.
type last struct {
	most     int
	messages []message
}

func (l *last) add(m message) {
	if len(l.messages) == l.most {
		l.messages = slices.Delete(l.messages, 0, 1)
	}
	l.messages = append(l.messages, m)
}

func (l *last) all() []message { return l.messages }

// group keeps video since the last key frame, of a device that makes none on request.
type group struct{ frames media.Group[message] }

func (g *group) add(m message)  { g.frames.Add(m, len(m.data), m.key) }
func (g *group) all() []message { return g.frames.Frames() }
