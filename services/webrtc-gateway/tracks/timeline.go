package tracks

import (
	"math/rand/v2"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

const (
	audioRate = 48_000 // of RTP with Opus, per second
	// A frame may be this much further on than the time elapsed since the last one. Positions beyond that are invalid.
	maxAhead = 2 * audioRate
	// A gap of more packets than this is not concealed as a loss but treated as a new start: a second at 20 ms.
	maxGap = 50
)

// timeline assigns the frames of a stream their places, continuously over restarts of the device.
type timeline struct {
	started         bool
	epoch           int64
	sequence, index int64 // of the last frame
	count           int32 // its length
	arrival         time.Time
	outSequence     uint16
	outTimestamp    uint32
}

func newTimeline() timeline {
	return timeline{outSequence: uint16(rand.Uint32()), outTimestamp: rand.Uint32()}
}

// place returns the packet of a frame that came, or is replayed, at a time; nil for one that is late or repeated, and
// how many are missing before it.
func (t *timeline) place(f *mediav1.AudioFrame, now time.Time) (p *frame, missed int64) {
	steps, samples, begins := t.step(f, now)
	if steps == 0 {
		return nil, 0
	}
	if t.started && f.GetEpoch() == t.epoch {
		missed = f.GetSequence() - t.sequence - 1
	}
	t.started, t.epoch, t.arrival = true, f.GetEpoch(), now
	t.sequence, t.index, t.count = f.GetSequence(), f.GetSampleIndex(), f.GetSampleCount()
	t.outSequence += steps
	t.outTimestamp += samples
	return &frame{
		sequence: t.outSequence, timestamp: t.outTimestamp, begins: begins, key: true, data: f.GetData(), received: now,
	}, missed
}

// step is the distance of a frame from the last one; 0 steps mean that it does not come after it.
func (t *timeline) step(f *mediav1.AudioFrame, now time.Time) (steps uint16, samples uint32, begins bool) {
	elapsed := max(int64(t.count), samplesIn(now.Sub(t.arrival)))
	switch {
	case !t.started:
		return 1, 0, true
	case f.GetEpoch() != t.epoch:
		return 1, uint32(elapsed), true
	}
	steps64, samples64 := f.GetSequence()-t.sequence, f.GetSampleIndex()-t.index
	switch {
	case steps64 <= 0:
		return 0, 0, false
	case steps64 > maxGap || samples64 <= 0 || samples64 > elapsed+maxAhead:
		return 1, uint32(elapsed), true
	}
	return uint16(steps64), uint32(samples64), steps64 == 1 && samples64 > int64(t.count)
}

// samplesIn is the number of samples of one channel in a duration.
func samplesIn(d time.Duration) int64 { return int64(d.Seconds() * audioRate) }
