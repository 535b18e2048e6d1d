package relay

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Stream names a stream of a device.
type Stream struct{ Device, Name string }

// Feed is where the frames of one stream come from, held for as long as it is open.
type Feed interface {
	// Next waits for a frame. An error ends the feed.
	Next(context.Context) (*mediav1.VideoFrame, error)
	// RequestKeyFrame asks the device for a key frame.
	RequestKeyFrame(context.Context) error
	// KeyFrameOnRequest reports whether asking makes sense. The answer may change while the feed is open.
	KeyFrameOnRequest() bool
	// Close lets go of the stream.
	Close()
}

// Config adjusts a hub; the zero value works.
type Config struct {
	Log     *slog.Logger // nil: none
	Metrics *Metrics     // nil: not counted anywhere
}

// Hub knows the streams that somebody looks at. It is safe for concurrent use.
type Hub struct {
	open    func(Stream) (Feed, error)
	log     *slog.Logger
	metrics *Metrics
	// profiles outlive relays.
	profiles *profiles

	mu     sync.Mutex
	relays map[Stream]*relay
	ended  sync.WaitGroup // relays
}

// NewHub returns a hub that gets its feeds from open.
func NewHub(open func(Stream) (Feed, error), c Config) *Hub {
	h := &Hub{open: open, log: c.Log, metrics: c.Metrics, profiles: newProfiles(), relays: make(map[Stream]*relay)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.metrics == nil {
		h.metrics = NewMetrics(prometheus.NewRegistry())
	}
	return h
}

// NewViewer returns a track that shows a stream. The stream is held from now on, so that frames are there by the time the
// connection is; they flow after [Viewer.Start]. The viewer must be closed. id becomes the id of the track and of its stream.
func (h *Hub) NewViewer(s Stream, id string) (*Viewer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.use(s)
	if err != nil {
		return nil, err
	}
	return newViewer(r, id, func() { h.leave(s, r) }), nil
}

// use counts one more user of a stream in, which has to leave; h.mu is held.
func (h *Hub) use(s Stream) (*relay, error) {
	r := h.relays[s]
	if r == nil {
		feed, err := h.open(s)
		if err != nil {
			return nil, err
		}
		r = newRelay(s, feed, h.profiles, h.metrics.of(s.Device), h.log.With("device", s.Device, "stream", s.Name))
		h.relays[s] = r
		h.metrics.relays.Inc()
		h.ended.Go(r.run)
	}
	r.users++
	r.meters.viewers.Inc()
	return r, nil
}

// leave ends the relay with its last user.
func (h *Hub) leave(s Stream, r *relay) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.meters.viewers.Dec()
	if r.users--; r.users == 0 {
		delete(h.relays, s)
		h.metrics.relays.Dec()
		r.stop()
	}
}

// Close waits until all relays have ended. All viewers must have been closed.
func (h *Hub) Close() { h.ended.Wait() }
