package slot

import (
	"time"

	"golang.org/x/time/rate"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
)

// Publication is that of whoever has the slot, for one in the same process: [Slot.Open] returns it. Its methods are
// safe for concurrent use and do not block. What is sent after its end is dropped.
type Publication struct {
	slot    *Slot
	who     *peerv1.Publisher // not changed
	granted *peerv1.BeginResponse
	keys    chan struct{}
	ended   chan struct{}

	// Guarded by the slot's mu.
	sender  Sender
	heard   time.Time // when the last frame came, or it began
	sent    bool      // a frame has come
	limit   *rate.Limiter
	dropped bool  // up to the next key frame
	own     bool  // its publisher has ended it
	err     error // why it has ended, set before ended is closed
}

func newPublication(s *Slot, who *peerv1.Publisher) *Publication {
	most := s.config.MaxBitrate
	p := &Publication{
		slot: s, who: who, heard: time.Now(), keys: make(chan struct{}, 1), ended: make(chan struct{}),
		granted: &peerv1.BeginResponse{Publisher: who, Epoch: access.NewID(), MaxBitrateBps: int64(most)},
	}
	if most > 0 {
		bytes := most / 8
		p.limit = rate.NewLimiter(rate.Limit(bytes), bytes*int(Average/time.Second))
	}
	return p
}

func (p *Publication) epoch() int64 { return p.granted.GetEpoch() }

// Granted is what was granted. It must not be changed.
func (p *Publication) Granted() *peerv1.BeginResponse { return p.granted }

// KeyFrames has a value when a key frame is wished.
func (p *Publication) KeyFrames() <-chan struct{} { return p.keys }

// Ended is closed when the publication has ended; Err says why.
func (p *Publication) Ended() <-chan struct{} { return p.ended }

// Err says why the publication has ended: a [Lost], [ErrSilent], [ErrStopping], or why what it sent was refused; nil if
// it has not ended, or by End and EndWith.
func (p *Publication) Err() error {
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.own {
		return nil
	}
	return p.err
}

// Video sends a frame of video. The error says why it was refused, which ends the publication.
func (p *Publication) Video(f *mediav1.VideoFrame) error {
	f.Epoch = p.epoch()
	return p.slot.Video(f)
}

// Audio sends a frame of sound.
func (p *Publication) Audio(f *mediav1.AudioFrame) {
	f.Epoch = p.epoch()
	p.slot.Audio(f)
}

// Alive says that the publisher is there, although it sends no frame. It fails with [ErrEnded] if the publication has
// ended.
func (p *Publication) Alive() error {
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.slot.now != p {
		return ErrEnded
	}
	p.heard = time.Now()
	return nil
}

// End frees the slot. It may be called more than once.
func (p *Publication) End() { p.EndWith(errOwnEnd) }

// EndWith frees the slot, and says why.
func (p *Publication) EndWith(why error) {
	p.slot.mu.Lock()
	defer p.slot.mu.Unlock()
	if p.slot.now != p {
		return
	}
	p.own = true
	p.slot.end(why)
	p.slot.changed()
}
