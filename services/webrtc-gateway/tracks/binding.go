package tracks

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

// binding is a negotiated track. It writes frames as RTP packets.
type binding struct {
	codec          *codecs.Codec
	out            webrtc.TrackLocalWriter
	ssrc           uint32
	payloadType    uint8
	playoutDelayID uint8 // 0: not negotiated
	captureTimeID  uint8 // likewise
	transportID    uint8 // likewise: of the transport-wide number
	origin         origin.IDs
	socket         Socket
	path           Path

	// Used by the writer only.
	next header // of the next packet, pion keeps none

	// Used by the writer only, and later by the next binding of the same track.
	seq    uint16 // of the next packet
	last   uint32 // timestamp sent last
	lastAt time.Time
	// capture is when the frame sent last was captured, by the clock of its device.
	capture time.Time
	began   bool
	shift   uint32 // from the source's timestamps to those of the track
	place   uint16 // of the last frame, where frames have places

	newest atomic.Pointer[Moment] // the frame sent last; nil before the first

	received received // what the peer says that it has

	delays     *delays  // nil for audio
	repairs    *Repairs // nil: what is sent again is sent as it was
	repairType uint8    // payload type of repairs
	history    *history // nil for audio, which is not sent again: it would arrive too late
}

// Moment is when a frame was captured, and the timestamp of its packets.
type Moment struct {
	Timestamp uint32
	Captured  time.Time
}

// sent is a packet that was sent.
type sent struct {
	frame     *frame
	index     int // of the payload
	seq       uint16
	number    uint16 // transport-wide, if negotiated
	timestamp uint32
	marker    bool
	told      told // in the first packet
}

func newBinding(
	c webrtc.TrackLocalContext, pt webrtc.PayloadType, codec *codecs.Codec, socket Socket, path Path,
) *binding {
	b := &binding{
		socket: socket, path: path, codec: codec, out: c.WriteStream(), ssrc: uint32(c.SSRC()), payloadType: uint8(pt),
		seq: uint16(randomUint32()),
	}
	b.transportID = extensionID(c.HeaderExtensions(), TransportURI)
	b.origin.Frame = extensionID(c.HeaderExtensions(), origin.FrameURI)
	b.origin.Epoch = extensionID(c.HeaderExtensions(), origin.EpochURI)
	if codec.Kind == webrtc.RTPCodecTypeVideo {
		b.playoutDelayID = extensionID(c.HeaderExtensions(), PlayoutDelayURI)
		b.captureTimeID = extensionID(c.HeaderExtensions(), AbsCaptureTimeURI)
		b.history = newHistory(b.transportID == 0)
	}
	return b
}

// follow makes the binding continue where another one of the same track stopped. The other one must no longer be in
// use.
func (b *binding) follow(old *binding) {
	if old != nil && old.ssrc == b.ssrc {
		b.seq, b.last, b.lastAt, b.capture = old.seq, old.last, old.lastAt, old.capture
		if b.delays != nil && old.delays != nil {
			b.delays.follow(old.delays)
		}
	}
}

// changeSource makes the next frame continue the stream, although its timestamp is of another source.
func (b *binding) changeSource() { b.began = false }

// write sends all packets of a frame and returns the number written. The others can still be retransmitted on request.
// It stops when the pace is stopped.
func (b *binding) write(f *frame, p *pace) (written int) {
	now := time.Now()
	if f.key {
		b.history.key()
	}
	s := sent{frame: f, marker: b.history != nil || f.begins || !b.began, timestamp: b.stamp(f, now)}
	if b.playoutDelayID != 0 {
		packets, repaired := b.history.totals()
		// With the capture time, a first packet that says it is as long as the others, so all leave in one call.
		s.told = b.delays.next(f.key || b.captureTimeID != 0, packets, repaired, now)
	}
	p.begin(f.size)
	for s.index < len(f.payloads) {
		n := min(paceStep, len(f.payloads)-s.index)
		if !p.wait(n, wire(f.payloads[s.index:s.index+n])) {
			return written
		}
		b.socket.Together(b.ssrc, func() { written += b.writeSome(s, n) })
		s.index += n
	}
	b.last, b.lastAt, b.capture = s.timestamp, now, f.capture
	b.newest.Store(&Moment{s.timestamp, f.capture})
	return written
}

// writeSome sends the packets of a frame that begin with s, and returns the number written. A marker is only set on the
// last of the frame.
func (b *binding) writeSome(s sent, n int) (written int) {
	marker, now := s.marker, time.Now()
	for range n {
		s.seq, s.marker = b.seq, marker && s.index == len(s.frame.payloads)-1
		s.number = b.note(len(s.frame.payloads[s.index]), now)
		b.fill(&b.next, s)
		b.history.add(s, now)
		if s.index == 0 && s.told.says {
			b.delays.note(s.seq, s.number)
		}
		b.seq++
		// For most failures pion only reports that nothing was written.
		if n, err := b.out.WriteRTP(&b.next.Header, s.frame.payloads[s.index]); n > 0 && err == nil {
			written++
		}
		s.index++
	}
	return written
}

// wire returns how many bytes packets with these payloads have on the network.
func wire(payloads [][]byte) (bytes int) {
	for _, p := range payloads {
		bytes += len(p) + packetOverhead
	}
	return bytes
}

// note tells the path about a packet, and returns its transport-wide number.
func (b *binding) note(payload int, now time.Time) (number uint16) {
	if b.transportID == 0 {
		b.path.Sent(payload+packetOverhead, now)
		return 0
	}
	return b.path.Number(payload+packetOverhead, now)
}

// noteAgain tells the path about a retransmission.
func (b *binding) noteAgain(s sent) {
	bytes := len(s.frame.payloads[s.index]) + packetOverhead
	if b.transportID == 0 {
		b.path.Sent(bytes, time.Now())
		return
	}
	b.path.Again(s.number, bytes, time.Now())
}

// stamp returns the timestamp of a frame on this track. A binding that follows another, or whose source has changed,
// continues from the last timestamp plus the time elapsed. Replayed frames come right after the last timestamp, because
// timestamps never go back. Where frames have places, missing frames become a gap in the sequence numbers.
func (b *binding) stamp(f *frame, now time.Time) uint32 {
	follows := !b.lastAt.IsZero()
	if !b.began && follows {
		b.shift = b.last + max(1, ticks(b.elapsed(f, now), int64(b.codec.ClockRate))) - f.timestamp
	}
	if b.began && b.codec.Independent {
		b.seq += f.sequence - b.place - 1
	}
	b.began, b.place = true, f.sequence
	timestamp := f.timestamp + b.shift
	if follows && int32(timestamp-b.last) <= 0 {
		timestamp = b.last + 1
	}
	return timestamp
}

// elapsed is the time between the last frame and one of another source: between their captures, if those are times of
// the same clock.
func (b *binding) elapsed(f *frame, now time.Time) time.Duration {
	sent, captured := now.Sub(b.lastAt), f.capture.Sub(b.capture)
	if !b.codec.Independent && (captured-sent).Abs() < maxDrift {
		return max(0, captured)
	}
	return sent
}

// header is the header of a packet, and the memory that it takes.
type header struct {
	rtp.Header
	number     [2]byte
	delay      [3]byte
	extensions [maxExtensions]rtp.Extension
}

// header makes the header of a packet.
func (b *binding) header(s sent) rtp.Header {
	var h header
	b.fill(&h, s)
	return h.Header
}

// fill makes the header of a packet. It depends only on what was sent: a retransmitted packet must be identical to the
// bit, its transport-wide number included, because SRTP encrypts both with the same key stream.
func (b *binding) fill(h *header, s sent) {
	h.Header = rtp.Header{
		Version: 2, Marker: s.marker, PayloadType: b.payloadType,
		SequenceNumber: s.seq, Timestamp: s.timestamp, SSRC: b.ssrc, Extensions: h.extensions[:0],
	}
	if s.index > 0 && b.transportID == 0 {
		return
	}
	if max(b.playoutDelayID, b.captureTimeID, b.transportID, b.origin.Frame, b.origin.Epoch) > lastOneByteID {
		h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
	}
	// Errors are impossible: IDs and lengths are valid for the form.
	if b.transportID != 0 {
		binary.BigEndian.PutUint16(h.number[:], s.number)
		_ = h.SetExtension(b.transportID, h.number[:])
	}
	if s.index > 0 {
		return
	}
	if b.playoutDelayID != 0 && s.told.says {
		h.delay = s.told.delay
		_ = h.SetExtension(b.playoutDelayID, h.delay[:])
	}
	if b.captureTimeID != 0 {
		_ = h.SetExtension(b.captureTimeID, s.frame.captureNTP[:])
	}
	if b.origin.Frame != 0 {
		_ = h.SetExtension(b.origin.Frame, s.frame.identity[:])
	}
	if b.origin.Epoch != 0 {
		_ = h.SetExtension(b.origin.Epoch, s.frame.run[:])
	}
}
