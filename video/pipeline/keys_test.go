package pipeline

import (
	"context"
	"errors"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// asked is a source that can be asked for key frames.
type asked struct {
	*manual
	obeys bool
	want  chan struct{}
}

func (s *asked) KeyFrameOnRequest() bool { return s.obeys }
func (s *asked) WantKeyFrame()           { s.want <- struct{}{} }
func (s *asked) RequestKeyFrame(context.Context) error {
	if !s.obeys {
		return source.ErrNoKeyFrame
	}
	return nil
}

// A source that compresses itself is asked for the key frames of what passes through; the encoder for all others.
func TestASourceIsAskedForKeyFrames(t *testing.T) {
	m, frames := native(t, 5)
	src := &asked{manual: m, want: make(chan struct{}, 10)}
	changes := 0
	p := run(t, src, Config{Changed: func() { changes++ }})
	a := p.open(t, h264())
	<-src.want // it has nothing to begin with
	m.expect(t, true)
	m.give(t, frames[0])
	next(t, a)
	vp8 := Stream{MediaType: media.VP8}
	if p.KeyFrameOnRequest(usual) || !p.KeyFrameOnRequest(vp8) || !p.PassesThrough(usual) || p.PassesThrough(vp8) {
		t.Error("a source that obeys nothing is told of otherwise")
	}
	if err := p.RequestKeyFrame(t.Context(), usual); !errors.Is(err, source.ErrNoKeyFrame) {
		t.Error(err)
	}
	src.obeys = true // seen with the next frame
	m.give(t, frames[1])
	next(t, a)
	if !p.KeyFrameOnRequest(usual) || changes != 1 {
		t.Errorf("that it obeys is not told; %d changes", changes)
	}
	if err := p.RequestKeyFrame(t.Context(), usual); err != nil {
		t.Error(err)
	}
	if n := len(src.want); n != 0 {
		t.Errorf("asked %d times though nothing was lost", n)
	}
	b := p.open(t, h264()) // begins with what came before
	next(t, b)
	if n := len(src.want); n != 0 {
		t.Errorf("a reader who has all pictures asks %d times", n)
	}
}

// A reader who was too slow for what passes through has the source asked.
func TestASlowReaderHasTheSourceAsked(t *testing.T) {
	m, frames := native(t, 2)
	src := &asked{manual: m, want: make(chan struct{}, 100)}
	p := run(t, src, Config{})
	slow, quick := p.open(t, h264()), p.open(t, h264())
	m.expect(t, true)
	for len(src.want) > 0 {
		<-src.want
	}
	m.give(t, frames[0])
	next(t, quick)
	for range 2 * readerQueue {
		m.give(t, frames[1])
		next(t, quick)
	}
	if n := len(src.want); n != 0 {
		t.Errorf("asked %d times before anybody noticed", n)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = slow.Next(t.Context()) // the key frame that comes at last
	}()
	<-src.want
	m.give(t, frames[0])
	<-read
}
