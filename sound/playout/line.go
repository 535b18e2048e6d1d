package playout

import "math"

// line is the sound of a feed that waits: a ring of samples, which starts and ends softly wherever it runs dry.
type line struct {
	channels int
	ring     []float32
	first    int // sample to be played next
	size     int
	start    int // samples that have to wait before the first is played

	running bool
	waited  int     // samples that could have been played while some waited
	gain    float32 // rises when it starts
	rise    float32 // in a frame
	last    [2]float32
	fall    float32 // what is left of last after one frame, when it runs dry
}

// Below faint, what is left of a sound is taken for silence.
const faint = 1e-5

func newLine(c Config) line {
	frames := func(seconds float64) int { return int(seconds * float64(c.Rate)) }
	return line{
		channels: c.Channels,
		ring:     make([]float32, frames(feedRoom.Seconds())*c.Channels),
		start:    frames(feedStart.Seconds()) * c.Channels,
		rise:     1 / float32(frames(0.005)),
		fall:     float32(math.Exp(-1 / (0.002 * float64(c.Rate)))),
	}
}

// push queues as many of samples as there is room for, and returns how many.
func (l *line) push(samples []float32) int {
	n := min(len(samples), len(l.ring)-l.size)
	end := (l.first + l.size) % len(l.ring)
	copied := copy(l.ring[end:], samples[:n])
	copy(l.ring, samples[copied:n])
	l.size += n
	return n
}

// pop fills out, and returns how many samples of it were queued. It starts when enough is queued or has waited for long
// enough, or in a hurry.
func (l *line) pop(out []float32, hurry bool) (n int) {
	if !l.running && l.size > 0 {
		l.running = hurry || l.size >= l.start || l.waited >= l.start
		l.waited += len(out)
		l.gain = 0
	}
	if l.running {
		n = min(l.size, len(out))
		copied := copy(out[:n], l.ring[l.first:])
		copy(out[copied:n], l.ring)
		l.first, l.size = (l.first+n)%len(l.ring), l.size-n
		l.running, l.waited = n == len(out), 0
	}
	l.fadeIn(out[:n])
	for i := n; i < len(out); i++ {
		c := i % l.channels
		if l.last[c] *= l.fall; l.last[c] < faint && l.last[c] > -faint {
			l.last[c] = 0
		}
		out[i] = l.last[c]
	}
	return n
}

// fadeIn begins where the last sound left off, and remembers where this one does.
func (l *line) fadeIn(out []float32) {
	for i := 0; i < len(out) && l.gain < 1; i++ {
		c := i % l.channels
		if c == 0 {
			l.gain = min(l.gain+l.rise, 1)
		}
		l.last[c] *= l.fall
		out[i] = out[i]*l.gain + l.last[c]
	}
	if len(out) >= l.channels {
		copy(l.last[:], out[len(out)-l.channels:])
	}
}

func (l *line) waiting() int { return l.size }

func (l *line) drop() { l.size, l.running = 0, false }

// silent reports whether even the end of the last sound has been played.
func (l *line) silent() bool { return !l.running && l.last == [2]float32{} }
