package mjpeg

import (
	"bytes"
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Devices opens the JPEG streams of cameras.
type Devices interface {
	// JPEG returns the stream of a camera that carries JPEG. It waits for the description of a device that is expected
	// and has not come yet while ctx allows. The error is codes.NotFound if there is no such camera, and
	// codes.FailedPrecondition if it has no JPEG.
	JPEG(ctx context.Context, device string) (name string, err error)
	// Newest opens a stream, of which only the newest frame is kept. The device need not be there.
	Newest(device, name string) (Feed, error)
}

// Feed delivers one stream, which is held while the feed is open.
type Feed interface {
	// Next waits for a frame. An error ends the feed.
	Next(context.Context) (*mediav1.VideoFrame, error)
	// Close releases the stream.
	Close()
}

// Config adjusts a hub; the zero value works.
type Config struct {
	Log     *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: not counted anywhere
}

// Hub keeps the streams that have viewers.
type Hub struct {
	devices Devices
	log     *slog.Logger
	metrics *metrics
	sources *stream.Shared[key, *source]
}

// key tells sources apart.
type key struct{ device, stream string }

// NewHub returns a hub that gets its streams from devices.
func NewHub(d Devices, c Config) *Hub {
	h := &Hub{devices: d, log: c.Log, metrics: newMetrics(c.Metrics)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.sources = stream.NewShared(h.open)
	return h
}

// Check returns the error that Watch would return because of the device.
func (h *Hub) Check(ctx context.Context, device string) error {
	_, err := h.devices.JPEG(ctx, device)
	return err
}

// Watch adds a viewer of a camera, who gets at most rate pictures a second; 0 means all. The errors are those of
// [Devices.JPEG]. The viewer must be closed.
func (h *Hub) Watch(ctx context.Context, device string, rate float64) (*Viewer, error) {
	name, err := h.devices.JPEG(ctx, device)
	if err != nil {
		return nil, err
	}
	share, err := h.sources.Acquire(ctx, key{device, name})
	if err != nil {
		return nil, err
	}
	return newViewer(share, rate), nil
}

// Close ends all viewers, and returns when nothing runs any more.
func (h *Hub) Close() { h.sources.Close() }

// open opens a stream for its first viewer.
func (h *Hub) open(_ context.Context, k key) (*source, error) {
	feed, err := h.devices.Newest(k.device, k.stream)
	if err != nil {
		return nil, err
	}
	return &source{
		feed: feed, meters: h.metrics.of(k.device), log: h.log.With("device", k.device, "stream", k.stream),
		pictures: stream.NewTopic[*mediav1.VideoFrame](),
	}, nil
}

// source is one stream that has viewers.
type source struct {
	feed     Feed
	meters   *meters
	log      *slog.Logger
	pictures *stream.Topic[*mediav1.VideoFrame]
	order    media.Resync // used by Run only
	missed   uint64       // of order, counted so far
	warned   bool         // of garbage
}

// Run implements [stream.Resource].
func (s *source) Run(ctx context.Context) {
	for {
		f, err := s.feed.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("stream ended", "error", err)
			}
			return
		}
		s.take(f)
	}
}

// take passes a frame on to all viewers, unless it is none, or older than what they have.
func (s *source) take(f *mediav1.VideoFrame) {
	if !isJPEG(f) {
		s.meters.garbage.Inc()
		if !s.warned {
			s.log.Warn("frames are dropped: they are no JPEG", "media_type", f.GetFormat().GetMediaType())
		}
		s.warned = true
		return
	}
	current := s.order.Accept(f.GetEpoch(), f.GetSequence(), true)
	s.meters.lostOnBus.Add(float64(s.order.Missed() - s.missed))
	s.missed = s.order.Missed()
	if current {
		s.pictures.Publish(f)
	}
}

// isJPEG reports whether a frame is a JPEG, as far as its beginning tells.
func isJPEG(f *mediav1.VideoFrame) bool {
	return f.GetFormat().GetMediaType() == media.JPEG && bytes.HasPrefix(f.GetData(), []byte{0xff, 0xd8, 0xff})
}

// Close implements [stream.Resource].
func (s *source) Close() {
	s.feed.Close()
	s.pictures.Close(nil)
}
