package tracks

import (
	"encoding/binary"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Repairs sends the packets that a far end missed in a stream of their own (RFC 4588), with an SSRC, a payload type and
// sequence numbers of its own. It belongs to a media section and outlives the tracks in it: its sequence numbers go on,
// so that none is used twice. It is a [webrtc.TrackLocal] for a sender of its own. It is safe for concurrent use.
type Repairs struct {
	id string

	mu     sync.Mutex
	out    webrtc.TrackLocalWriter // nil until bound
	ssrc   uint32
	seq    uint16 // of the next packet
	buffer []byte
}

// NewRepairs returns a stream of repairs. id becomes the id of the track and of its media stream.
func NewRepairs(id string) *Repairs { return &Repairs{id: id, seq: uint16(randomUint32())} }

// Bind implements [webrtc.TrackLocal].
func (r *Repairs) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out, r.ssrc = c.WriteStream(), uint32(c.SSRC())
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: videoRate},
	}, nil
}

// Unbind implements [webrtc.TrackLocal].
func (r *Repairs) Unbind(webrtc.TrackLocalContext) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = nil
	return nil
}

// ID implements [webrtc.TrackLocal].
func (r *Repairs) ID() string { return r.id }

// StreamID implements [webrtc.TrackLocal].
func (r *Repairs) StreamID() string { return r.id }

// RID implements [webrtc.TrackLocal].
func (r *Repairs) RID() string { return "" }

// Kind implements [webrtc.TrackLocal].
func (r *Repairs) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

// repairHeader is what a repeated payload has before it: the sequence number that it was sent with (RFC 4588, 4).
const repairHeader = 2

// send sends a packet again. The header is that of the packet, with the payload type of repairs.
func (r *Repairs) send(h *rtp.Header, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return
	}
	r.buffer = append(binary.BigEndian.AppendUint16(r.buffer[:0], h.SequenceNumber), payload...)
	h.SSRC, h.SequenceNumber = r.ssrc, r.seq
	r.seq++
	_, _ = r.out.WriteRTP(h, r.buffer) // missed again, and asked for again
}

var _ webrtc.TrackLocal = (*Repairs)(nil)
