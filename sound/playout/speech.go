package playout

import (
	"time"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// read fills out with what is to be heard next. Now is when the first sample of out is asked for; by then everything in
// it has to be there.
func (r *remote) read(out []float32, now time.Time) {
	speed := float64(r.config.Rate) / 48000 * (1 + r.stretch)
	for made := 0; made < len(out); {
		for len(r.pending) == 0 {
			r.fetch(now, r.lasts(out[made:]))
		}
		bite := r.pending[:min(len(r.pending), mouthful*r.config.Channels)]
		used, n, err := r.converter.Process(bite, out[made:], speed, false)
		if err != nil || used+n == 0 {
			clear(out[made:])
			break
		}
		r.pending = r.pending[used:]
		made += n
	}
	r.meter.Add(out)
	if !r.waiting {
		var cut float64
		r.stretch, cut = r.drift.step(r.delay(r.playing(), now, 0), r.arrivals.quickest, r.wanted(), r.lasts(out))
		r.cutOut = max(r.cutOut, cut)
	}
}

// lasts is how many seconds samples of the speaker last.
func (r *remote) lasts(samples []float32) float64 {
	return float64(len(samples)/r.config.Channels) / float64(r.config.Rate)
}

// fetch makes something pending. The speaker still asks for rest seconds, all at once.
func (r *remote) fetch(now time.Time, rest float64) {
	r.waiting = r.waiting || r.delay(r.playing(), now, rest) > r.wanted()+tooLate
	if r.waiting && !r.due(now, rest) {
		r.spin()
		return
	}
	r.advance()
	if r.cutOut > 0 {
		r.cutAway()
	}
}

// due reports whether it is time to go on with the first packet that waits. Of packets that came in a burst it leaves
// out those that are too old.
func (r *remote) due(now time.Time, rest float64) bool {
	for p := r.queue.after(r.queue.next); p != nil; {
		wanted := r.wanted()
		if r.delay(p.index, now, rest) < wanted {
			return false
		}
		next := r.queue.after(p.sequence + 1)
		if next == nil || r.delay(next.index, now, rest) < wanted {
			r.queue.pass(p.sequence)
			r.position, r.waiting, r.cutOut, r.missing, r.spun = p.index, false, 0, 0, 0
			r.drift.begin(wanted, r.arrivals.quickest)
			return true
		}
		r.metrics.skipped.Add(float64(r.queue.pass(next.sequence)))
		p = next
	}
	return false
}

// advance makes the next packet pending, or what stands for it.
func (r *remote) advance() {
	p := r.queue.after(r.queue.next)
	switch {
	case p == nil:
		if !r.spinning {
			r.metrics.stalls.Inc()
		}
		r.spin()
	case p.sequence == r.queue.next && p.index-r.position < shortestPacket:
		r.play(p)
	case p.sequence == r.queue.next: // a pause that was not sent
		r.position, r.waiting = p.index, true
		r.spin()
	default:
		r.conceal(p)
	}
}

// play makes a packet pending.
func (r *remote) play(p *packet) {
	r.queue.pass(p.sequence + 1)
	samples, err := r.decoder.packet(p.data)
	if err != nil {
		r.metrics.garbage.Inc()
		r.metrics.byPLC.Inc()
		samples = r.decoder.madeUp(int(r.length))
	}
	r.length = int64(len(samples) / r.config.Channels)
	r.position = p.index + r.length
	r.missing, r.spun = 0, 0
	r.say(samples, 1)
}

// conceal makes something up for the packet whose turn it is, which is missing. Later is the first one behind it.
func (r *remote) conceal(later *packet) {
	count, gap := later.sequence-r.queue.next, later.index-r.position
	if r.missing++; count > mostMissing || gap > longestGap || gap < shortestPacket || r.missing > mostMissing {
		r.queue.pass(later.sequence)
		r.position, r.waiting, r.missing = later.index, true, 0
		r.spin()
		return
	}
	length := r.length
	if even := gap / count; even%shortestPacket == 0 {
		length = min(even, longestPacket)
	}
	r.queue.pass(r.queue.next + 1)
	r.position += length
	if count == 1 && carriesCopy(later.data) {
		if samples, err := r.decoder.before(later.data, int(length)); err == nil {
			r.metrics.byFEC.Inc()
			r.say(samples, 1)
			return
		}
	}
	r.metrics.byPLC.Inc()
	already := min(r.spun, length)
	r.spun -= already
	r.say(r.decoder.madeUp(int(length-already)), 1)
}

// spin makes a little sound pending that was never said: what was before goes on, and fades. Then r waits.
func (r *remote) spin() {
	if r.gain == 0 {
		r.waiting, r.spinning = true, true
		r.pending = r.decoder.silence(thread)
		return
	}
	r.say(r.decoder.madeUp(thread), 0)
	r.spinning = true
	r.spun += thread
}

// say makes samples pending, and moves the gain towards goal, 0 or 1.
func (r *remote) say(samples []float32, goal float32) {
	r.pending, r.spinning = samples, false
	if r.gain == 1 && goal == 1 {
		return
	}
	step := float32(1) / fadeIn
	if goal == 0 {
		step = -float32(1) / fadeOut
	}
	for i := range samples {
		if i%r.config.Channels == 0 {
			r.gain = min(max(r.gain+step, 0), 1)
		}
		samples[i] *= r.gain
	}
}

// cutAway drops as much of pending and of what follows as is to be cut out, if it is there, and fades from the one to
// the other.
func (r *remote) cutAway() {
	tail := r.tail[:copy(r.tail, r.pending)]
	before, left := r.playing(), int64(r.cutOut*pcm.OpusRate)
	r.cutOut = 0
	for r.queue.waiting > 0 && left >= r.length && !r.waiting {
		left -= r.length
		r.metrics.skipped.Inc()
		r.advance()
	}
	spare := len(r.pending) - len(tail)
	r.pending = r.pending[max(min(int(left)*r.config.Channels, spare), 0):]
	for i := range min(len(tail), len(r.pending)) {
		in := float32(i) / float32(len(tail))
		r.pending[i] = tail[i]*(1-in) + r.pending[i]*in
	}
	r.drift.jump(seconds(r.playing() - before))
}
