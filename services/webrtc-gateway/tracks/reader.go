package tracks

import (
	"context"
	"errors"
	"time"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/codecs"
)

// maxReaderAge bounds how long a picture may have waited for its reader. What is older is of no use to anybody who drives by it.
const maxReaderAge = 500 * time.Millisecond

// errStreamEnded is what a reader gets when its device's stream is over.
var errStreamEnded = errors.New("the stream has ended")

// Picture is one encoded picture as a [Reader] hands it out. Its data is shared and must not be changed.
type Picture struct {
	Key     bool
	Capture time.Time
	Data    []byte // as the device made it
	Codec   *codecs.Codec
}

// Reader receives whole pictures of a stream, for those that RTP does not reach. It keeps the rules of a [Track]: it begins with a key frame, and a
// reader that is too slow loses pictures up to the next one, which is asked for. Next must not be called by two goroutines at once.
type Reader struct{ intake }

func newReader(share *stream.Share[source], c *codecs.Codec) *Reader {
	r := &Reader{newIntake(share)}
	r.codec = c
	share.Value.join(&r.intake)
	return r
}

// Next waits for the next picture.
func (r *Reader) Next(ctx context.Context) (Picture, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Picture{}, err
		}
		if f := r.take(time.Now()); f != nil {
			return Picture{Key: f.key, Capture: f.capture, Data: f.data, Codec: f.codec}, nil
		}
		select {
		case <-ctx.Done():
		case <-r.share.Ended():
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
	r.meters.lostByReceiver.Add(float64(r.queue.clear() + 1))
	r.queue.take() // it has caught up: there is nothing left
	return nil
}

// AskKey says that the last pictures could not be used. It is heard as often as a viewer's wish for a key frame, and answered alike.
func (r *Reader) AskKey() { r.share.Value.refresh(&r.intake) }

// Close ends the reader.
func (r *Reader) Close() { r.close() }
