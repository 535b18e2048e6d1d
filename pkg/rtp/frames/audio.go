package frames

import (
	"errors"
	"time"

	"github.com/pion/rtp"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

// AudioType is the media type of all sound.
const AudioType = "audio/opus"

const (
	// pause is the length of a silence after which sound begins again.
	pause = 500 * time.Millisecond
	// Packets further than this from the newest begin a new count: 10 s at 20 ms, and as many samples.
	farPackets, farSamples = 500, 10 * sampleRate
	sampleRate             = 48_000
)

// Errors of [Audio.Push].
var (
	ErrUnreadable = errors.New("not a packet of Opus")
	ErrTooLate    = errors.New("a packet from before the first")
)

// AudioConfig adjusts an [Audio]. Its zero value works.
type AudioConfig struct {
	// Epoch is that of all frames. 0: sound without a long pause gets a random one of its own.
	Epoch int64
	// Talker is the talker of all frames.
	Talker string
}

// Audio makes frames of the packets of one track.
type Audio struct {
	config AudioConfig
	begun  bool
	epoch  int64
	ssrc   uint32
	heard  time.Time
	// The newest packet of the epoch.
	sequence, sampleIndex int64
	rtpSequence           uint16
	rtpTimestamp          uint32
}

// NewAudio returns an Audio.
func NewAudio(config AudioConfig) *Audio { return &Audio{config: config} }

// Push takes a packet, whose payload must be Opus, at its arrival. The frame keeps the payload.
func (a *Audio) Push(h *rtp.Header, payload []byte, arrival time.Time) (*mediav1.AudioFrame, error) {
	samples, channels, ok := codecs.ReadOpus(payload)
	switch {
	case !ok:
		return nil, ErrUnreadable
	case !a.place(h, arrival):
		return nil, ErrTooLate
	}
	return &mediav1.AudioFrame{
		Epoch: a.epoch, Talker: a.config.Talker, CaptureTime: timestamppb.New(arrival), Data: payload,
		Sequence:    a.sequence + int64(int16(h.SequenceNumber-a.rtpSequence)),
		SampleIndex: a.sampleIndex + int64(int32(h.Timestamp-a.rtpTimestamp)),
		SampleCount: samples,
		Format:      &mediav1.AudioFormat{MediaType: AudioType, SampleRateHz: sampleRate, Channels: channels},
	}, nil
}

// place determines the place of a packet in the epoch. It returns false if that is before the first packet.
func (a *Audio) place(h *rtp.Header, now time.Time) bool {
	steps := int64(int16(h.SequenceNumber - a.rtpSequence))
	samples := int64(int32(h.Timestamp - a.rtpTimestamp))
	if !a.begun || h.SSRC != a.ssrc || now.Sub(a.heard) > pause || max(steps, -steps) > farPackets ||
		max(samples, -samples) > farSamples {
		a.begin(h, now)
		return true
	}
	if a.sequence+steps < 0 || a.sampleIndex+samples < 0 {
		return false
	}
	a.heard = now
	if steps > 0 {
		a.sequence, a.sampleIndex = a.sequence+steps, a.sampleIndex+samples
		a.rtpSequence, a.rtpTimestamp = h.SequenceNumber, h.Timestamp
	}
	return true
}

// begin makes a packet the first after a break: of a new epoch, or as much later as it came, with a gap of one packet.
func (a *Audio) begin(h *rtp.Header, now time.Time) {
	switch {
	case a.config.Epoch == 0:
		a.epoch, a.sequence, a.sampleIndex = access.NewID(), 0, 0
	case a.begun:
		a.sequence += 2
		a.sampleIndex += max(int64(now.Sub(a.heard).Seconds()*sampleRate), codecs.MaxOpusSamples)
	default:
		a.epoch = a.config.Epoch
	}
	a.begun, a.ssrc, a.heard = true, h.SSRC, now
	a.rtpSequence, a.rtpTimestamp = h.SequenceNumber, h.Timestamp
}
