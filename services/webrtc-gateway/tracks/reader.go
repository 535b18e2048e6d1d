package tracks

import (
	"context"
	"errors"
	"time"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// maxReaderAge bounds how long a picture may wait for its reader. Older ones are useless for driving.
const maxReaderAge = 500 * time.Millisecond

// errStreamEnded is returned when the stream of the device has ended.
var errStreamEnded = errors.New("the stream has ended")

// Picture is one encoded picture as a [Reader] delivers it. Its data is shared and must not be changed.
type Picture struct {
	Key     bool
	Capture time.Time
	Data    []byte // as received from the device
	Codec   *codecs.Codec
}

// Reader receives whole pictures of a stream, for browsers that RTP does not reach. It follows the rules of a [Track]:
// it starts with a key frame, and a reader that is too slow skips to the next one, which is requested. Next must not be
// called by two goroutines at once.
type Reader struct{ *intake }

func newReader(share *stream.Share[source], c *codecs.Codec) *Reader {
	r := &Reader{newIntake(share)}
	r.codec = c
	share.Value.join(r.intake)
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
	// Pictures of an initial or repeated group may be old: they lead up to the current one.
	if f == nil || replayed || now.Sub(f.received) <= maxReaderAge {
		return f
	}
	r.meters.lostByReceiver.Add(float64(r.queue.clear() + 1))
	r.queue.take() // it has caught up: nothing is left
	return nil
}

// AskKey reports that the last pictures could not be used. It is limited and answered like a viewer's request for a key
// frame.
func (r *Reader) AskKey() { r.share.Value.refresh(r.intake) }

// Close ends the reader.
func (r *Reader) Close() { r.close() }
