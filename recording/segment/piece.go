package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording/mp4"
)

// Bounds of a piece.
const (
	// enoughTime and enoughBytes are at what a piece of pictures ends before the next key frame.
	enoughTime  = 500 * time.Millisecond
	enoughBytes = 256 << 10
	// mostTime and mostBytes are at what a group of pictures is cut.
	mostTime  = 2 * time.Second
	mostBytes = 1 << 20
	// maxBytes is what a piece can have at most. Groups whose pictures are reordered are cut only here.
	maxBytes = 7 << 19
	// soundTime is how long a piece of sound is.
	soundTime = 2 * time.Second
)

// Piece is a part of a stream.
type Piece struct {
	// Init is the initialization segment, if it was asked for, or is not that of the piece before.
	Init []byte
	// Media is a media segment; empty if there is nothing at the time or later.
	Media []byte
	// Offset is when the piece begins, and Next when the following one does, after the start of the recording; 0: there
	// is none.
	Offset, Next time.Duration
	// Codec is the codecs parameter.
	Codec string
}

// ErrNoStream is about a stream that is not in the recording.
var ErrNoStream = errors.New("it is not in the recording")

// Piece returns the piece of a stream that has what is shown at a time after the start of the recording, or else the
// next one. It fails with [ErrNoStream], and with [mp4.ErrUnsupported] for what browsers do not play.
func (s *Source) Piece(ctx context.Context, device, stream string, offset time.Duration, wantInit bool) (Piece, error) {
	n := name{device, stream}
	first, err := s.begins(ctx, n, time.Time{})
	if errors.Is(err, io.EOF) {
		return Piece{}, fmt.Errorf("%s/%s: %w, or has no key frame", device, stream, ErrNoStream)
	}
	if err != nil {
		return Piece{}, err
	}
	d, err := mp4.Describe(first.Format, first.Data)
	if err != nil {
		return Piece{}, fmt.Errorf("%s/%s: %w", device, stream, err)
	}
	if !inPieces(d) {
		return Piece{}, fmt.Errorf("%s/%s: browsers do not play %s: %w", device, stream, first.MediaType, mp4.ErrUnsupported)
	}
	at := s.begin.Add(min(max(offset, 0), s.end.Sub(s.begin)+time.Hour))
	var b built
	if d.Sound() {
		b, err = s.sound(ctx, n, d, at)
	} else {
		b, err = s.pictures(ctx, n, at, wantInit)
	}
	if err != nil || len(b.samples) == 0 {
		return Piece{}, err
	}
	return s.finish(n, b, wantInit)
}

// Stream returns the media type of a stream, and the codecs parameter if there are pieces of it.
func (s *Source) Stream(ctx context.Context, device, stream string) (mediaType, codec string, err error) {
	first, err := s.begins(ctx, name{device, stream}, time.Time{})
	if errors.Is(err, io.EOF) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	d, err := mp4.Describe(first.Format, first.Data)
	if err != nil || !inPieces(d) {
		return first.MediaType, "", nil
	}
	return first.MediaType, d.Codec, nil
}

// inPieces reports whether there are pieces of what has a description. Some browsers play VP8 in MP4.
func inPieces(d mp4.Description) bool { return d.Playable || d.MediaType == media.VP8 }

// built is a piece before it is written.
type built struct {
	description mp4.Description
	samples     []mp4.Sample
	begin, next time.Time // next is zero for the last piece
	same        bool      // as the piece before
}

func (s *Source) finish(n name, b built, wantInit bool) (Piece, error) {
	p := Piece{Offset: max(b.begin.Sub(s.begin), 0), Codec: b.description.Codec}
	var err error
	if wantInit || !b.same {
		if p.Init, err = mp4.Init(b.description); err != nil {
			return Piece{}, err
		}
	}
	if p.Media, err = mp4.Fragment(uint32(p.Offset/time.Millisecond)+1, b.samples); err != nil {
		return Piece{}, err
	}
	if !b.next.IsZero() {
		p.Next = b.next.Sub(s.begin)
		s.remember(place{n, b.next.UnixNano()}, b.description)
	}
	return p, nil
}

// maxRemembered bounds how many places are remembered.
const maxRemembered = 1024

func (s *Source) remember(at place, d mp4.Description) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.earlier) >= maxRemembered {
		clear(s.earlier) // they are found again when they are needed
	}
	s.earlier[at] = d
}

func (s *Source) remembered(at place) (mp4.Description, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.earlier[at]
	return d, known
}
