package tracks

import (
	"context"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// tap is where the frames of a track come from: one source, and while that is to change, also the next. The next takes
// its place with its first frame, which a decoder can start with. Until then the frames of the one before go on.
type tap struct {
	open func(context.Context, Stream) (*stream.Share[source], error)
	turn chan struct{} // has a value when there is another next source

	mu       sync.Mutex
	from     *intake
	next     *intake       // nil: none
	codec    *codecs.Codec // the negotiated one; nil before join
	keysOnly bool
	closed   bool
}

func newTap(
	share *stream.Share[source], open func(context.Context, Stream) (*stream.Share[source], error),
) *tap {
	return &tap{open: open, from: newIntake(share), turn: make(chan struct{}, 1)}
}

// source returns the source whose frames are sent.
func (t *tap) source() *intake {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.from
}

// join starts the flow of frames in a codec.
func (t *tap) join(c *codecs.Codec) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codec, t.from.codec = c, c
	t.from.share.Value.join(t.from)
}

// change has the frames of a stream with the same content take the place of the present ones, and says whether only
// its key frames are wanted. It does nothing before join.
func (t *tap) change(ctx context.Context, s Stream, keysOnly bool) error {
	if !t.prepare(s, keysOnly) {
		return nil
	}
	share, err := t.open(ctx, s)
	if err != nil {
		return err
	}
	i := newIntake(share)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		i.close()
		return nil
	}
	i.codec, i.fresh, i.keysOnly = t.codec, true, t.keysOnly
	t.next = i
	share.Value.join(i)
	select {
	case t.turn <- struct{}{}:
	default:
	}
	return nil
}

// prepare makes way for the next source, and reports whether there has to be one.
func (t *tap) prepare(s Stream, keysOnly bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.codec == nil || t.codec.Independent {
		return false
	}
	t.keysOnly = keysOnly
	for _, i := range []*intake{t.from, t.next} {
		if i != nil {
			i.onlyKeys(keysOnly)
		}
	}
	if t.next != nil && t.next.stream != s {
		t.next.close()
		t.next = nil
	}
	return t.next == nil && t.from.stream != s
}

// wait returns when there may be frames, or at a time if that is not nil; false if it was stopped.
func (t *tap) wait(stop <-chan struct{}, until <-chan time.Time) bool {
	t.mu.Lock()
	from, next := t.from.queue.wake, (<-chan struct{})(nil)
	if t.next != nil {
		next = t.next.queue.wake
	}
	t.mu.Unlock()
	select {
	case <-stop:
		return false
	case <-t.turn:
	case <-until:
	case <-from:
	case <-next:
	}
	return true
}

// take returns the oldest frame, nil if there is none, whether it belongs to an initial group, and whether it is the
// first of another source. What is left of the one before it is superseded.
func (t *tap) take() (f *frame, replayed, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil {
		if f, replayed = t.next.queue.take(); f != nil {
			t.from.close()
			t.from, t.next = t.next, nil
			return f, replayed, true
		}
	}
	f, replayed = t.from.queue.take()
	return f, replayed, false
}

// close releases the sources. It may be called more than once.
func (t *tap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.from.close()
	if t.next != nil {
		t.next.close()
	}
}
