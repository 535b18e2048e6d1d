package pcm

import (
	"math"
	"sync"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
)

// Silence is the level of no sound at all, in dBFS; no level is lower.
const Silence = -100

// Meter measures how loud sound is. It is safe for concurrent use.
type Meter struct {
	mu      sync.Mutex
	squares float64
	peak    float32
	count   int
}

// Add measures samples, which must be clean.
func (m *Meter) Add(samples []float32) {
	var squares float64
	var peak float32
	for _, s := range samples {
		squares += float64(s) * float64(s)
		if s < 0 {
			s = -s
		}
		if s > peak {
			peak = s
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.squares += squares
	m.peak = max(m.peak, peak)
	m.count += len(samples)
}

// Take returns how loud it was since the last Take.
func (m *Meter) Take() *audiov1.Level {
	m.mu.Lock()
	defer m.mu.Unlock()
	level := &audiov1.Level{RmsDbfs: Silence, PeakDbfs: Decibels(float64(m.peak))}
	if m.count > 0 {
		level.RmsDbfs = Decibels(math.Sqrt(2 * m.squares / float64(m.count)))
	}
	m.squares, m.peak, m.count = 0, 0, 0
	return level
}

// Decibels is an amplitude in dBFS, at least Silence.
func Decibels(amplitude float64) float64 {
	if amplitude <= 0 {
		return Silence
	}
	return max(20*math.Log10(amplitude), Silence)
}
