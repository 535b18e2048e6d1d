package preprocess

import (
	"context"
	"time"

	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/source"
)

// Capture implements [source.Source].
func (s *Source) Capture(ctx context.Context, deliver func(source.Frame)) error {
	reader, err := s.inner.Open(bgr())
	if err != nil {
		return err
	}
	defer reader.Close()
	ctx, cancel := context.WithCancel(ctx)
	frames, failed := make(chan source.Frame), make(chan error, 1)
	go func() {
		failed <- read(ctx, reader, frames)
		close(frames)
	}()
	defer func() {
		cancel()
		for range frames { // until the goroutine has ended
		}
	}()
	s.talk.resume(s.hook, deliver)
	defer s.talk.pause()
	for {
		timer, due := s.talk.timer()
		select {
		case f, ok := <-frames:
			if !ok {
				return endOf(ctx, <-failed)
			}
			s.talk.follow(s.fits(f.Format))
			s.talk.give(f)
		case picture := <-s.talk.pictures():
			s.talk.hear(s.talk.line.back(time.Now(), picture))
		case <-s.news:
			s.talk.follow(s.current())
		case <-due:
			s.talk.hear(s.talk.line.tick(time.Now()))
		case <-s.ended:
			return s.gone()
		case <-ctx.Done():
			return nil
		}
		timer.Stop()
	}
}

// read passes frames on until the reader or ctx ends.
func read(ctx context.Context, reader *pipeline.Reader, to chan<- source.Frame) error {
	for {
		f, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		select {
		case to <- source.Frame{Format: f.GetFormat(), Time: f.GetCaptureTime().AsTime(), Data: f.GetData(), Key: true,
			Metadata: f.GetMetadata()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endOf is how a capture ends whose reader has failed.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// talk is the conversation with the command. It belongs to the goroutine that captures, and outlasts a capture.
type talk struct {
	line  line
	child *child
	left  *child // one that does not keep its side, and is ending
}

// resume begins to deliver.
func (t *talk) resume(h *Hook, deliver func(source.Frame)) {
	t.line.pass = func(f source.Frame, result string) {
		h.count(result)
		deliver(f)
	}
	t.line.begin(time.Now())
}

// pause forgets the pictures that nobody waits for any longer.
func (t *talk) pause() { t.line.drop() }

// follow turns to the present command.
func (t *talk) follow(c *child) {
	if c == t.left {
		c = nil
	}
	switch {
	case c == t.child:
	case c == nil:
		t.child = nil
		t.line.end(time.Now())
	default:
		t.child, t.left = c, nil
		t.line.start(time.Now())
	}
}

// give gives a picture to the command, if there is one and it has room.
func (t *talk) give(f source.Frame) {
	if t.line.add(time.Now(), f) {
		t.child.in <- f.Data // has room for all that can be inside
	}
}

// hear ends a command that does not keep its side.
func (t *talk) hear(why error) {
	if why == nil || t.child == nil {
		return
	}
	t.child.end(why)
	t.left = t.child
	t.follow(nil)
}

// pictures are what the command makes, nil if there is none.
func (t *talk) pictures() <-chan []byte {
	if t.child == nil {
		return nil
	}
	return t.child.out
}

// timer fires when something is due.
func (t *talk) timer() (*time.Timer, <-chan time.Time) {
	at, ok := t.line.next()
	if !ok {
		return time.NewTimer(time.Hour), nil
	}
	timer := time.NewTimer(time.Until(at))
	return timer, timer.C
}
