// Package slot is the place for one publisher at a time: who has it, what they may send, and when it is free again.
//
//   - [Slot.Open] gives the slot to a publisher if it is free, or if it is taken from whoever has it, who is told.
//     [Slot.Begin] does the same for one in another process, who sends on the bus.
//   - Frames carry the epoch that was granted. Those of any other epoch are dropped and counted.
//   - A slot from which nothing came for [Silence] is free.
//   - Compressed video beyond the highest bit rate, averaged over [Average], is dropped up to the next key frame that
//     fits.
//
// What comes goes to a [Sender], which is made for each publication and told of its end. What is wished of a publisher
// is told to its [Publication], where it waits without a queue: wishes for a key frame are one wish, and the end is
// never lost.
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

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
)

const (
	// Silence is how long a publisher may send nothing.
	Silence = 5 * time.Second
	// Average is over what time the bit rate is averaged.
	Average = 2 * time.Second
)

// Errors.
var (
	ErrTaken = errors.New("somebody else sends") // Begin and Open, without take
	ErrEnded = errors.New("there is no such publication, or it has ended")
	// ErrSilent is why a publication has ended from which nothing came.
	ErrSilent = fmt.Errorf("nothing has come for %v", Silence)
	// ErrStopping is what Begin and Open return when Run has ended, and why publications end then.
	ErrStopping = errors.New("the device is stopping")
)

// Lost is why somebody has lost the slot to another.
type Lost string

func (l Lost) Error() string { return string(l) }

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
	MaxBitrate int // bit/s of compressed video; 0: no limit
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
	wake   chan struct{} // has a value when somebody has begun

	mu      sync.Mutex
	stopped bool
	now     *Publication // nil: the slot is free
	stats   Stats
}

// Stats counts since the beginning.
type Stats struct {
	Publications uint64
	Foreign      uint64 // frames of another epoch than the granted one
	Excess       uint64 // frames of video beyond the bit rate
}

// New returns a slot that is free.
func New(c Config) *Slot { return &Slot{config: c, wake: make(chan struct{}, 1)} }

// Begin gives the slot to somebody who sends on the bus. It fails as Open does.
func (s *Slot) Begin(who *peerv1.Publisher, take bool) (*peerv1.BeginResponse, error) {
	p, err := s.Open(who, take)
	if err != nil {
		return nil, err
	}
	return p.granted, nil
}

// Open gives the slot to somebody. It fails with [ErrTaken] if somebody else has it and it is not to
// be taken from them.
func (s *Slot) Open(who *peerv1.Publisher, take bool) (*Publication, error) {
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
	s.end(Lost("the slot was taken by " + describe(who)))
	p := newPublication(s, who)
	p.sender = s.config.Open(who)
	s.now = p
	s.stats.Publications++
	s.changed()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return p, nil
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

// errOwnEnd is why a publication has ended that its publisher ended without a reason.
var errOwnEnd = errors.New("the publisher has ended it")

// End frees the slot of a publication, as its publisher wishes. It fails with [ErrEnded] if that has ended.
func (s *Slot) End(epoch int64) error { return s.Refuse(epoch, errOwnEnd) }

// Refuse ends a publication because of what it sends. It fails with [ErrEnded] if that has ended.
func (s *Slot) Refuse(epoch int64, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.now.epoch() != epoch {
		return ErrEnded
	}
	s.end(why)
	s.changed()
	return nil
}

// end ends the publication, if there is one, and tells its publisher. The caller holds mu, and tells of the change.
func (s *Slot) end(why error) {
	p := s.now
	if p == nil {
		return
	}
	s.now = nil
	p.sender.End(why.Error())
	p.err = why
	close(p.ended)
	s.wish(&peerv1.Wish{PublicationId: p.who.GetId(), Wish: &peerv1.Wish_Ended{Ended: why.Error()}})
}

func (s *Slot) wish(w *peerv1.Wish) {
	if s.config.Wish != nil {
		s.config.Wish(w)
	}
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
	if s.now == nil {
		return
	}
	select {
	case s.now.keys <- struct{}{}:
	default:
	}
	s.wish(&peerv1.Wish{PublicationId: s.now.who.GetId(), Wish: &peerv1.Wish_KeyFrame{KeyFrame: &peerv1.KeyFrame{}}})
}

// Video takes a frame of video. The error is the sender's, which has ended the publication.
func (s *Slot) Video(f *mediav1.VideoFrame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of(f.GetEpoch())
	if p == nil {
		return nil
	}
	if !p.fits(f) {
		s.stats.Excess++
		return nil
	}
	err := p.sender.Video(f)
	if err != nil {
		s.end(err)
		s.changed()
	}
	return err
}

// fits reports whether a frame is within the bit rate. After one that is not, a key frame has to come. Pictures that
// stand alone are not bounded here: on the bus there are none.
func (p *Publication) fits(f *mediav1.VideoFrame) bool {
	if !media.InterCoded(f.GetFormat().GetMediaType()) {
		return true
	}
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
func (s *Slot) of(epoch int64) *Publication {
	if s.now == nil || s.now.epoch() != epoch {
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

// Obstacles is who would be cut off by a restart.
func (s *Slot) Obstacles() []device.Obstacle {
	who := s.Publisher().GetPublisher()
	if who == nil {
		return nil
	}
	return []device.Obstacle{{Kind: devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_PUBLISHER,
		Text: fmt.Sprintf("%q publishes", who.GetName())}}
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
			s.end(ErrStopping)
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
	s.end(ErrSilent)
	s.changed()
	return Silence
}
