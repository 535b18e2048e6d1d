package sim

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pace"
)

// Level is how loud the tone is, in dBFS.
const Level = -12

// MicrophoneConfig describes a tone. Pace.Format and Hz are required.
type MicrophoneConfig struct {
	pace.Pace
	Hz float64 // above 0 and below half the rate
}

// OpenMicrophone returns a microphone that hears a sine. It fails if the frequency is out of range.
func OpenMicrophone(c MicrophoneConfig) (card.Card, error) {
	if !(c.Hz > 0 && c.Hz < float64(c.Format.Rate)/2) {
		return card.Card{}, fmt.Errorf("tone: %v Hz is out of range: use more than 0 and less than %d, half the rate", c.Hz,
			c.Format.Rate/2)
	}
	return card.Card{
		Microphone: &microphone{MicrophoneConfig: c},
		Attributes: map[string]string{"microphone": fmt.Sprintf("tone of %v Hz", c.Hz)},
	}, nil
}

type microphone struct {
	MicrophoneConfig
	samples []float32
	phase   float64 // of the next frame, 0 to 1; it goes on from one Capture to the next
}

// Capture implements card.Microphone.
func (m *microphone) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	return m.Run(ctx, func(at time.Time, frames int) error {
		m.paint(frames)
		take(m.samples, at)
		return nil
	})
}

// paint makes the next frames by turning a pointer from one to the next, which is much less work than a sine for each.
// It begins with the exact phase, so that errors do not add up.
func (m *microphone) paint(frames int) {
	amplitude, step := math.Pow(10, Level/20.0), m.Hz/float64(m.Format.Rate)
	y, x := math.Sincos(2 * math.Pi * m.phase)
	sin, cos := math.Sincos(2 * math.Pi * step)
	m.samples = m.samples[:0]
	for range frames {
		for range m.Format.Channels {
			m.samples = append(m.samples, float32(amplitude*y))
		}
		x, y = x*cos-y*sin, y*cos+x*sin
	}
	_, m.phase = math.Modf(m.phase + float64(frames)*step)
}
