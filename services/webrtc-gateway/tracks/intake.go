package tracks

import (
	"sync"

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
	end   sync.Once
}

func newIntake(share *stream.Share[source]) intake {
	f := share.Value.common()
	f.meters.receivers.Inc()
	return intake{
		share: share, fan: f, queue: newQueue(), wish: newKeyWish(), again: rate.NewLimiter(rate.Every(againGap), againBurst),
	}
}

// push queues a frame and reports whether a key frame is needed. It never blocks.
func (i *intake) push(f *frame) (needKey bool) {
	if i.codec != nil && f.codec != i.codec {
		i.meters.lostUnusable.Inc()
		return false
	}
	lost, needKey := i.queue.put(f)
	needKey = i.wish.due(f.key) || needKey
	if lost > 0 {
		i.meters.lostByReceiver.Add(float64(lost))
	}
	return needKey
}

// close releases the share. It may be called more than once.
func (i *intake) close() {
	i.end.Do(func() {
		i.remove(i)
		i.share.Release()
		i.meters.receivers.Dec()
	})
}
