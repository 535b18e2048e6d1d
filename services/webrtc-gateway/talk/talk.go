package talk

import (
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

const (
	// Stream is the stream of a device that receives voices.
	Stream = "speaker"
	// MediaType is the media type of voices.
	MediaType = "audio/opus"
	// pause is the length of a silence after which a new epoch starts.
	pause = 500 * time.Millisecond
	// Packets further than this from the newest start a new epoch: 10 s at 20 ms, and as many samples.
	farPackets, farSamples = 500, 10 * clockRate
	clockRate              = 48_000
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
	epoch  int64 // 0 before anything was said
	ssrc   uint32
	heard  time.Time
	// The newest packet of the epoch.
	sequence, sampleIndex int64
	rtpSequence           uint16
	rtpTimestamp          uint32
}

// Open returns a voice for a device. Talker names its owner, for people. The voice must be closed.
func (v *Voices) Open(device, talker string) *Voice {
	m := v.metrics.of(device)
	m.voices.Inc()
	return &Voice{
		voices: v, device: device, subject: bus.Address{Robot: v.robot, Device: device}.In(Stream), talker: talker, meters: m,
		limit: rate.NewLimiter(packetsPerSecond, packetsBurst),
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
	samples, channels, ok := codecs.ReadOpus(payload)
	switch {
	case !ok:
		v.meters.lostGarbage.Inc()
		return
	case !v.limit.AllowN(now, 1):
		v.meters.lostFlood.Inc()
		return
	case !v.place(h, now):
		v.meters.lostLate.Inc()
		return
	}
	err := v.voices.bus.Publish(v.subject, &mediav1.AudioFrame{
		Epoch: v.epoch, Talker: v.talker, CaptureTime: timestamppb.New(now), Data: payload,
		Sequence:    v.sequence + int64(int16(h.SequenceNumber-v.rtpSequence)),
		SampleIndex: v.sampleIndex + int64(int32(h.Timestamp-v.rtpTimestamp)),
		SampleCount: samples,
		Format:      &mediav1.AudioFormat{MediaType: MediaType, SampleRateHz: clockRate, Channels: channels},
	})
	if err != nil {
		v.meters.lostOnBus.Inc()
		return
	}
	v.meters.packets.Inc()
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

// place determines the place of a packet in the epoch. It returns false if that is before the first packet.
func (v *Voice) place(h *rtp.Header, now time.Time) bool {
	steps := int64(int16(h.SequenceNumber - v.rtpSequence))
	samples := int64(int32(h.Timestamp - v.rtpTimestamp))
	if v.epoch == 0 || h.SSRC != v.ssrc || now.Sub(v.heard) > pause || max(steps, -steps) > farPackets ||
		max(samples, -samples) > farSamples {
		v.begin(h, now)
		return true
	}
	if v.sequence+steps < 0 || v.sampleIndex+samples < 0 {
		return false
	}
	v.heard = now
	if steps > 0 {
		v.sequence, v.sampleIndex = v.sequence+steps, v.sampleIndex+samples
		v.rtpSequence, v.rtpTimestamp = h.SequenceNumber, h.Timestamp
	}
	return true
}

// begin makes a packet the first of a new epoch.
func (v *Voice) begin(h *rtp.Header, now time.Time) {
	v.epoch, v.ssrc, v.heard = access.NewID(), h.SSRC, now
	v.sequence, v.sampleIndex = 0, 0
	v.rtpSequence, v.rtpTimestamp = h.SequenceNumber, h.Timestamp
}
