// Package limits keeps what several holders allow one stream to have. The lowest bit rate of all counts. Each limit
// ends by itself, so that a holder who has gone does not keep a picture small for ever.
//
// A holder may also stop the stream for a moment, because what was sent is still on its way: a pause. It ends with the
// next limit of that holder, and after [MaxPause] at the latest. The bit rate that the holder gave before is in force
// again afterwards, until its own end.
//
// Nothing here reads the clock or starts a goroutine. A Set is safe for concurrent use.
package limits

import (
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/waldo-robot/waldo/pkg/text"
)

// Bounds of what holders can ask for.
const (
	MaxHolders = 32
	MaxName    = 64 // characters of a holder's name
	MaxTTL     = 10 * time.Second
	MaxPause   = 500 * time.Millisecond
)

// Error is a limit that is not possible. Its text names the field.
type Error string

func (e Error) Error() string { return string(e) }

// ErrTooMany is returned when MaxHolders other holders have limits.
const ErrTooMany = Error("limits of too many holders are in force: the most is 32; one of them has to end")

// Limit is what one holder allows.
type Limit struct {
	Holder  string
	Bitrate int64         // bit/s; 0 for a pause
	TTL     time.Duration // 0 ends all that the holder has asked for
}

// Check fails if a limit is not possible. It does not check the bit rate, whose bounds belong to the stream.
func (l Limit) Check() error {
	switch n := utf8.RuneCountInString(l.Holder); {
	case n == 0 || n > MaxName:
		return Error(fmt.Sprintf("holder has %d characters, must have 1 to %d", n, MaxName))
	case !text.IsPrintable(l.Holder):
		return Error("holder has characters that cannot be printed: use letters, digits, punctuation and spaces")
	case l.TTL < 0 || l.TTL > MaxTTL:
		return Error(fmt.Sprintf("ttl is %v, must be 0 (ends the limit) to %v", l.TTL, MaxTTL))
	}
	return nil
}

// Set is the limits of one stream. The zero value has none.
type Set struct {
	mu   sync.Mutex
	held map[string]held
}

// held is what one holder has asked for.
type held struct {
	bitrate int64
	until   time.Time // of bitrate
	paused  time.Time // until when
}

func (h held) over(now time.Time) bool { return !now.Before(h.until) && !now.Before(h.paused) }

// Put takes a limit in the place of the holder's last one. It fails with ErrTooMany.
func (s *Set) Put(l Limit, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	h, known := s.held[l.Holder]
	switch {
	case l.TTL == 0:
		delete(s.held, l.Holder)
		return nil
	case !known && len(s.held) >= MaxHolders:
		return ErrTooMany
	case l.Bitrate == 0:
		h.paused = now.Add(min(l.TTL, MaxPause))
	default:
		h = held{bitrate: l.Bitrate, until: now.Add(l.TTL)}
	}
	if s.held == nil {
		s.held = map[string]held{}
	}
	s.held[l.Holder] = h
	return nil
}

// forget removes what is over. The caller holds mu.
func (s *Set) forget(now time.Time) {
	for name, h := range s.held {
		if h.over(now) {
			delete(s.held, name)
		}
	}
}

// All returns the bit rates that are allowed now, each until its end. Pauses are too short to be worth passing on.
func (s *Set) All(now time.Time) (all []Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for holder, h := range s.held {
		if now.Before(h.until) {
			all = append(all, Limit{Holder: holder, Bitrate: h.bitrate, TTL: h.until.Sub(now)})
		}
	}
	return all
}

// At returns what is in force: the lowest bit rate, 0 if there is none, and whether the stream is paused.
func (s *Set) At(now time.Time) (bitrate int64, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.held {
		paused = paused || now.Before(h.paused)
		if now.Before(h.until) && (bitrate == 0 || h.bitrate < bitrate) {
			bitrate = h.bitrate
		}
	}
	return bitrate, paused
}
