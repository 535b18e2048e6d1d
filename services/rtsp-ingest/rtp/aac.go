package rtp

import (
	"encoding/binary"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"github.com/waldo-robot/waldo/pkg/rtp/order"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

// AAC says how many bits the parts of an AU header have (RFC 3640, 3.2.1), from the fmtp line. The zero value
// stands for AAC-hbr: 13, 3, 3.
type AAC struct {
	SizeLength       int
	IndexLength      int
	IndexDeltaLength int
}

// frameSamples is how many samples of each channel an AAC frame has, if its configuration does not say otherwise.
const frameSamples = 1024

// frameLength is how long a frame lasts. HE-AAC counts by the rate of what lies below.
func frameLength(config []byte, clockRate int) time.Duration {
	var c mpeg4audio.AudioSpecificConfig
	samples, rate := frameSamples, clockRate
	if c.Unmarshal(config) == nil && c.SampleRate > 0 {
		rate = c.SampleRate
		if c.FrameLengthFlag {
			samples = 960
		}
	}
	return time.Duration(samples) * time.Second / time.Duration(rate)
}

// framesAAC is AAC in packets with AU headers. What is not as it should be is repaired if it can be, and left
// out otherwise.
type framesAAC struct {
	track  feed.Track
	header AAC
	frame  time.Duration
	lost   int

	partial     []byte // of a frame that is larger than a packet, nil for none
	partialSize int
}

func newFramesAAC(c Config) (*framesAAC, error) {
	h := c.AAC
	if h == (AAC{}) {
		h = AAC{SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	}
	for _, n := range []int{h.SizeLength, h.IndexLength, h.IndexDeltaLength} {
		if n < 0 || n > 16 || h.SizeLength == 0 {
			return nil, feed.Failf(feed.Unsupported, "", "AAC with %d, %d and %d bits of size, index and delta "+
				"is not supported: set the camera's sound to G.711", h.SizeLength, h.IndexLength, h.IndexDeltaLength)
		}
	}
	return &framesAAC{track: c.Track, header: h, frame: frameLength(c.Track.Config, c.ClockRate)}, nil
}

func (f *framesAAC) packet(p *rtp.Packet, m moment, n order.News, to feed.Receiver) {
	f.lost = countLost(f.lost, n)
	if n.Lost > 0 || n.Restart {
		f.partial = nil
	}
	if len(p.Payload) == 0 {
		return
	}
	frames, ok := f.unpack(p.Payload, p.Marker)
	if !ok {
		f.lost++
	}
	for i, data := range frames {
		at := m
		at.media += time.Duration(i) * f.frame
		f.emit(data, at, to)
	}
}

func (f *framesAAC) emit(data []byte, m moment, to feed.Receiver) {
	if to.Sound != nil {
		to.Sound(feed.Sound{Track: f.track, Data: data, Time: m.media, Arrival: m.arrival, Lost: f.lost})
	}
	f.lost = 0
}

// unpack returns the frames that became complete; false if the packet is lost for us.
func (f *framesAAC) unpack(b []byte, marker bool) (frames [][]byte, ok bool) {
	if isADTS(b) { // no AU headers at all
		return f.bare(nil, b), true
	}
	sizes, b, ok := f.sizes(b)
	switch {
	case !ok || len(b) == 0:
		return nil, false
	case len(sizes) == 1 && (f.partial != nil || sizes[0] > len(b) && !marker):
		return f.collect(b, sizes[0])
	case len(sizes) == 1: // a header that says another size is wrong
		return f.bare(nil, b), true
	}
	for _, n := range sizes {
		if n > len(b) {
			return frames, false
		}
		frames = f.bare(frames, b[:n:n])
		b = b[n:]
	}
	return frames, true
}

// sizes reads the AU headers. It returns the sizes and what follows them.
func (f *framesAAC) sizes(b []byte) (sizes []int, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	bits := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if bits == 0 || (bits+7)/8 > len(b) {
		return nil, nil, false
	}
	for pos, index := 0, f.header.IndexLength; pos+f.header.SizeLength+index <= bits; index = f.header.IndexDeltaLength {
		sizes = append(sizes, bitsAt(b, pos, f.header.SizeLength))
		pos += f.header.SizeLength + index
	}
	return sizes, b[(bits+7)/8:], len(sizes) > 0
}

func bitsAt(b []byte, pos, n int) int {
	v := 0
	for i := pos; i < pos+n; i++ {
		v = v<<1 | int(b[i/8]>>(7-i%8)&1)
	}
	return v
}

// collect adds a piece of a frame that is larger than a packet.
func (f *framesAAC) collect(b []byte, size int) (frames [][]byte, ok bool) {
	if f.partial == nil {
		f.partial, f.partialSize = make([]byte, 0, size), size
	}
	if size != f.partialSize || len(f.partial)+len(b) > size {
		f.partial = nil
		return nil, false
	}
	if f.partial = append(f.partial, b...); len(f.partial) < size {
		return nil, true
	}
	frames = f.bare(nil, f.partial)
	f.partial = nil
	return frames, true
}

func (*framesAAC) deadline() time.Time             { return time.Time{} }
func (*framesAAC) expire(time.Time, feed.Receiver) {}

// isADTS reports whether b begins with an ADTS header, which no AAC frame does: its first element would be the end.
func isADTS(b []byte) bool { return len(b) >= 7 && b[0] == 0xff && b[1]&0xf6 == 0xf0 }

// bare appends the frames in b to frames: those behind ADTS headers, or all of b if it has none; nothing if b is empty.
func (f *framesAAC) bare(frames [][]byte, b []byte) [][]byte {
	switch {
	case len(b) == 0:
		return frames
	case !isADTS(b):
		return append(frames, b)
	}
	f.believe(b)
	for isADTS(b) {
		header := 7
		if b[1]&1 == 0 { // with a checksum
			header = 9
		}
		size := min(int(b[3]&3)<<11|int(b[4])<<3|int(b[5])>>5, len(b))
		if size <= header {
			break
		}
		frames = append(frames, b[header:size:size])
		b = b[size:]
	}
	return frames
}

// believe takes what an ADTS header says of the sound, if the SDP said something else.
func (f *framesAAC) believe(header []byte) {
	kind, rate, channels := int(header[2]>>6)+1, int(header[2]>>2&15), int(header[2]&1)<<2|int(header[3]>>6)
	bits := kind<<11 | rate<<7 | channels<<3
	config := []byte{byte(bits >> 8), byte(bits)}
	var now, said mpeg4audio.AudioSpecificConfig
	if now.Unmarshal(config) != nil {
		return
	}
	if said.Unmarshal(f.track.Config) == nil && said.SampleRate == now.SampleRate &&
		said.ChannelConfig == now.ChannelConfig {
		return
	}
	f.track.Config, f.track.SampleRate, f.track.Channels = config, now.SampleRate, channels
	f.frame = frameLength(config, now.SampleRate)
}
