package tracks

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/rtp/origin"
)

// frame is one picture, or one packet of sound, cut into RTP payloads. It is shared by all receivers and never changed.
type frame struct {
	codec     *codecs.Codec
	data      []byte // as received from the device, for readers
	payloads  [][]byte
	timestamp uint32
	key       bool // a decoder can start with it
	capture   time.Time
	received  time.Time
	// Values of the header extensions, because a retransmission must be identical to the bit.
	identity   [16]byte // see package origin
	run        [8]byte  // likewise
	captureNTP [8]byte  // video only
	size       int      // total of the payloads
	kept       bool     // by the device, for the first who asks: see burst
	replayed   bool     // video only: of a recording, which may stand still after it
	// Audio only: frames missing before it are a gap in the sequence numbers.
	sequence uint16
	begins   bool // after a silence, or a restart of the device
}

// fan is what all sources share: it distributes the frames of a stream to all intakes.
type fan struct {
	stream Stream
	meters *meters
	log    *slog.Logger

	// Used by Run only.
	codec   *codecs.Codec // of the last usable frame
	unknown string        // media type already reported

	mu      sync.Mutex
	intakes map[*intake]struct{} // started
	flowing bool                 // a frame was forwarded since the source started
}

func newFan(s Stream, m *meters, log *slog.Logger) *fan {
	return &fan{stream: s, meters: m, log: log, intakes: make(map[*intake]struct{})}
}

func (f *fan) common() *fan { return f }

// identify notes where the frame comes from.
func (f *frame) identify(o origin.Origin) { f.identity, f.run = o.Frame(), o.Run() }

// pump passes the frames of a feed to accept, with the time of their arrival, until ctx or the feed ends.
func pump[F any](ctx context.Context, f *fan, next func(context.Context) (F, error), accept func(F, time.Time)) {
	for {
		fr, err := next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				f.log.Warn("stream ended", "error", err)
			}
			return
		}
		accept(fr, time.Now())
	}
}

// chooseCodec sets codec to the one of a frame and reports whether it has changed. It is not ok if the gateway has no
// codec for the frame.
func (f *fan) chooseCodec(mediaType string, of []*codecs.Codec) (ok, changed bool) {
	if f.codec != nil && f.codec.MediaType == mediaType {
		return true, false
	}
	i := slices.IndexFunc(of, func(c *codecs.Codec) bool { return c.MediaType == mediaType })
	if i < 0 {
		if mediaType != f.unknown {
			f.log.Warn("frames are dropped: the gateway has no codec for this media type", "media_type", mediaType)
		}
		f.unknown = mediaType
		return false, false
	}
	if f.codec != nil {
		f.log.Info("the stream changed its media type", "media_type", mediaType, "before", f.codec.MediaType)
	}
	f.codec = of[i]
	return true, true
}

// publish passes a frame to all intakes and reports whether one of them needs a key frame. The caller holds f.mu.
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
