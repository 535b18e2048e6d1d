package channels

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// streamQueue is how many messages may wait for the one who puts them into JSON, and then for each peer.
	streamQueue = 64
)

// serveStream sends what a device publishes.
func (b *Bridge) serveStream(c *rtc.Channel, path string) {
	device, name, _ := strings.Cut(path, "/")
	key := streamKey{device, name}
	if err := b.checkStream(key); err != nil {
		b.refuse(c, err)
		return
	}
	c.Go(func(ctx context.Context) {
		defer c.Close()
		feed, err := b.streams.open(key)
		if err != nil {
			b.sayWhy(ctx, c, err)
			return
		}
		defer b.streams.release(feed)
		messages := feed.topic.Subscribe(stream.DropOldest(streamQueue))
		defer func() {
			messages.Close()
			b.metrics.dropped.WithLabelValues("stream").Add(float64(messages.Lost()))
		}()
		for message, err := range messages.All(ctx) {
			if err != nil || c.Send(ctx, true, streamFrame(message, messages.Lost())) != nil {
				return
			}
		}
	})
}

func (b *Bridge) checkStream(k streamKey) error {
	if err := b.directory.Check(k.device); err != nil {
		return err
	}
	if err := (bus.Address{Robot: b.robot, Device: k.device}).Validate(); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if bus.CheckTopic(k.stream) != nil { // the same characters
		return status.Errorf(codes.InvalidArgument, "label: %.64q is no name of a stream: use %s<device>/<stream>", k.stream, streamPrefix)
	}
	return nil
}

// streamFrame is the JSON of a StreamFrame whose message is JSON already.
func streamFrame(message []byte, dropped uint64) []byte {
	frame := append([]byte(`{"message":`), message...)
	if dropped > 0 {
		frame = append(append(append(frame, `,"droppedCount":"`...), strconv.FormatUint(dropped, 10)...), '"')
	}
	return append(frame, '}')
}

type streamKey struct{ device, stream string }

// feed is one stream of a device, held for all peers that listen to it.
type feed struct {
	key      streamKey
	topic    *stream.Topic[[]byte] // messages as JSON
	messages *bus.Subscription[proto.Message]
	hold     *bus.Hold
	readers  int // guarded by streams.mu
}

// streams are those that somebody listens to.
type streams struct {
	conn  *bus.Conn
	robot string
	owned sync.WaitGroup

	mu    sync.Mutex
	feeds map[streamKey]*feed
}

func newStreams(conn *bus.Conn, robot string) *streams {
	return &streams{conn: conn, robot: robot, feeds: map[streamKey]*feed{}}
}

// open returns the feed of a stream, which must be released.
func (s *streams) open(k streamKey) (*feed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[k]
	if f == nil {
		address := bus.Address{Robot: s.robot, Device: k.device}
		messages, err := bus.SubscribeAny(s.conn, address.Out(k.stream), stream.DropOldest(streamQueue))
		if err != nil {
			return nil, status.Errorf(codes.Unavailable, "%v", err)
		}
		f = &feed{key: k, topic: stream.NewTopic[[]byte](), messages: messages, hold: s.conn.Hold(address, k.stream, "gateway")}
		s.feeds[k] = f
		s.owned.Go(f.pump)
	}
	f.readers++
	return f, nil
}

// pump puts messages into JSON until the subscription is closed.
func (f *feed) pump() {
	for m, err := range f.messages.All(context.Background()) {
		if err != nil {
			break
		}
		if data, err := protojson.Marshal(m); err == nil { // what JSON cannot tell is nothing for peers
			f.topic.Publish(data)
		}
	}
	f.topic.Close(nil)
}

// release takes a reader's part in a feed back. Letting go of the stream may take a second, for which nobody waits.
func (s *streams) release(f *feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.readers--; f.readers > 0 {
		return
	}
	delete(s.feeds, f.key)
	s.owned.Go(func() {
		f.messages.Close()
		f.hold.Close()
	})
}

func (s *streams) close() { s.owned.Wait() }
