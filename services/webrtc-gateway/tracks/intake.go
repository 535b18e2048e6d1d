package tracks

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// intake is what every receiver of a stream has, by RTP or not: a share in the source, the queued frames, and its
// requests for key frames.
type intake struct {
	share *stream.Share[source]
	*fan
	queue *queue
	codec *codecs.Codec // the negotiated one, nil for any; set before join
	wish  keyWish
	again *rate.Limiter // of replayed groups
	fresh bool          // it gets no frames from before it joined, if there can be a new key frame; set before join
	end   sync.Once

	// Guarded by the fan's mu once it has joined.
	keysOnly bool
	lastKey  time.Time
}

// keysEvery is how often there is a key frame for an intake that gets nothing else.
const keysEvery = 2 * time.Second

func newIntake(share *stream.Share[source]) *intake {
	f := share.Value.common()
	f.meters.receivers.Inc()
	return &intake{
		share: share, fan: f, queue: newQueue(), wish: newKeyWish(), again: rate.NewLimiter(rate.Every(againGap), againBurst),
	}
}

// push queues a frame and reports whether a key frame is needed. It never blocks.
func (i *intake) push(f *frame) (needKey bool) {
	if i.codec != nil && f.codec != i.codec {
		i.meters.lostUnusable.Inc()
		return false
	}
	if i.keysOnly && !f.key {
		return f.received.Sub(i.lastKey) >= keysEvery
	}
	if f.key {
		i.lastKey = f.received
	}
	lost, needKey := i.queue.put(f)
	needKey = i.wish.due(f.key) || needKey
	if lost > 0 {
		i.meters.lostByReceiver.Add(float64(lost))
	}
	return needKey
}

// onlyKeys says whether the intake gets key frames only. What comes after them can be used again from the next one on.
func (i *intake) onlyKeys(only bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keysOnly && !only {
		i.queue.starve()
	}
	i.keysOnly = only
}

// close releases the share. It may be called more than once.
func (i *intake) close() {
	i.end.Do(func() {
		i.remove(i)
		i.share.Release()
		i.meters.receivers.Dec()
	})
}
