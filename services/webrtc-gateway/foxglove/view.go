package foxglove

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/tap"
)

// topicQueue is how many messages between pages and programs may wait for the gateway itself.
const topicQueue = 256

// view is what all clients of a robot see. There is one while there is a client.
type view struct {
	conn      *bus.Conn
	robot     string
	logger    *slog.Logger
	metrics   *metrics
	directory Directory
	book      *book
	log       *channel
	tap       *tap.Tap
	topics    *tap.Opened
	player    *player
	feeds     *stream.Shared[*channel, *feed]

	mu      sync.Mutex
	streams map[*channel]tap.Stream
	named   map[*channel]*feed // of topics that have had a message
	list    []*channel
	changed chan struct{} // closed and replaced when list is
}

// newView is [stream.NewShared]'s.
func (g *Gateway) newView(_ context.Context, _ struct{}) (*view, error) {
	v := &view{
		conn: g.config.Bus, robot: g.config.Robot, logger: g.config.Log, metrics: g.metrics, directory: g.config.Directory,
		book: g.book, log: g.log, streams: map[*channel]tap.Stream{}, named: map[*channel]*feed{},
		changed: make(chan struct{}),
	}
	v.player = newPlayer(v.conn, v.robot, v.directory, v.logger)
	v.feeds = stream.NewShared(v.open)
	var err error
	v.tap, err = tap.New(v.conn, v.robot, tap.Config{Reader: "foxglove", Devices: v.directory, Log: v.logger})
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "%v", err)
	}
	if v.topics, err = v.tap.OpenTopics(stream.DropOldest(topicQueue), v.takeTopic); err != nil {
		v.tap.Close()
		return nil, status.Errorf(codes.Unavailable, "%v", err)
	}
	v.update(v.tap.Streams())
	return v, nil
}

// Run implements [stream.Resource].
func (v *view) Run(ctx context.Context) {
	var player sync.WaitGroup
	player.Go(func() { v.player.run(ctx) })
	defer player.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.update(v.tap.Streams()):
		}
	}
}

// Close implements [stream.Resource].
func (v *view) Close() {
	v.feeds.Close()
	v.topics.Close()
	v.tap.Close()
}

// update takes over a list of streams, and returns its changed.
func (v *view) update(streams []tap.Stream, changed <-chan struct{}) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.updateLocked(streams)
	return changed
}

func (v *view) updateLocked(streams []tap.Stream) {
	known := map[*channel]tap.Stream{}
	for _, s := range streams {
		if s.Channel.Direction == recording.In {
			continue // what is sent to devices is not for everybody who may look; nor may the gateway read it on the bus
		}
		c, err := v.book.carriedBy(s.Channel)
		if err != nil {
			v.logger.Warn("a stream cannot be shown", "of", s.Channel.Name(), "error", err)
			continue
		}
		known[c] = s
	}
	v.streams = known
	v.listLocked()
}

// listLocked makes the list anew, and tells if it has changed.
func (v *view) listLocked() {
	list := append(slices.Collect(maps.Keys(v.streams)), v.log)
	list = slices.AppendSeq(list, maps.Keys(v.named))
	slices.SortFunc(list, func(a, b *channel) int { return strings.Compare(a.topic, b.topic) })
	if slices.Equal(list, v.list) {
		return
	}
	v.list = list
	close(v.changed)
	v.changed = make(chan struct{})
}

// channels returns the channels there are, sorted by topic, and a channel that is closed when there are others.
func (v *view) channels() (list []*channel, changed <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list, v.changed
}

// find returns the stream behind a channel.
func (v *view) find(c *channel) (tap.Stream, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, there := v.streams[c]
	if !there {
		return s, status.Errorf(codes.NotFound, "%s is gone", c.topic)
	}
	return s, nil
}

// channelOf returns the channel of messages; nil if there is none.
func (v *view) channelOf(c *recording.Channel) *channel {
	known, err := v.book.of(c)
	if err != nil {
		return nil
	}
	return known
}

// replace notes that a stream carries something else than what was listed.
func (v *view) replace(carried *recording.Channel) {
	streams, _ := v.tap.Streams()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range streams {
		listed := s.Channel
		if listed.Device == carried.Device && listed.Stream == carried.Stream && listed.Direction == carried.Direction {
			v.book.note(listed, carried)
			v.updateLocked(streams)
			return
		}
	}
}

// takeTopic passes on what pages and programs say to each other. A topic is a channel once it has had a message.
func (v *view) takeTopic(m tap.Message) {
	c := v.channelOf(m.Channel)
	if c == nil {
		return
	}
	v.mu.Lock()
	f := v.named[c]
	if f == nil {
		f = &feed{view: v, channel: c, recent: &last{most: 1}}
		v.named[c] = f
		v.listLocked()
	}
	v.mu.Unlock()
	f.publish(message{at: stamp(v.now()), data: m.Data})
}

// topic returns the feed of a topic; nil if the channel is none.
func (v *view) topic(c *channel) *feed {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.named[c]
}

// join has a channel served to a member, until leave is called.
func (v *view) join(ctx context.Context, m member) (leave func(), err error) {
	v.metrics.subscriptions.Inc()
	if f := v.topic(m.subscription.channel); f != nil {
		leave := f.join(m)
		return func() { leave(); v.metrics.subscriptions.Dec() }, nil
	}
	share, err := v.feeds.Acquire(ctx, m.subscription.channel)
	if err != nil {
		v.metrics.subscriptions.Dec()
		return nil, err
	}
	left := share.Value.join(m)
	return func() {
		left()
		share.Release()
		v.metrics.subscriptions.Dec()
	}, nil
}

// now is the time of messages: when they were recorded, in a replay, and else when they came here.
func (v *view) now() time.Time { return v.player.now(time.Now()) }
