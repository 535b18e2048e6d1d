package tracks

import (
	"sync"

	"golang.org/x/time/rate"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/codecs"
)

// intake is what everybody who receives a stream has, by RTP or not: a share in the source, the frames that wait, and the wishes for key
// frames.
type intake struct {
	share *stream.Share[source]
	*fan
	queue *queue
	codec *codecs.Codec // that was agreed on; nil: any. Set before it joins
	wish  keyWish
	again *rate.Limiter // of groups that are sent once more
	end   sync.Once
}

func newIntake(share *stream.Share[source]) intake {
	f := share.Value.common()
	f.meters.receivers.Inc()
	return intake{
		share: share, fan: f, queue: newQueue(), wish: newKeyWish(), again: rate.NewLimiter(rate.Every(againGap), againBurst),
	}
}

// push queues a frame and reports whether a key frame is needed. It never waits.
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

// close gives the share back. It may be called more than once.
func (i *intake) close() {
	i.end.Do(func() {
		i.remove(i)
		i.share.Release()
		i.meters.receivers.Dec()
	})
}
