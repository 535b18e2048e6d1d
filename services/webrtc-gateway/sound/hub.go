package sound

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/relay"
)

// Feed is where the sound of one stream comes from, held for as long as it is open.
type Feed interface {
	// Next waits for a frame. An error ends the feed.
	Next(context.Context) (*mediav1.AudioFrame, error)
	// Close lets go of the stream.
	Close()
}

// Config adjusts a hub; the zero value works.
type Config struct {
	Log     *slog.Logger // nil: none
	Metrics *Metrics     // nil: not counted anywhere
}

// Hub knows the streams that somebody listens to. It is safe for concurrent use.
type Hub struct {
	open    func(relay.Stream) (Feed, error)
	log     *slog.Logger
	metrics *Metrics

	mu      sync.Mutex
	sources map[relay.Stream]*source
	ended   sync.WaitGroup // sources
}

// source passes one stream to its listeners.
type source struct {
	feed   Feed
	meters meters
	log    *slog.Logger
	topic  *stream.Topic[*packet]
	ctx    context.Context
	stop   context.CancelFunc
	users  int // listeners, started or not; guarded by the hub

	// Used by run only.
	timeline timeline
	warned   string // media type that was complained of
}

// NewHub returns a hub that gets its feeds from open.
func NewHub(open func(relay.Stream) (Feed, error), c Config) *Hub {
	h := &Hub{open: open, log: c.Log, metrics: c.Metrics, sources: make(map[relay.Stream]*source)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.metrics == nil {
		h.metrics = NewMetrics(prometheus.NewRegistry())
	}
	return h
}

// NewListener returns a track that carries a stream. The stream is held from now on, so that sound is there by the time the connection
// is; it flows after [Listener.Start]. The listener must be closed. id becomes the id of the track and of its stream.
func (h *Hub) NewListener(s relay.Stream, id string) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	src := h.sources[s]
	if src == nil {
		feed, err := h.open(s)
		if err != nil {
			return nil, err
		}
		src = newSource(feed, h.metrics.of(s.Device), h.log.With("device", s.Device, "stream", s.Name))
		h.sources[s] = src
		h.metrics.sources.Inc()
		h.ended.Go(src.run)
	}
	src.users++
	src.meters.listeners.Inc()
	return &Listener{source: src, id: id, leave: func() { h.leave(s, src) }}, nil
}

// leave ends the source with its last user.
func (h *Hub) leave(s relay.Stream, src *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	src.meters.listeners.Dec()
	if src.users--; src.users == 0 {
		delete(h.sources, s)
		h.metrics.sources.Dec()
		src.stop()
	}
}

// Close waits until all sources have ended. All listeners must have been closed.
func (h *Hub) Close() { h.ended.Wait() }

func newSource(feed Feed, m meters, log *slog.Logger) *source {
	s := &source{feed: feed, meters: m, log: log, topic: stream.NewTopic[*packet](), timeline: newTimeline()}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// run reads the feed until the source is stopped.
func (s *source) run() {
	defer s.feed.Close()
	for {
		f, err := s.feed.Next(s.ctx)
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Warn("stream ended", "error", err)
			}
			s.stop()
			return
		}
		s.accept(f, time.Now())
	}
}

// accept passes one frame on, if it can be used.
func (s *source) accept(f *mediav1.AudioFrame, now time.Time) {
	s.meters.frames.Inc()
	if !s.usable(f) {
		s.meters.lostGarbage.Inc()
		return
	}
	p, missed := s.timeline.place(f, now)
	s.meters.lostOnBus.Add(float64(missed))
	if p == nil {
		s.meters.lostLate.Inc()
		return
	}
	s.topic.Publish(p)
}

const (
	// maxPacket is the largest Opus packet of one frame, in bytes: a packet of RTP.
	maxPacket = 1275
	// maxSamples is the longest Opus packet: 120 ms.
	maxSamples = 5760
	opus       = "audio/opus"
)

// usable tells whether a frame makes sense, and is something that listeners can be sent.
func (s *source) usable(f *mediav1.AudioFrame) bool {
	if t := f.GetFormat().GetMediaType(); t != opus {
		if t != s.warned {
			s.warned = t
			s.log.Warn("sound cannot be heard: only audio/opus can be sent to listeners", "media_type", t)
		}
		return false
	}
	return f.GetEpoch() != 0 && f.GetSequence() >= 0 && f.GetSampleIndex() >= 0 &&
		f.GetSampleCount() > 0 && f.GetSampleCount() <= maxSamples &&
		len(f.GetData()) > 0 && len(f.GetData()) <= maxPacket
}
