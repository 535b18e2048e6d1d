package tracks

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/repair"
)

// URIs of the RTP header extensions that a track sends when the peer knows them, besides those of package origin: of
// video all, of sound the transport-wide number.
const (
	PlayoutDelayURI   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	AbsCaptureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	TransportURI      = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// Socket sends the packets of a track.
type Socket interface {
	// Together calls write. Packets of this synchronization source that are written meanwhile may leave together.
	Together(ssrc uint32, write func())
}

// plain is a socket that sends each packet when it is written.
type plain struct{}

func (plain) Together(_ uint32, write func()) { write() }

// Track carries one stream to one peer. It is a [webrtc.TrackLocal] to be added to one peer connection. Start,
// HandleRTCP and Close are safe for concurrent use.
type Track struct {
	tap     *tap
	meters  *meters
	kind    webrtc.RTPCodecType
	id      string
	socket  Socket
	path    *counted
	delay   *playout.Delay // nil: it is decided
	driving func() bool
	// Set before Bind; see RepairIn.
	repairs    *Repairs
	repairType webrtc.PayloadType

	stop  chan struct{}
	ended sync.WaitGroup

	mu      sync.Mutex
	binding *binding // nil until negotiated
	before  *binding // of the track that this one follows, if any
	running bool
	closed  bool
}

func newTrack(t *tap, kind webrtc.RTPCodecType, id string) *Track {
	return &Track{tap: t, meters: t.from.meters, kind: kind, id: id, socket: plain{}, path: &counted{Path: unknown{}},
		driving: func() bool { return false },
		stop:    make(chan struct{})}
}

// Bind implements [webrtc.TrackLocal]. The track uses the first codec of the context that the gateway knows.
func (t *Track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, offered := range c.CodecParameters() {
		codec := codecs.Of(offered.MimeType)
		if codec == nil || codec.Kind != t.kind {
			continue
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.binding = newBinding(c, offered.PayloadType, codec, t.socket, t.path)
		t.binding.repairs, t.binding.repairType = t.repairs, uint8(t.repairType)
		if t.kind == webrtc.RTPCodecTypeVideo {
			t.binding.delays = &delays{path: t.path, fixed: t.delay, driving: t.driving}
		}
		t.binding.follow(t.before)
		return offered, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements [webrtc.TrackLocal]: the peer connection no longer uses the track.
func (t *Track) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeLocked()
	return nil
}

// ID implements [webrtc.TrackLocal].
func (t *Track) ID() string { return t.id }

// StreamID implements [webrtc.TrackLocal].
func (t *Track) StreamID() string { return t.id }

// RID implements [webrtc.TrackLocal].
func (t *Track) RID() string { return "" }

// Kind implements [webrtc.TrackLocal].
func (t *Track) Kind() webrtc.RTPCodecType { return t.kind }

// SendBy tells which socket sends the packets, so that those of a frame can leave together. It must be called before
// Bind.
func (t *Track) SendBy(s Socket) { t.socket = s }

// Over tells which path the packets take. It must be called before Bind.
func (t *Track) Over(p Path) { t.path = &counted{Path: p} }

// RepairIn tells in which stream missed packets are sent again, and as which payload type; without, they are repeated
// as they were. It must be called before Bind.
func (t *Track) RepairIn(r *Repairs, pt webrtc.PayloadType) { t.repairs, t.repairType = r, pt }

// DrivenBy tells how to find out whether the peer drives, which decides how long it is to hold pictures back. It must
// be called before Bind.
func (t *Track) DrivenBy(driving func() bool) { t.driving = driving }

// Delay fixes how long the peer is to hold pictures back; nil: it is decided. It must be called before Bind.
func (t *Track) Delay(d *playout.Delay) { t.delay = d }

// Playout returns how long the peer is to hold pictures back, and the share of packets that were sent again in the last
// 5 s, 0 to 1.
func (t *Track) Playout() (d playout.Delay, repaired float64) {
	t.mu.Lock()
	b := t.binding
	t.mu.Unlock()
	if b == nil || b.delays == nil {
		return d, 0
	}
	return b.delays.now()
}

// Follow makes the track continue another one, which must be closed: sequence numbers and timestamps go on. It must be
// called before Bind. A track of another kind cannot be followed.
func (t *Track) Follow(old *Track) {
	if old.kind != t.kind {
		return
	}
	old.mu.Lock()
	before := old.binding
	old.mu.Unlock()
	t.mu.Lock()
	t.before = before
	t.mu.Unlock()
}

// Start starts the flow of frames. It must be called when the connection is up and the track is negotiated: anything
// written before is lost. It does nothing before the negotiation, or when frames flow already.
func (t *Track) Start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running || t.closed || t.binding == nil {
		return
	}
	t.running = true
	b := t.binding
	t.ended.Go(func() { t.send(b) })
	t.tap.join(b.codec)
}

// Send changes what the track carries: another stream with the same content, and whether only its key frames, one every
// 2 s. SSRC, sequence numbers and timestamps go on, so nothing is negotiated. The stream before goes on until there is
// a key frame of the new one. Before Start, and for sound, Send does nothing. It may be repeated at no cost.
func (t *Track) Send(ctx context.Context, s Stream, keysOnly bool) error {
	return t.tap.change(ctx, s, keysOnly)
}

// Sending returns the stream that is sent.
func (t *Track) Sending() Stream { return t.tap.source().stream }

// Newest returns the moment of the frame that was sent last; false before the first.
func (t *Track) Newest() (m Moment, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.binding == nil {
		return m, false
	}
	newest := t.binding.newest.Load()
	if newest == nil {
		return m, false
	}
	return *newest, true
}

// Sent returns how many bytes the track has sent, headers and repetitions included.
func (t *Track) Sent() uint64 { return t.path.bytes.Load() }

// Rate returns the bit rate of the video stream that is sent, as it comes from the device, in bit/s; 0 if it is not
// known yet.
func (t *Track) Rate() int64 {
	if v, ok := t.tap.source().share.Value.(*video); ok {
		return v.rate.last.Load()
	}
	return 0
}

// Resume is called when the connection has a path again after an interruption: pictures were lost, and what failed is
// no reason to wait.
func (t *Track) Resume() {
	from := t.tap.source()
	from.queue.pardon()
	from.share.Value.refresh(from)
}

// Close ends the track and returns when it has ended.
func (t *Track) Close() {
	t.mu.Lock()
	t.closeLocked()
	t.mu.Unlock()
	t.ended.Wait()
}

func (t *Track) closeLocked() {
	if t.closed {
		return
	}
	t.closed = true
	close(t.stop)
	t.tap.close()
}

// send writes queued frames until the track is closed.
func (t *Track) send(b *binding) {
	var p *pace
	if !b.codec.Independent {
		p = newPace(t.path, t.stop)
	}
	still := newStandstill()
	defer still.timer.Stop()
	for t.tap.wait(t.stop, still.timer.C) {
		if still.lacks(b, time.Now()) {
			from := t.tap.source()
			from.share.Value.repeat(from)
		}
		for f, replayed, changed := t.tap.take(); f != nil; f, replayed, changed = t.tap.take() {
			select {
			case <-t.stop:
				return
			default:
			}
			if changed {
				b.changeSource()
			}
			t.write(b, f, p, !replayed)
			still.sent(b, f.replayed, !replayed)
		}
	}
}

// write sends one frame. A failed connection is not ended here: its owner decides when to give up.
func (t *Track) write(b *binding, f *frame, p *pace, live bool) {
	written := b.write(f, p)
	now := time.Now()
	t.meters.packets.Add(float64(written))
	switch {
	case written < len(f.payloads):
		t.meters.lostByReceiver.Add(float64(t.tap.source().queue.fail(f, now)))
	case live: // not replayed
		t.meters.sent(f, now)
	}
	t.mend(b)
}

// HandleRTCP handles the reports of the peer about the track: it needs a key frame, or missed packets.
func (t *Track) HandleRTCP(packets []rtcp.Packet) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			from := t.tap.source()
			from.share.Value.refresh(from)
		case *rtcp.TransportLayerNack:
			t.resend(p)
		case *rtcp.ReceiverReport:
			t.report(p.Reports)
		case *rtcp.SenderReport:
			t.report(p.Reports)
		}
	}
}

// report takes the peer's reports about what arrived.
func (t *Track) report(blocks []rtcp.ReceptionReport) {
	t.mu.Lock()
	b := t.binding
	t.mu.Unlock()
	if b != nil && b.delays != nil {
		b.delays.report(b.ssrc, blocks)
		b.received.report(b.ssrc, blocks)
	}
}

// resend sends again what the peer misses, as far as that helps it.
func (t *Track) resend(nack *rtcp.TransportLayerNack) {
	t.mu.Lock()
	b := t.binding
	t.mu.Unlock()
	if b == nil || b.history == nil || nack.MediaSSRC != b.ssrc {
		return
	}
	again := b.history.choose(nack.Nacks, t.link(), t.meters.refuse)
	b.resend(again)
	t.meters.resent.Add(float64(len(again)))
	t.mend(b)
}

// mend asks for a key frame if the picture is to be repaired by one.
func (t *Track) mend(b *binding) {
	if b.history.needsKey(t.link()) {
		from := t.tap.source()
		from.share.Value.mend(from)
	}
}

// link is what is known of the path to the peer.
func (t *Track) link() repair.Link {
	return repair.Link{RoundTrip: t.path.RoundTrip(), Queue: t.path.Queue()}
}

func randomUint32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return binary.BigEndian.Uint32(b[:])
}

// Extensions returns the URIs of all header extensions that a track of a kind can send.
func Extensions(kind webrtc.RTPCodecType) []string {
	if kind == webrtc.RTPCodecTypeVideo {
		return []string{TransportURI, PlayoutDelayURI, AbsCaptureTimeURI, origin.FrameURI, origin.EpochURI}
	}
	return []string{TransportURI, origin.FrameURI, origin.EpochURI}
}

const (
	lastOneByteID = 14  // of the short form of header extensions
	lastTwoByteID = 255 // of the long form
)

// ExtensionNumber reports whether a header extension can have a number on the wire. 15 means something else in the
// short form.
func ExtensionNumber(id int) bool { return id > 0 && id <= lastTwoByteID && id != lastOneByteID+1 }

// extensionID returns the negotiated number of a header extension, 0 if there is none.
func extensionID(negotiated []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	for _, e := range negotiated {
		if e.URI == uri && ExtensionNumber(e.ID) {
			return uint8(e.ID)
		}
	}
	return 0
}

var _ webrtc.TrackLocal = (*Track)(nil)
