// Package slot is the place for one publisher at a time: who has it, what they may send, and when it is free again.
//
//   - [Slot.Begin] gives the slot to a publisher if it is free, or if it is taken from whoever has it, who is told.
//   - Frames carry the epoch that Begin granted. Those of any other epoch are dropped and counted.
//   - A slot from which nothing came for [Silence] is free.
//   - Video beyond the highest bit rate, averaged over [Average], is dropped up to the next key frame that fits.
//
// What comes goes to a [Sender], which is made for each publication and told of its end.
//
// # Concurrency and shutdown
//
// All methods are safe for concurrent use, and do not block. A Sender's methods are called one at a time, and none
// after End. [Slot.Run] frees the slot after a silence; when its context ends it ends the publication.
package slot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// Silence is how long a publisher may send nothing.
	Silence = 5 * time.Second
	// Average is over what time the bit rate is averaged.
	Average = 2 * time.Second
	// maxWishes is how many wishes may wait for a publisher.
	maxWishes = 16
)

// Errors.
var (
	ErrTaken = errors.New("somebody else sends") // Begin, without take
	ErrEnded = errors.New("there is no such publication, or it has ended")
	// ErrStopping is what Begin returns when Run has ended.
	ErrStopping = errors.New("the device is stopping")
)

// Sender takes what one publisher sends.
type Sender interface {
	// Video takes a frame. An error ends the publication; its publisher is told.
	Video(f *mediav1.VideoFrame) error
	Audio(f *mediav1.AudioFrame)
	// End says that nothing more comes, and why, for people.
	End(why string)
}

// Config describes a slot. Open is required.
type Config struct {
	MaxBitrate int // bit/s of video; 0: no limit
	// Open makes the Sender of a publication.
	Open func(who *peerv1.Publisher) Sender
	// Wish tells a publisher what is wished of it; nil: nobody hears it.
	Wish func(*peerv1.Wish)
	// Changed is called when there is another publisher, nil for none. It must not call the slot. Nil: nobody cares.
	Changed func(who *peerv1.Publisher)
}

// Slot is described in the package comment.
type Slot struct {
	config Config
	wishes *stream.Topic[*peerv1.Wish]
	wake   chan struct{} // has a value when somebody has begun

	mu      sync.Mutex
	stopped bool
	now     *publication // nil: the slot is free
	stats   Stats
}

// Stats counts since the beginning.
type Stats struct {
	Publications uint64
	Foreign      uint64 // frames of another epoch than the granted one
	Excess       uint64 // frames of video beyond the bit rate
}

// publication is that of whoever has the slot.
type publication struct {
	who     *peerv1.Publisher // not changed
	epoch   int64
	sender  Sender
	heard   time.Time // when the last frame came, or it began
	sent    bool      // a frame has come
	limit   *rate.Limiter
	dropped bool // up to the next key frame
}

// New returns a slot that is free.
func New(c Config) *Slot {
	return &Slot{config: c, wishes: stream.NewTopic[*peerv1.Wish](), wake: make(chan struct{}, 1)}
}

// Begin gives the slot to somebody. It fails with [ErrTaken] if somebody else has it and it is not to be taken from
// them.
func (s *Slot) Begin(who *peerv1.Publisher, take bool) (*peerv1.BeginResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, ErrStopping
	}
	if s.now != nil && !take {
		return nil, fmt.Errorf("%w: %s", ErrTaken, describe(s.now.who))
	}
	who = proto.CloneOf(who)
	if who == nil {
		who = &peerv1.Publisher{}
	}
	who.Id, who.BeginTime = access.NewID(), timestamppb.Now()
	s.end("the slot was taken by " + describe(who))
	p := &publication{who: who, epoch: access.NewID(), heard: time.Now()}
	if most := s.config.MaxBitrate; most > 0 {
		bytes := most / 8
		p.limit = rate.NewLimiter(rate.Limit(bytes), bytes*int(Average/time.Second))
	}
	p.sender = s.config.Open(who)
	s.now = p
	s.stats.Publications++
	s.changed()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return &peerv1.BeginResponse{Publisher: who, Epoch: p.epoch, MaxBitrateBps: int64(s.config.MaxBitrate)}, nil
}

// describe names a publisher, for people.
func describe(who *peerv1.Publisher) string {
	name, program, via := who.GetName(), who.GetProgram(), who.GetVia()
	if name == "" {
		name = "somebody"
	}
	text := name
	for _, more := range []string{program, via, who.GetAddress()} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// End frees the slot of a publication. It fails with [ErrEnded] if that has ended.
func (s *Slot) End(epoch int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.now.epoch != epoch {
		return ErrEnded
	}
	s.end("the publisher has ended it")
	s.changed()
	return nil
}

// end ends the publication, if there is one, and tells its publisher. The caller holds mu, and tells of the change.
func (s *Slot) end(why string) {
	p := s.now
	if p == nil {
		return
	}
	s.now = nil
	p.sender.End(why)
	s.wish(&peerv1.Wish{PublicationId: p.who.GetId(), Wish: &peerv1.Wish_Ended{Ended: why}})
}

func (s *Slot) wish(w *peerv1.Wish) {
	s.wishes.Publish(w)
	if s.config.Wish != nil {
		s.config.Wish(w)
	}
}

// Wishes returns a subscription to what is wished of publishers, for one in the same process. Close it.
func (s *Slot) Wishes() *stream.Subscription[*peerv1.Wish] {
	return s.wishes.Subscribe(stream.DropOldest(maxWishes))
}

// changed tells who has the slot. The caller holds mu.
func (s *Slot) changed() {
	if s.config.Changed == nil {
		return
	}
	if s.now == nil {
		s.config.Changed(nil)
		return
	}
	s.config.Changed(s.now.who)
}

// WantKeyFrame asks whoever has the slot for a key frame.
func (s *Slot) WantKeyFrame() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil {
		s.wish(&peerv1.Wish{PublicationId: s.now.who.GetId(), Wish: &peerv1.Wish_KeyFrame{KeyFrame: &peerv1.KeyFrame{}}})
	}
}

// Video takes a frame of video.
func (s *Slot) Video(f *mediav1.VideoFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of(f.GetEpoch())
	if p == nil {
		return
	}
	if !p.fits(f) {
		s.stats.Excess++
		return
	}
	if err := p.sender.Video(f); err != nil {
		s.end(err.Error())
		s.changed()
	}
}

// fits reports whether a frame is within the bit rate. After one that is not, a key frame has to come.
func (p *publication) fits(f *mediav1.VideoFrame) bool {
	if p.dropped && !f.GetKeyFrame() {
		return false
	}
	p.dropped = p.limit != nil && !p.limit.AllowN(time.Now(), len(f.GetData()))
	return !p.dropped
}

// Audio takes a frame of sound.
func (s *Slot) Audio(f *mediav1.AudioFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.of(f.GetEpoch()); p != nil {
		p.sender.Audio(f)
	}
}

// of returns the publication that a frame belongs to; nil, and counts it, if that is none. The caller holds mu.
func (s *Slot) of(epoch int64) *publication {
	if s.now == nil || s.now.epoch != epoch {
		s.stats.Foreign++
		return nil
	}
	s.now.heard, s.now.sent = time.Now(), true
	return s.now
}

// Publisher tells who has the slot, and how long ago their last frame came.
func (s *Slot) Publisher() *peerv1.GetPublisherResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return &peerv1.GetPublisherResponse{}
	}
	r := &peerv1.GetPublisherResponse{Publisher: s.now.who}
	if s.now.sent {
		r.Age = durationpb.New(time.Since(s.now.heard))
	}
	return r
}

// Stats returns what was counted.
func (s *Slot) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run frees the slot when nothing comes any more, until ctx ends. Then it ends the publication.
func (s *Slot) Run(ctx context.Context) {
	timer := time.NewTimer(Silence)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stopped = true
			s.end(ErrStopping.Error())
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.expire())
	}
}

// expire frees the slot if nothing has come for too long, and returns when to look again.
func (s *Slot) expire() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return Silence
	}
	left := Silence - time.Since(s.now.heard)
	if left > 0 {
		return left
	}
	s.end(fmt.Sprintf("nothing has come for %v", Silence))
	s.changed()
	return Silence
}
