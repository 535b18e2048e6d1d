package fakecam

import (
	"bytes"
	"embed"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/g711"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/waldo-robot/waldo/pkg/media/mjpeg"
)

//go:embed testdata/*.h264 testdata/*.h265 testdata/*.m4v testdata/*.mjpeg testdata/*.order
//go:embed testdata/*.aac testdata/*.g726 testdata/*.opus
var clips embed.FS

// Encodings, as SDP names them.
const (
	H264  = "H264"
	H265  = "H265"
	JPEG  = "JPEG"
	MPEG4 = "MP4V-ES"
	PCMU  = "PCMU"
	PCMA  = "PCMA"
	L16   = "L16"
	AAC   = "MPEG4-GENERIC"
	LATM  = "MP4A-LATM"
	G726  = "G726-32"
	Opus  = "opus"
)

// Pictures a second of all clips, and the clock of all pictures.
const (
	FPS        = 25
	VideoClock = 90000
)

// Media is a stretch of pictures or sound that a camera repeats without end, with timestamps that go on. It is not
// changed after it is made, so any number of cameras can share it.
type Media struct {
	Encoding string
	Clock    int    // ticks a second
	Step     int    // ticks from one unit to the next, in the order of sending
	Channels int    // of sound
	Config   []byte // AAC: AudioSpecificConfig; LATM: StreamMuxConfig; MPEG-4: what precedes the first picture
	Units    []Unit
}

// Unit is one picture, or one block of sound.
type Unit struct {
	Data [][]byte // NAL units; or one element
	Key  bool     // a picture that needs no other
	// Place is the unit's place in the order of presentation.
	Place int
}

// Parameters returns the parameter sets of H.264 and H.265: those of the first picture.
func (m *Media) Parameters() [][]byte {
	var sets [][]byte
	for _, nal := range m.Units[0].Data {
		if isParameter(m.Encoding, nal) {
			sets = append(sets, nal)
		}
	}
	return sets
}

// Video says whether it is pictures.
func (m *Media) Video() bool {
	switch m.Encoding {
	case H264, H265, JPEG, MPEG4:
		return true
	}
	return false
}

// Clip returns one of the clips of testdata, such as "baseline.h264"; [Clips] lists them. It panics if there is none.
func Clip(name string) *Media {
	data, err := clips.ReadFile("testdata/" + name)
	if err != nil {
		panic("fakecam: there is no clip " + name + ": take one of " + strings.Join(Clips(), ", "))
	}
	switch _, kind, _ := strings.Cut(name, "."); kind {
	case "h264":
		return ordered(annexB(H264, data), name)
	case "h265":
		return ordered(annexB(H265, data), name)
	case "m4v":
		return ordered(mpeg4(data), name)
	case "mjpeg":
		return motionJPEG(data)
	case "aac":
		return adts(data)
	case "g726":
		return fixed(&Media{Encoding: G726, Clock: 8000, Step: 160, Channels: 1}, data)
	default:
		return fixed(&Media{Encoding: Opus, Clock: 48000, Step: 960, Channels: 2}, data)
	}
}

// Clips returns the names of all clips.
func Clips() []string {
	files, err := clips.ReadDir("testdata")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".order") {
			names = append(names, f.Name())
		}
	}
	return names
}

// annexB cuts a stream of NAL units into pictures, before each access unit delimiter.
func annexB(encoding string, data []byte) *Media {
	m := &Media{Encoding: encoding, Clock: VideoClock, Step: VideoClock / FPS}
	for nal := range bytes.SplitSeq(data, []byte{0, 0, 1}) {
		nal = bytes.TrimRight(nal, "\x00")
		switch {
		case len(nal) == 0:
		case isDelimiter(encoding, nal):
			m.Units = append(m.Units, Unit{Place: len(m.Units)})
		default:
			u := &m.Units[len(m.Units)-1]
			u.Data = append(u.Data, nal)
			u.Key = u.Key || isKey(encoding, nal)
		}
	}
	return m
}

// ordered puts the places of a clip with B-frames in.
func ordered(m *Media, name string) *Media {
	order, err := clips.ReadFile("testdata/" + name + ".order")
	if err != nil {
		return m
	}
	for i, place := range strings.Fields(string(order)) {
		n, err := strconv.Atoi(place)
		if err != nil {
			panic(fmt.Errorf("fakecam: %s.order: %w", name, err))
		}
		m.Units[i].Place = n
	}
	return m
}

// nalType returns the type of a NAL unit.
func nalType(encoding string, nal []byte) byte {
	if encoding == H265 {
		return nal[0] >> 1 & 0x3f
	}
	return nal[0] & 0x1f
}

func isDelimiter(encoding string, nal []byte) bool {
	t := nalType(encoding, nal)
	return encoding == H264 && t == 9 || encoding == H265 && t == 35
}

func isParameter(encoding string, nal []byte) bool {
	t := nalType(encoding, nal)
	return encoding == H264 && (t == 7 || t == 8) || encoding == H265 && t >= 32 && t <= 34
}

func isKey(encoding string, nal []byte) bool {
	t := nalType(encoding, nal)
	return encoding == H264 && t == 5 || encoding == H265 && t >= 16 && t <= 21
}

// mpeg4 cuts before each group of pictures and each picture without one.
func mpeg4(data []byte) *Media {
	const group, picture = 0xb3, 0xb6
	m := &Media{Encoding: MPEG4, Clock: VideoClock, Step: VideoClock / FPS}
	start, began := 0, false // of the unit, and whether its picture has begun
	cut := func(end int) {
		unit := data[start:end]
		if m.Config == nil {
			at := bytes.Index(unit, []byte{0, 0, 1, group})
			m.Config, unit = unit[:at], unit[at:]
		}
		key := bytes.Contains(unit, []byte{0, 0, 1, group})
		m.Units = append(m.Units, Unit{Data: [][]byte{unit}, Key: key, Place: len(m.Units)})
		start, began = end, false
	}
	for i := 0; i+4 <= len(data); i++ {
		if !bytes.Equal(data[i:i+3], []byte{0, 0, 1}) {
			continue
		}
		if began {
			cut(i)
		}
		began = data[i+3] == picture
	}
	cut(len(data))
	return m
}

func motionJPEG(data []byte) *Media {
	m := &Media{Encoding: JPEG, Clock: VideoClock, Step: VideoClock / FPS}
	for {
		picture, rest, ok := mjpeg.Next(data)
		if !ok {
			return m
		}
		m.Units = append(m.Units, Unit{Data: [][]byte{picture.Data}, Key: true, Place: len(m.Units)})
		data = rest
	}
}

func adts(data []byte) *Media {
	var packets mpeg4audio.ADTSPackets
	must(packets.Unmarshal(data))
	first := packets[0]
	config, err := mpeg4audio.AudioSpecificConfig{
		Type: first.Type, SampleRate: first.SampleRate, ChannelConfig: 1,
	}.Marshal()
	must(err)
	m := &Media{Encoding: AAC, Clock: first.SampleRate, Step: mpeg4audio.SamplesPerAccessUnit, Channels: 1,
		Config: config}
	for i, p := range packets {
		m.Units = append(m.Units, Unit{Data: [][]byte{p.AU}, Place: i})
	}
	return m
}

// Multiplexed puts AAC in AudioMuxElements.
func Multiplexed(m *Media) *Media {
	var config mpeg4audio.AudioSpecificConfig
	must(config.Unmarshal(m.Config))
	layer := &mpeg4audio.StreamMuxConfigLayer{AudioSpecificConfig: &config, LatmBufferFullness: 255}
	mux := &mpeg4audio.StreamMuxConfig{
		Programs: []*mpeg4audio.StreamMuxConfigProgram{{Layers: []*mpeg4audio.StreamMuxConfigLayer{layer}}},
	}
	out := *m
	out.Encoding, out.Units = LATM, nil
	var err error
	out.Config, err = mux.Marshal()
	must(err)
	for _, u := range m.Units {
		element := mpeg4audio.AudioMuxElement{StreamMuxConfig: mux, Payloads: [][][][]byte{{u.Data}}}
		data, err := element.Marshal()
		must(err)
		out.Units = append(out.Units, Unit{Data: [][]byte{data}, Place: u.Place})
	}
	return &out
}

// must is for what is of a clip.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("fakecam: the AAC clip: %w", err))
	}
}

// fixed cuts sound into blocks of 80 bytes and 20 ms.
func fixed(m *Media, data []byte) *Media {
	const size = 80
	for i := 0; (i+1)*size <= len(data); i++ {
		m.Units = append(m.Units, Unit{Data: [][]byte{data[i*size : (i+1)*size]}, Place: i})
	}
	return m
}

// Tone returns 440 Hz at a quarter of full scale as PCMU, PCMA or L16, mono, in blocks of 20 ms. The rate is a multiple
// of 50 Hz.
func Tone(encoding string, rate int) *Media {
	const hertz, level = 440, 8192
	m := &Media{Encoding: encoding, Clock: rate, Step: rate / 50, Channels: 1}
	samples := make([]byte, 2*rate) // a second holds whole waves
	for i := range rate {
		s := int16(level * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
		samples[2*i], samples[2*i+1] = byte(s>>8), byte(s)
	}
	for i := range 50 {
		block := samples[i*2*m.Step : (i+1)*2*m.Step]
		m.Units = append(m.Units, Unit{Data: [][]byte{law(encoding, block)}, Place: i})
	}
	return m
}

func law(encoding string, samples []byte) []byte {
	var out []byte
	var err error
	switch encoding {
	case PCMU:
		out, err = g711.Mulaw(samples).Marshal()
	case PCMA:
		out, err = g711.Alaw(samples).Marshal()
	default:
		return samples
	}
	if err != nil {
		panic(err) // an even number of bytes is never refused
	}
	return out
}
