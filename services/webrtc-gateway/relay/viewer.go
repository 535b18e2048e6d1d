package relay

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// URIs of the RTP header extensions that a viewer sends when the peer knows them.
const (
	PlayoutDelayURI   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	AbsCaptureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
)

// Viewer is a track that shows one stream to one peer. It is a [webrtc.TrackLocal] to be added to one peer connection.
// Start, HandleRTCP and Close are safe for concurrent use.
type Viewer struct {
	intake
	id    string
	leave func()

	stop  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	binding *binding // nil until negotiated
	before  *binding // of the viewer that had the track before, if any
	running bool
	closed  bool
}

func newViewer(r *relay, id string, leave func()) *Viewer {
	return &Viewer{intake: newIntake(r), id: id, leave: leave, stop: make(chan struct{})}
}

// Bind implements [webrtc.TrackLocal].
func (v *Viewer) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	offered := c.CodecParameters()
	i := slices.IndexFunc(offered, func(c webrtc.RTPCodecParameters) bool { return strings.EqualFold(c.MimeType, webrtc.MimeTypeH264) })
	if i < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	codec := offered[i]
	v.mu.Lock()
	defer v.mu.Unlock()
	v.binding = newBinding(c, codec.PayloadType)
	v.binding.follow(v.before)
	return codec, nil
}

// Unbind implements [webrtc.TrackLocal]: the peer connection does not want the track any more.
func (v *Viewer) Unbind(webrtc.TrackLocalContext) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closeLocked()
	return nil
}

// ID implements [webrtc.TrackLocal].
func (v *Viewer) ID() string { return v.id }

// StreamID implements [webrtc.TrackLocal].
func (v *Viewer) StreamID() string { return v.id }

// RID implements [webrtc.TrackLocal].
func (v *Viewer) RID() string { return "" }

// Kind implements [webrtc.TrackLocal].
func (v *Viewer) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

// Follow makes the viewer take over the track of another, which must be closed: sequence numbers and timestamps go on. It is to
// be called before the viewer gets the track. Tracks of other kinds are none to go on from.
func (v *Viewer) Follow(old webrtc.TrackLocal) {
	other, ok := old.(*Viewer)
	if !ok {
		return
	}
	other.mu.Lock()
	before := other.binding
	other.mu.Unlock()
	v.mu.Lock()
	v.before = before
	v.mu.Unlock()
}

// Start lets frames flow. It is to be called when the connection is up and the negotiation of the track is over: what is written
// before is lost. Before the track is negotiated, and when frames flow already, it does nothing.
func (v *Viewer) Start() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running || v.closed || v.binding == nil {
		return
	}
	v.running = true
	b := v.binding
	v.ended.Go(func() { v.send(b) })
	v.relay.join(&v.intake)
}

// Close ends the viewer and returns when it has ended.
func (v *Viewer) Close() {
	v.mu.Lock()
	v.closeLocked()
	v.mu.Unlock()
	v.ended.Wait()
}

func (v *Viewer) closeLocked() {
	if v.closed {
		return
	}
	v.closed = true
	close(v.stop)
	v.relay.leave(&v.intake)
	v.leave()
}

// send writes queued frames until the viewer is closed.
func (v *Viewer) send(b *binding) {
	p := newPace(v.stop)
	for {
		select {
		case <-v.stop:
			return
		case <-v.queue.wake:
		}
		for f, replayed := v.queue.take(); f != nil; f, replayed = v.queue.take() {
			select {
			case <-v.stop:
				return
			default:
			}
			v.write(b, f, p, !replayed)
		}
	}
}

// write sends one frame. A connection that cannot is not ended here: its owner knows better when to give up.
func (v *Viewer) write(b *binding, f *frame, p *pace, live bool) {
	m := v.relay.meters
	whole := b.write(f, p)
	now := time.Now()
	m.packets.Add(float64(len(f.payloads)))
	switch {
	case !whole:
		m.lostByViewer.Add(float64(v.queue.fail(now)))
	case live: // not one that was replayed
		m.hop.Observe(now.Sub(f.received).Seconds())
		m.glass.Observe(now.Sub(f.capture).Seconds())
	}
}

// HandleRTCP deals with what the peer says of the track: it wants a key frame, or missed packets.
func (v *Viewer) HandleRTCP(packets []rtcp.Packet) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			v.relay.refresh(&v.intake)
		case *rtcp.TransportLayerNack:
			v.resend(p)
		}
	}
}

func (v *Viewer) resend(nack *rtcp.TransportLayerNack) {
	v.mu.Lock()
	b := v.binding
	v.mu.Unlock()
	if b == nil || nack.MediaSSRC != b.ssrc {
		return
	}
	for _, pair := range nack.Nacks {
		for _, seq := range pair.PacketList() {
			if b.resend(seq) {
				v.relay.meters.resent.Inc()
			}
		}
	}
}

func randomUint32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return binary.BigEndian.Uint32(b[:])
}

// Extensions are the URIs of all header extensions that a viewer can send.
func Extensions() []string { return []string{PlayoutDelayURI, AbsCaptureTimeURI} }

const (
	lastOneByteID = 14  // of the short form of header extensions
	lastTwoByteID = 255 // of the long form
)

// ExtensionNumber reports whether a header extension can have a number on the wire. 15 means something else in the short form.
func ExtensionNumber(id int) bool { return id > 0 && id <= lastTwoByteID && id != lastOneByteID+1 }

// extensionID returns the number under which the peer knows a header extension, 0 if it does not.
func extensionID(negotiated []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	for _, e := range negotiated {
		if e.URI == uri && ExtensionNumber(e.ID) {
			return uint8(e.ID)
		}
	}
	return 0
}

var _ webrtc.TrackLocal = (*Viewer)(nil)
