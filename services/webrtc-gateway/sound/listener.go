package sound

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// maxQueue is how many packets may wait for one listener: 200 ms at 20 ms. What is older is lost.
const maxQueue = 10

// Listener is a track that carries one stream to one peer. It is a [webrtc.TrackLocal] to be added to one peer connection.
// Start and Close are safe for concurrent use.
type Listener struct {
	source *source
	id     string
	leave  func()
	ended  sync.WaitGroup

	mu      sync.Mutex
	binding *binding                      // nil until negotiated
	before  *binding                      // of the listener that had the track before, if any
	packets *stream.Subscription[*packet] // nil until started
	closed  bool
}

// Bind implements [webrtc.TrackLocal].
func (l *Listener) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if strings.EqualFold(codec.MimeType, webrtc.MimeTypeOpus) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.binding = &binding{out: c.WriteStream(), ssrc: uint32(c.SSRC()), payloadType: uint8(codec.PayloadType)}
			l.binding.follow(l.before)
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements [webrtc.TrackLocal]: the peer connection does not want the track any more.
func (l *Listener) Unbind(webrtc.TrackLocalContext) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeLocked()
	return nil
}

// ID implements [webrtc.TrackLocal].
func (l *Listener) ID() string { return l.id }

// StreamID implements [webrtc.TrackLocal].
func (l *Listener) StreamID() string { return l.id }

// RID implements [webrtc.TrackLocal].
func (l *Listener) RID() string { return "" }

// Kind implements [webrtc.TrackLocal].
func (l *Listener) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// Follow makes the listener take over the track of another, which must be closed: sequence numbers and timestamps go on. It is to be
// called before the listener gets the track. Tracks of other kinds are none to go on from.
func (l *Listener) Follow(old webrtc.TrackLocal) {
	other, ok := old.(*Listener)
	if !ok {
		return
	}
	other.mu.Lock()
	before := other.binding
	other.mu.Unlock()
	l.mu.Lock()
	l.before = before
	l.mu.Unlock()
}

// Start lets sound flow. It is to be called when the connection is up and the negotiation of the track is over: what is written before
// is lost. Before the track is negotiated, and when sound flows already, it does nothing.
func (l *Listener) Start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.packets != nil || l.closed || l.binding == nil {
		return
	}
	l.packets = l.source.topic.Subscribe(stream.DropOldest(maxQueue))
	b, packets := l.binding, l.packets
	l.ended.Go(func() { l.send(b, packets) })
}

// HandleRTCP takes what the peer says of the track. Lost sound is not sent again: it would come too late.
func (l *Listener) HandleRTCP([]rtcp.Packet) {}

// Close ends the listener and returns when it has ended.
func (l *Listener) Close() {
	l.mu.Lock()
	l.closeLocked()
	l.mu.Unlock()
	l.ended.Wait()
}

func (l *Listener) closeLocked() {
	if l.closed {
		return
	}
	l.closed = true
	if l.packets != nil {
		l.packets.Close()
	}
	l.leave()
}

// send writes packets until the listener is closed. A connection that cannot carry them is not ended here: its owner knows better when
// to give up.
func (l *Listener) send(b *binding, packets *stream.Subscription[*packet]) {
	m := l.source.meters
	lost := uint64(0)
	for p, err := range packets.All(context.Background()) {
		if err != nil {
			return
		}
		if n := packets.Lost(); n != lost {
			m.lostByListener.Add(float64(n - lost))
			lost = n
		}
		if !b.write(p) {
			m.lostByListener.Inc()
			continue
		}
		m.packets.Inc()
		m.hop.Observe(time.Since(p.received).Seconds())
	}
}

// binding is a listener's track once it is negotiated.
type binding struct {
	out         webrtc.TrackLocalWriter
	ssrc        uint32
	payloadType uint8

	// Used by the writer only, and after it by the next listener on the same track.
	began          bool
	shiftSequence  uint16 // from the source's to those of the track
	shiftTimestamp uint32 // likewise
	lastSequence   uint16
	lastTimestamp  uint32
	lastAt         time.Time
}

// follow makes the binding go on where another one on the same track stopped. The other one must not be in use any more.
func (b *binding) follow(old *binding) {
	if old != nil && old.ssrc == b.ssrc {
		b.lastSequence, b.lastTimestamp, b.lastAt = old.lastSequence, old.lastTimestamp, old.lastAt
	}
}

// write sends a packet and reports whether it went out.
func (b *binding) write(p *packet) bool {
	now := time.Now()
	marker := p.begins || !b.began
	if !b.began && !b.lastAt.IsZero() {
		b.shiftSequence = b.lastSequence + 1 - p.sequence
		b.shiftTimestamp = b.lastTimestamp + max(1, uint32(samplesIn(now.Sub(b.lastAt)))) - p.timestamp
	}
	b.began = true
	h := rtp.Header{
		Version: 2, Marker: marker, PayloadType: b.payloadType, SSRC: b.ssrc,
		SequenceNumber: p.sequence + b.shiftSequence, Timestamp: p.timestamp + b.shiftTimestamp,
	}
	b.lastSequence, b.lastTimestamp, b.lastAt = h.SequenceNumber, h.Timestamp, now
	n, err := b.out.WriteRTP(&h, p.data)
	return n > 0 && err == nil
}

var _ webrtc.TrackLocal = (*Listener)(nil)
