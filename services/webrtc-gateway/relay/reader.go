package relay

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxReaderAge bounds how long a picture may have waited for its reader. What is older is of no use to anybody who drives by it.
const maxReaderAge = 500 * time.Millisecond

// errStreamEnded is what a reader gets when its device's stream is over.
var errStreamEnded = errors.New("the stream has ended")

// Picture is one encoded picture as a [Reader] hands it out. Its data is shared and must not be changed.
type Picture struct {
	Key     bool
	Capture time.Time
	Data    []byte // H.264, Annex B
}

// Reader receives whole pictures of a stream, for those that RTP does not reach. It keeps the rules of a [Viewer]: it begins with a key frame, and a
// reader that is too slow loses pictures up to the next one, which is asked for. Next must not be called by two goroutines at once.
type Reader struct {
	intake
	leave func()
	end   sync.Once
}

// NewReader returns a reader of a stream. Pictures wait for it from now on. It must be closed.
func (h *Hub) NewReader(s Stream) (*Reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.use(s)
	if err != nil {
		return nil, err
	}
	reader := &Reader{intake: newIntake(r), leave: func() { h.leave(s, r) }}
	r.join(&reader.intake)
	return reader, nil
}

// Next waits for the next picture.
func (r *Reader) Next(ctx context.Context) (Picture, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Picture{}, err
		}
		if f := r.take(time.Now()); f != nil {
			return Picture{Key: f.key, Capture: f.capture, Data: f.data}, nil
		}
		select {
		case <-ctx.Done():
		case <-r.relay.ctx.Done():
			return Picture{}, errStreamEnded
		case <-r.queue.wake:
		}
	}
}

// take returns the next picture that is not too old, nil if there is none.
func (r *Reader) take(now time.Time) *frame {
	f, replayed := r.queue.take()
	// What a reader is given to begin with, or again, may be old: it leads up to what is shown now.
	if f == nil || replayed || now.Sub(f.received) <= maxReaderAge {
		return f
	}
	r.relay.meters.lostByViewer.Add(float64(r.queue.clear() + 1))
	r.queue.take() // it has caught up: there is nothing left
	return nil
}

// AskKey says that the last pictures could not be used. It is heard as often as a viewer's wish for a key frame, and answered alike.
func (r *Reader) AskKey() { r.relay.refresh(&r.intake) }

// Close ends the reader.
func (r *Reader) Close() {
	r.end.Do(func() {
		r.relay.leave(&r.intake)
		r.leave()
	})
}
