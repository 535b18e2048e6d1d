package talk

import (
	"errors"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/rtp/frames"
)

const (
	// Stream is the stream of a device that receives voices.
	Stream = "speaker"
	// MediaType is the media type of voices.
	MediaType = frames.AudioType
	// A talker may send packetsPerSecond, plus a burst of packetsBurst after the network stalled.
	packetsPerSecond, packetsBurst = 200, 100
)

// Publisher puts messages on the bus.
type Publisher interface {
	// Publish sends a message immediately or fails.
	Publish(subject string, m proto.Message) error
}

// Voices carries the voices of all peers to one robot.
type Voices struct {
	bus     Publisher
	robot   string
	metrics *metrics
}

// New returns the voices of a robot. Metrics may be nil.
func New(b Publisher, robot string, reg prometheus.Registerer) *Voices {
	return &Voices{bus: b, robot: robot, metrics: newMetrics(reg)}
}

// Voice is one sending track of a peer.
type Voice struct {
	voices  *Voices
	device  string
	subject string
	talker  string
	meters  meters

	mu     sync.Mutex
	closed bool
	limit  *rate.Limiter
	frames *frames.Audio
}

// Open returns a voice for a device. Talker names its owner, for people. The voice must be closed.
func (v *Voices) Open(device, talker string) *Voice {
	m := v.metrics.of(device)
	m.voices.Inc()
	return &Voice{
		voices: v, device: device, subject: bus.Address{Robot: v.robot, Device: device}.In(Stream), talker: talker, meters: m,
		limit:  rate.NewLimiter(packetsPerSecond, packetsBurst),
		frames: frames.NewAudio(frames.AudioConfig{Talker: talker}),
	}
}

// Is reports whether this is the voice of a talker at a device.
func (v *Voice) Is(device, talker string) bool { return v.device == device && v.talker == talker }

// Accept takes one packet of the track, whose payload must be Opus, at the time of its arrival. It does not retain the
// payload.
func (v *Voice) Accept(h *rtp.Header, payload []byte, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	if !v.limit.AllowN(now, 1) {
		v.meters.lostFlood.Inc()
		return
	}
	frame, err := v.frames.Push(h, payload, now)
	switch {
	case errors.Is(err, frames.ErrTooLate):
		v.meters.lostLate.Inc()
	case err != nil:
		v.meters.lostGarbage.Inc()
	case v.voices.bus.Publish(v.subject, frame) != nil:
		v.meters.lostOnBus.Inc()
	default:
		v.meters.packets.Inc()
	}
}

// Garbage counts an unreadable packet.
func (v *Voice) Garbage() { v.meters.lostGarbage.Inc() }

// Close ends the voice. It may be called more than once.
func (v *Voice) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.closed = true
		v.meters.voices.Dec()
	}
}
