package segment

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/mp4"
)

const (
	// jitter is how far packets that follow one another can be from where the one before ends.
	jitter = 15 * time.Millisecond
	// lookBack is how long before a time the packet can have arrived that sounds at it.
	lookBack = 250 * time.Millisecond
)

// sound builds the piece that sounds at a time.
func (s *Source) sound(ctx context.Context, n name, first mp4.Description, at time.Time) (built, error) {
	if !at.Before(s.end) {
		return built{}, nil
	}
	c := s.frames(n, at.Add(-lookBack))
	p, err := c.sounds(ctx, at)
	if err != nil {
		return built{}, err
	}
	b := built{description: first, begin: at, same: true}
	if p != nil {
		if b.description, err = mp4.Describe(p.Format, p.Data); err != nil {
			return built{}, err
		}
		if p.Shown.Before(at.Add(jitter)) {
			b.begin = p.Shown
		}
		c.push(*p)
	}
	if before, known := s.remembered(place{n, b.begin.UnixNano()}); known {
		b.same = before.Same(b.description)
	}
	t := tape{zero: s.begin, built: b, at: b.begin, until: b.begin.Add(soundTime)}
	return t.fill(ctx, c, s.end)
}

// sounds returns the packet that begins at a time, or else the first one that does not end before it; nil if there is
// none.
func (c *cursor) sounds(ctx context.Context, at time.Time) (*frames.Frame, error) {
	var found *frames.Frame
	for {
		f, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		switch {
		case f.Length == 0 || !f.End().After(at.Add(keyTolerance)):
		case f.Shown.Sub(at).Abs() <= keyTolerance:
			return &f, nil
		case found != nil:
			c.push(f)
			return found, nil
		default:
			found = &f
		}
	}
}

// tape is sound without holes.
type tape struct {
	built
	zero  time.Time // of the recording
	at    time.Time // where it ends so far
	until time.Time // where it is full
}

// fill takes packets, and silence where there is none, until the piece is full or the recording ends.
func (t *tape) fill(ctx context.Context, c *cursor, end time.Time) (built, error) {
	for {
		f, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			t.silence(end)
			if t.at.Before(end.Add(-mp4.Silence)) {
				t.next = t.at
			}
			return t.built, nil
		}
		if err != nil {
			return built{}, err
		}
		if f.Length == 0 || f.End().Before(t.at.Add(f.Length/2)) {
			continue // no packet, or one that sounds at the same time as another
		}
		t.silence(f.Shown)
		near := f.Shown.Before(t.at.Add(jitter + mp4.Silence))
		if !t.at.Before(t.until) || f.Channels != t.channels() {
			t.next = t.at
			if near && f.Shown.After(t.last()) {
				t.next = f.Shown
				t.stretch(f.Shown)
			}
			return t.built, nil
		}
		if f.Shown.After(t.at.Add(jitter)) {
			t.stretch(f.Shown)
		}
		t.add(f.Data, f.Length)
	}
}

// silence adds packets of silence up to a time, or until the piece is full.
func (t *tape) silence(to time.Time) {
	for to.Sub(t.at) >= mp4.Silence && t.at.Before(t.until) {
		t.add(mp4.SilentPacket(t.channels()), mp4.Silence)
	}
}

func (t *tape) add(packet []byte, length time.Duration) {
	begin := mp4.Units(t.at.Sub(t.zero), t.description.Scale)
	t.at = t.at.Add(length)
	t.samples = append(t.samples, mp4.Sample{Key: true, Data: packet, Time: mp4.Time{
		Decode: max(begin, 0), Duration: uint32(max(mp4.Units(t.at.Sub(t.zero), t.description.Scale)-max(begin, 0), 1)),
	}})
}

// last is where the last packet begins.
func (t *tape) last() time.Time {
	if len(t.samples) == 0 {
		return t.begin
	}
	s := t.samples[len(t.samples)-1]
	return t.zero.Add(time.Duration(s.Decode) * time.Second / time.Duration(t.description.Scale))
}

// stretch lets the last packet end at a time.
func (t *tape) stretch(end time.Time) {
	t.at = end
	if n := len(t.samples); n > 0 {
		s := &t.samples[n-1]
		s.Duration = uint32(max(mp4.Units(end.Sub(t.zero), t.description.Scale)-s.Decode, 1))
	}
}

func (t *tape) channels() int { return t.description.Channels }
