package tracks

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/codecs"
)

// mtu bounds an RTP payload: with headers, extensions and the SRTP tag a packet stays below 1280 bytes, which every path carries.
const mtu = 1200

// frame is one picture, or one packet of sound, cut into RTP payloads. It is shared by all receivers and never changed.
type frame struct {
	codec     *codecs.Codec
	data      []byte // as the device made it, for readers
	payloads  [][]byte
	timestamp uint32
	key       bool // a decoder can begin with it
	capture   time.Time
	received  time.Time
	// Of video: values of the header extensions, since what is sent again must be what was sent, to the bit.
	captureNTP [8]byte
	size       int // of all payloads together
	// Of sound: what is missing in front of it is a gap in the sequence numbers.
	sequence uint16
	begins   bool // after a silence, or a restart of the device
}

// fan is what sources have in common: it gives the frames of a stream to all intakes.
type fan struct {
	stream Stream
	meters *meters
	log    *slog.Logger

	// Used by Run only.
	codec   *codecs.Codec // of the last frame that had one
	unknown string        // media type that was complained of

	mu      sync.Mutex
	intakes map[*intake]struct{} // started
	flowing bool                 // a frame was passed on since the source began
}

func newFan(s Stream, m *meters, log *slog.Logger) *fan {
	return &fan{stream: s, meters: m, log: log, intakes: make(map[*intake]struct{})}
}

func (f *fan) common() *fan { return f }

// chooseCodec sees to it that codec is that of a frame, and reports whether it is another one than before. It is not ok if nobody can be
// sent the frame.
func (f *fan) chooseCodec(mediaType string, of []*codecs.Codec) (ok, changed bool) {
	if f.codec != nil && f.codec.MediaType == mediaType {
		return true, false
	}
	i := slices.IndexFunc(of, func(c *codecs.Codec) bool { return c.MediaType == mediaType })
	if i < 0 {
		if mediaType != f.unknown {
			f.log.Warn("frames cannot be sent to anybody: the gateway has no codec for them", "media_type", mediaType)
		}
		f.unknown = mediaType
		return false, false
	}
	if f.codec != nil {
		f.log.Info("the stream has another media type", "media_type", mediaType, "before", f.codec.MediaType)
	}
	f.codec = of[i]
	return true, true
}

// publish gives a frame to all intakes and reports whether one of them needs a key frame; f.mu is held.
func (f *fan) publish(fr *frame) (needKey bool) {
	f.flowing = true
	for i := range f.intakes {
		if i.push(fr) {
			needKey = true
		}
	}
	return needKey
}

// remove ends the flow of frames to an intake.
func (f *fan) remove(i *intake) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.intakes, i)
}
