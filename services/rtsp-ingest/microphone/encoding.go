package microphone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"
	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// names of the encodings, for people.
var names = map[string]string{
	feed.PCMA: "G.711 A-law", feed.PCMU: "G.711 µ-law", feed.L16: "L16", feed.Opus: "Opus", feed.AAC: "AAC",
	feed.G726: "G.726",
}

// maker makes a decoder for an encoding that passed check.
type maker func(encoding) (decoder, error)

// makers of decoders that need no library under another licence; more adds to them.
var makers = more(map[string]maker{
	feed.PCMA: func(e encoding) (decoder, error) { return &law{table: aLaw, format: e.format()}, nil },
	feed.PCMU: func(e encoding) (decoder, error) { return &law{table: muLaw, format: e.format()}, nil },
	feed.L16:  func(e encoding) (decoder, error) { return &linear{format: e.format()}, nil },
	feed.Opus: newOpus,
})

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
	case names[e.mediaType] == "":
		return unsupported("the camera's sound cannot be decoded: set it to G.711")
	case makers[e.mediaType] == nil:
		return unsupported("the camera's sound is %s, and this program was built without libavcodec: set it to G.711, or "+
			"build it without the tag nolibav", names[e.mediaType])
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

// decoder makes samples of blocks.
type decoder interface {
	// decode returns what a block holds. The samples are valid until the next call. lost says that something before it
	// was lost.
	decode(data []byte, lost bool) (decoded, error)
	// close frees memory.
	close()
}

// decoded is the sound of a block.
type decoded struct {
	samples []float32
	format  pcm.Format
	late    time.Duration // by how much the first sample is older than the block says
}

// errPart is sound that ends in the middle of a frame.
var errPart = errors.New("it does not consist of whole samples")

// law decodes G.711.
type law struct {
	table   *[256]float32
	format  pcm.Format
	samples []float32
}

func (*law) close() {}

func (l *law) decode(data []byte, _ bool) (decoded, error) {
	if len(data)%l.format.Channels != 0 {
		return decoded{}, errPart
	}
	l.samples = l.samples[:0]
	for _, b := range data {
		l.samples = append(l.samples, l.table[b])
	}
	return decoded{samples: l.samples, format: l.format}, nil
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
	format  pcm.Format
	samples []float32
}

func (*linear) close() {}

func (l *linear) decode(data []byte, _ bool) (decoded, error) {
	if len(data)%(2*l.format.Channels) != 0 {
		return decoded{}, errPart
	}
	l.samples = l.samples[:0]
	for i := 0; i < len(data); i += 2 {
		l.samples = append(l.samples, sample(data[i:]))
	}
	return decoded{samples: l.samples, format: l.format}, nil
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

// newOpus decodes to one channel: the SDP does not say how many there really are.
func newOpus(encoding) (decoder, error) {
	d, err := opus.NewDecoder(pcm.OpusRate, 1)
	if err != nil {
		return nil, fmt.Errorf("opus decoder: %w", err)
	}
	return &opusDecoder{opus: d, buffer: make([]float32, longestPacket)}, nil
}

func (*opusDecoder) close() {}

func (o *opusDecoder) decode(data []byte, _ bool) (decoded, error) {
	n, err := o.opus.DecodeFloat32(data, o.buffer)
	if err != nil {
		return decoded{}, fmt.Errorf("opus packet: %w", err)
	}
	pcm.Clean(o.buffer[:n])
	return decoded{samples: o.buffer[:n], format: pcm.Format{Rate: pcm.OpusRate, Channels: 1}}, nil
}
