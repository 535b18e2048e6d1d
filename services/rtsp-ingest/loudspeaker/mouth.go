package loudspeaker

import (
	"fmt"
	"slices"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// most is how much fits into a block of a voice, in bytes.
const most = 1400

// encoding is one that can be sent.
type encoding struct {
	name   string // for people
	bytes  int    // of a sample
	encode func(samples []byte) ([]byte, error)
}

// encodings make what is sent of samples of 16 bit, big endian.
var encodings = map[string]encoding{
	feed.PCMA: {"G.711 A-law", 1, func(samples []byte) ([]byte, error) { return g711.Alaw(samples).Marshal() }},
	feed.PCMU: {"G.711 µ-law", 1, func(samples []byte) ([]byte, error) { return g711.Mulaw(samples).Marshal() }},
	feed.L16:  {"L16", 2, func(samples []byte) ([]byte, error) { return samples, nil }},
}

// mouth makes what a back channel takes of what is to be played.
type mouth struct {
	voice   feed.Voice
	takes   pcm.Format
	as      encoding
	from    *convert.Puller
	samples []float32
	bytes   []byte
}

func newMouth(voice feed.Voice, from pcm.Format, fill func([]float32)) (*mouth, error) {
	t := voice.Track()
	takes := pcm.Format{Rate: t.SampleRate, Channels: max(t.Channels, 1)}
	as, ok := encodings[t.MediaType]
	switch {
	case !ok:
		return nil, unsupported("takes %.40s", t.MediaType)
	case takes.Rate < pcm.MinRate || takes.Rate > pcm.MaxRate:
		return nil, unsupported("takes %d samples a second", takes.Rate)
	case takes.Channels > pcm.MaxChannels:
		return nil, unsupported("takes %d channels", takes.Channels)
	}
	pull, err := convert.NewPuller(from, takes, Block(from), fill)
	if err != nil {
		return nil, err
	}
	return &mouth{voice: voice, takes: takes, as: as, from: pull,
		samples: make([]float32, takes.Frames(length)*takes.Channels)}, nil
}

func unsupported(format string, args ...any) error {
	return feed.Failf(feed.Unsupported, "", "nobody can be heard at the camera: its loudspeaker "+format+
		": set the camera's sound to G.711, 8 kHz", args...)
}

func (m *mouth) String() string { return fmt.Sprintf("%s, %v", m.as.name, m.takes) }

// say says the next block, in several pieces if it is long. At is when it begins, since any start.
func (m *mouth) say(at time.Duration) error {
	m.from.Read(m.samples)
	m.bytes = pcm.Encode(m.bytes[:0], pcm.S16LE, m.samples)
	for pair := range slices.Chunk(m.bytes, 2) {
		slices.Reverse(pair)
	}
	data, err := m.as.encode(m.bytes)
	if err != nil {
		return err
	}
	frame := m.as.bytes * m.takes.Channels
	for one := range slices.Chunk(data, most/frame*frame) {
		if err := m.voice.Say(one, at); err != nil {
			return err
		}
		at += m.takes.Duration(int64(len(one) / frame))
	}
	return nil
}

func (m *mouth) close() { m.from.Close() }
