package tracks

import (
	"context"
	"log/slog"

	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Stream names a stream of a device.
type Stream struct{ Device, Name string }

// Devices opens the streams of devices.
type Devices interface {
	// Video opens a video stream.
	Video(Stream) (VideoFeed, error)
	// Audio opens an audio stream.
	Audio(Stream) (AudioFeed, error)
	// Carriers lists the streams that carry the content of a stream, and returns a channel that is closed when the list
	// may have changed.
	Carriers(Stream) (list []Carrier, changed <-chan struct{})
}

// AudioFeed delivers one audio stream, which is held while the feed is open.
type AudioFeed interface {
	// Next waits for a frame. An error ends the feed.
	Next(context.Context) (*mediav1.AudioFrame, error)
	// Close releases the stream.
	Close()
}

// VideoFeed delivers one video stream, which is held while the feed is open.
type VideoFeed interface {
	// Next waits for a frame. An error ends the feed.
	Next(context.Context) (*mediav1.VideoFrame, error)
	// RequestKeyFrame asks the device for a key frame.
	RequestKeyFrame(context.Context) error
	// KeyFrames reports where the device's key frames come from. The answer may change while the feed is open.
	KeyFrames() KeyFrames
	// Close releases the stream.
	Close()
}

// KeyFrames says where the key frames of a stream come from.
type KeyFrames struct {
	// OnRequest says that the device makes them on request.
	OnRequest bool
	// AsIs says that frames are passed on as the hardware has compressed them, in whatever profile it has. A key frame on
	// request may then take a second and more, if there is one at all.
	AsIs bool
}

// Config adjusts a hub; the zero value works.
type Config struct {
	Log     *slog.Logger // nil: none
	Metrics *Metrics     // nil: not counted anywhere
}

// Hub keeps the streams that have receivers. It is safe for concurrent use.
type Hub struct {
	devices  Devices
	log      *slog.Logger
	metrics  *Metrics
	profiles *profiles // they outlive the sources
	sources  *stream.Shared[key, source]
}

// key tells sources apart.
type key struct {
	kind webrtc.RTPCodecType
	Stream
}

// source is one stream that has receivers: [video] or [audio].
type source interface {
	stream.Resource
	// join starts the flow of frames to an intake.
	join(i *intake)
	// refresh helps an intake that cannot continue without a key frame.
	refresh(i *intake)
	// repeat sends what leads up to the newest picture again to an intake that may have got nothing.
	repeat(i *intake)
	// mend helps an intake that has lost a picture, without haste: it goes on at the next key frame.
	mend(i *intake)
	// common returns what all sources share.
	common() *fan
}

// NewHub returns a hub that gets its streams from devices.
func NewHub(d Devices, c Config) *Hub {
	h := &Hub{devices: d, log: c.Log, metrics: c.Metrics, profiles: newProfiles()}
	h.sources = stream.NewShared(h.open)
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.metrics == nil {
		h.metrics = NewMetrics(prometheus.NewRegistry())
	}
	return h
}

// open opens a stream for its first user.
func (h *Hub) open(_ context.Context, k key) (source, error) {
	f := newFan(k.Stream, h.metrics.of(k.kind, k.Device), h.log.With("device", k.Device, "stream", k.Name))
	if k.kind == webrtc.RTPCodecTypeAudio {
		feed, err := h.devices.Audio(k.Stream)
		if err != nil {
			return nil, err
		}
		return newAudio(feed, f), nil
	}
	feed, err := h.devices.Video(k.Stream)
	if err != nil {
		return nil, err
	}
	return newVideo(feed, f, h.profiles), nil
}

// NewTrack returns a track that carries a stream. The stream is held from now on, so that frames are available once the
// connection is up; they flow after [Track.Start]. The track must be closed. id becomes the id of the track and of its
// media stream.
func (h *Hub) NewTrack(ctx context.Context, kind webrtc.RTPCodecType, s Stream, id string) (*Track, error) {
	open := func(ctx context.Context, s Stream) (*stream.Share[source], error) {
		return h.sources.Acquire(ctx, key{kind, s})
	}
	share, err := open(ctx, s)
	if err != nil {
		return nil, err
	}
	return newTrack(newTap(share, open), kind, id), nil
}

// Hold keeps a video stream ready, as if somebody received it, until it is released.
func (h *Hub) Hold(ctx context.Context, s Stream) (release func(), err error) {
	share, err := h.sources.Acquire(ctx, key{webrtc.RTPCodecTypeVideo, s})
	if err != nil {
		return nil, err
	}
	return func() { share.Release() }, nil
}

// NewReader returns a reader of a video stream, in one codec or, if that is nil, in any. Pictures are queued for it
// from now on. It must be closed.
func (h *Hub) NewReader(ctx context.Context, s Stream, c *codecs.Codec) (*Reader, error) {
	share, err := h.sources.Acquire(ctx, key{webrtc.RTPCodecTypeVideo, s})
	if err != nil {
		return nil, err
	}
	return newReader(share, c), nil
}

// Close ends all streams, and returns when they have ended.
func (h *Hub) Close() { h.sources.Close() }
