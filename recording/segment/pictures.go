package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/waldo-robot/waldo/recording/frames"
	"github.com/waldo-robot/waldo/recording/mp4"
)

const (
	// keyTolerance is how long before a key frame counts as at it: times of players are rounded.
	keyTolerance = time.Millisecond
	// cutTolerance is likewise for a picture at which a group was cut. A time that somebody seeks must not hit one.
	cutTolerance = time.Microsecond
	// lastTime is how long the last picture is shown if there is none before it.
	lastTime = time.Second / 30
)

// pictures builds the piece that has the picture shown at a time.
func (s *Source) pictures(ctx context.Context, n name, at time.Time, wantInit bool) (built, error) {
	key, found, err := frames.KeyBefore(ctx, s.files, n.is, at.Add(keyTolerance))
	if err != nil {
		return built{}, err
	}
	if !found {
		f, err := s.begins(ctx, n, at.Add(-frames.MaxDelay))
		if errors.Is(err, io.EOF) {
			return built{}, nil
		}
		if err != nil {
			return built{}, err
		}
		return s.group(ctx, n, f, s.frames(n, at.Add(-frames.MaxDelay)), wantInit)
	}
	b, err := s.group(ctx, n, key.Frame, s.frames(n, key.Arrived), wantInit)
	if err != nil || b.next.IsZero() || at.Before(b.next.Add(-cutTolerance)) {
		return b, err
	}
	// The time is after the piece: it is in the rest of a group that is cut, or in a hole before the next key frame.
	rest, c, err := s.at(ctx, n, at)
	if err != nil || c == nil || rest.Key {
		return b, err
	}
	return s.collect(ctx, n, b.description, rest, c, true)
}

// at returns the picture that is shown exactly at a time, and what follows it; no cursor if there is none.
func (s *Source) at(ctx context.Context, n name, at time.Time) (frames.Frame, *cursor, error) {
	c := s.frames(n, at.Add(-frames.MaxDelay))
	for {
		f, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			return frames.Frame{}, nil, nil
		}
		if err != nil {
			return frames.Frame{}, nil, err
		}
		switch off := f.Shown.Sub(at); {
		case off >= -cutTolerance && off <= cutTolerance:
			return f, c, nil
		case off > frames.MaxDelay:
			return frames.Frame{}, nil, nil
		}
	}
}

// group builds a piece from a key frame on, which is in what the cursor gives.
func (s *Source) group(ctx context.Context, n name, key frames.Frame, c *cursor, wantInit bool) (built, error) {
	d, err := mp4.Describe(key.Format, key.Data)
	if err != nil {
		return built{}, fmt.Errorf("%s/%s: %w", n.device, n.stream, err)
	}
	for {
		f, err := c.Next(ctx)
		if err != nil {
			return built{}, err
		}
		if f.Key && f.Shown.Equal(key.Shown) {
			b, err := s.collect(ctx, n, d, f, c, false)
			b.same = !wantInit && s.sameBefore(ctx, n, f, d)
			return b, err
		}
	}
}

// sameBefore reports whether what ends where a key frame begins has the same description.
func (s *Source) sameBefore(ctx context.Context, n name, key frames.Frame, d mp4.Description) bool {
	if before, known := s.remembered(place{n, key.Shown.UnixNano()}); known {
		return before.Same(d)
	}
	before, found, err := frames.KeyBefore(ctx, s.files, n.is, key.Shown.Add(-1))
	if err != nil || !found {
		return true // the first has none before it, and is asked for with its initialization
	}
	described, err := mp4.Describe(before.Format, before.Data)
	return err == nil && described.Same(d)
}

// collect gathers pictures, from a first one on, up to where the piece ends.
func (s *Source) collect(ctx context.Context, n name, d mp4.Description, first frames.Frame, c *cursor,
	same bool) (built, error) {
	p := group{description: d}
	if err := p.add(first); err != nil {
		return built{}, fmt.Errorf("%s/%s: %w", n.device, n.stream, err)
	}
	for {
		f, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			return p.build(s.begin, p.end(), time.Time{}, same), nil
		}
		if err != nil {
			return built{}, err
		}
		if p.full(f) {
			return p.build(s.begin, f.Shown, f.Shown, same), nil
		}
		if err := p.add(f); err != nil {
			return built{}, fmt.Errorf("%s/%s: %w", n.device, n.stream, err)
		}
	}
}

// group is pictures that make a piece.
type group struct {
	description mp4.Description
	frames      []frames.Frame
	bytes       int
	reordered   bool
}

func (p *group) add(f frames.Frame) error {
	if f.MediaType != p.description.MediaType {
		return nil // a part of another stream of the same name, before its first key frame
	}
	f.Data = p.description.Sample(f.Data)
	if len(f.Data) > maxBytes {
		return fmt.Errorf("a picture has %d bytes, more than the %d of a piece", len(f.Data), maxBytes)
	}
	p.frames = append(p.frames, f)
	p.bytes += len(f.Data)
	p.reordered = p.reordered || f.Reorders
	return nil
}

// full reports whether a picture begins the next piece.
func (p *group) full(f frames.Frame) bool {
	length := f.Shown.Sub(p.frames[0].Shown)
	if f.Key {
		if length >= enoughTime || p.bytes >= enoughBytes {
			return true
		}
		d, err := mp4.Describe(f.Format, f.Data)
		return err != nil || !d.Same(p.description)
	}
	if p.bytes+len(f.Data) > maxBytes {
		return true
	}
	return !p.reordered && (length >= mostTime || p.bytes+len(f.Data) > mostBytes)
}

// end is until when the last picture is shown if nothing comes after it.
func (p *group) end() time.Time {
	last := p.frames[len(p.frames)-1].Shown
	length := lastTime
	if n := len(p.frames); n > 1 {
		length = min(max(last.Sub(p.frames[n-2].Shown), time.Millisecond), time.Second)
	}
	return last.Add(length)
}

func (p *group) build(zero, end, next time.Time, same bool) built {
	shown := make([]int64, len(p.frames))
	for i, f := range p.frames {
		shown[i] = mp4.Units(f.Shown.Sub(zero), p.description.Scale)
	}
	b := built{description: p.description, begin: p.frames[0].Shown, next: next, same: same}
	for i, t := range mp4.Schedule(shown, mp4.Units(end.Sub(zero), p.description.Scale), p.reordered) {
		b.samples = append(b.samples, mp4.Sample{Time: t, Key: p.frames[i].Key, Data: p.frames[i].Data})
	}
	return b
}
