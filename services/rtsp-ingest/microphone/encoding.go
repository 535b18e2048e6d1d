package microphone

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"
	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// names of the encodings, for people.
var names = map[string]string{
	feed.PCMA: "G.711 A-law", feed.PCMU: "G.711 µ-law", feed.L16: "L16", feed.Opus: "Opus", feed.AAC: "AAC",
}

func (e encoding) String() string {
	name := names[e.mediaType]
	if name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("%s, %v", name, e.format())
}

// format is what the encoding is said to have.
func (e encoding) format() pcm.Format { return pcm.Format{Rate: e.rate, Channels: e.channels} }

// check returns why the encoding cannot be heard, nil if it can.
func (e encoding) check() error {
	switch {
	case e.mediaType == feed.AAC:
		return unsupported("the camera's sound is AAC, which this build cannot decode: set it to G.711")
	case names[e.mediaType] == "":
		return unsupported("the camera's sound cannot be decoded: set it to G.711")
	case e.rate < pcm.MinRate || e.rate > pcm.MaxRate:
		return unsupported("the camera's sound has %d samples a second, which is not between %d and %d: set it to 8 kHz",
			e.rate, pcm.MinRate, pcm.MaxRate)
	case e.channels > pcm.MaxChannels:
		return unsupported("the camera's sound has %d channels: set it to mono", e.channels)
	}
	return nil
}

func unsupported(format string, args ...any) error {
	return feed.Failf(feed.Unsupported, "sound", format, args...)
}

// decoder makes samples of a block. They are valid until the next call.
type decoder interface {
	decode(data []byte) ([]float32, error)
}

// newDecoder returns a decoder for an encoding that passed check, and the format that it makes.
func newDecoder(e encoding) (decoder, pcm.Format, error) {
	from := e.format()
	switch e.mediaType {
	case feed.PCMA:
		return &law{table: aLaw, channels: e.channels}, from, nil
	case feed.PCMU:
		return &law{table: muLaw, channels: e.channels}, from, nil
	case feed.L16:
		return &linear{channels: e.channels}, from, nil
	}
	from = pcm.Format{Rate: pcm.OpusRate, Channels: 1} // the SDP does not say how many there really are
	d, err := opus.NewDecoder(from.Rate, from.Channels)
	if err != nil {
		return nil, from, fmt.Errorf("opus decoder: %w", err)
	}
	return &opusDecoder{opus: d, buffer: make([]float32, longestPacket)}, from, nil
}

// errPart is sound that ends in the middle of a frame.
var errPart = errors.New("it does not consist of whole samples")

// law decodes G.711.
type law struct {
	table    *[256]float32
	channels int
	samples  []float32
}

func (l *law) decode(data []byte) ([]float32, error) {
	if len(data)%l.channels != 0 {
		return nil, errPart
	}
	l.samples = l.samples[:0]
	for _, b := range data {
		l.samples = append(l.samples, l.table[b])
	}
	return l.samples, nil
}

// The values of all bytes.
var (
	aLaw  = lawTable(func(data []byte) []byte { var a g711.Alaw; a.Unmarshal(data); return a })
	muLaw = lawTable(func(data []byte) []byte { var m g711.Mulaw; m.Unmarshal(data); return m })
)

func lawTable(decode func([]byte) []byte) *[256]float32 {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	var table [256]float32
	for i, linear := 0, decode(all[:]); i < len(table); i++ {
		table[i] = sample(linear[2*i:])
	}
	return &table
}

// linear decodes L16.
type linear struct {
	channels int
	samples  []float32
}

func (l *linear) decode(data []byte) ([]float32, error) {
	if len(data)%(2*l.channels) != 0 {
		return nil, errPart
	}
	l.samples = l.samples[:0]
	for i := 0; i < len(data); i += 2 {
		l.samples = append(l.samples, sample(data[i:]))
	}
	return l.samples, nil
}

// sample reads 16 bits, big endian.
func sample(data []byte) float32 { return float32(int16(binary.BigEndian.Uint16(data))) / (1 << 15) }

// longestPacket is the most that a packet of Opus holds, in frames.
const longestPacket = pcm.OpusRate * 120 / 1000

// opusDecoder decodes Opus, which brings its own format along.
type opusDecoder struct {
	opus   *opus.Decoder
	buffer []float32
}

func (o *opusDecoder) decode(data []byte) ([]float32, error) {
	n, err := o.opus.DecodeFloat32(data, o.buffer)
	if err != nil {
		return nil, fmt.Errorf("opus packet: %w", err)
	}
	pcm.Clean(o.buffer[:n])
	return o.buffer[:n], nil
}
