package relay

import (
	"time"

	"golang.org/x/time/rate"
)

// intake is what everybody who gets a stream has, by RTP or not: the frames that wait, and the wishes for key frames.
type intake struct {
	relay *relay
	queue *queue
	wish  keyWish
	again *rate.Limiter // of groups that are sent once more
}

func newIntake(r *relay) intake {
	return intake{relay: r, queue: newQueue(), wish: newKeyWish(), again: rate.NewLimiter(rate.Every(againGap), againBurst)}
}

// push queues a frame and reports whether a key frame is needed. It never waits.
func (i *intake) push(f *frame) (needKey bool) {
	lost, needKey := i.queue.put(f)
	needKey = i.wish.due(f.key) || needKey
	if lost > 0 {
		i.relay.meters.lostByViewer.Add(float64(lost))
	}
	return needKey
}

// join starts an intake: it gets the group if there is one, or else a key frame is asked for.
func (r *relay) join(i *intake) {
	r.mu.Lock()
	r.intakes[i] = struct{}{}
	replayed := i.queue.begin(r.group.Frames())
	flowing := r.flowing
	r.mu.Unlock()
	if flowing && !replayed {
		r.askKey()
	}
}

// refresh helps an intake that cannot go on without a key frame: with a new one or, if the device makes none on request, with the group once
// more. What was sent to begin with may be lost as a whole: a browser throws away what comes before it has read the answer.
func (r *relay) refresh(i *intake) {
	if r.feed.KeyFrameOnRequest() {
		if i.wish.make() {
			r.keys.ask()
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, started := r.intakes[i]; started && i.again.Allow() {
		i.queue.again(r.group.Frames(), time.Now())
	}
}

func (r *relay) leave(i *intake) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.intakes, i)
}
