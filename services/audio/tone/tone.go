// Package tone is a microphone that needs no hardware: it hears a sine.
package tone

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/pace"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// Level is how loud the tone is, in dBFS.
const Level = -12

// Config describes the tone. Format and Hz are required.
type Config struct {
	Format pcm.Format
	Block  int     // frames at once; 0 means 10 ms
	Hz     float64 // above 0 and below half the rate
}

// Open prepares the tone. The error says what is impossible.
func Open(config Config) (card.Card, error) {
	if !(config.Hz > 0 && config.Hz < float64(config.Format.Rate)/2) {
		return card.Card{}, fmt.Errorf("tone: %v Hz, must be above 0 and below %d, half the rate", config.Hz, config.Format.Rate/2)
	}
	if config.Block == 0 {
		config.Block = config.Format.Frames(10 * time.Millisecond)
	}
	return card.Card{
		Microphone: &microphone{config: config, block: make([]float32, config.Block*config.Format.Channels)},
		Attributes: map[string]string{"microphone": fmt.Sprintf("tone of %v Hz", config.Hz)},
	}, nil
}

type microphone struct {
	config Config
	block  []float32
	phase  float64 // of the next frame, 0 to 1; it goes on from one Capture to the next
}

// Capture implements card.Microphone.
func (m *microphone) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	return pace.Run(ctx, m.config.Format, m.config.Block, func(at time.Time) error {
		m.paint()
		take(m.block, at)
		return nil
	})
}

func (m *microphone) paint() {
	amplitude, step := math.Pow(10, Level/20.0), m.config.Hz/float64(m.config.Format.Rate)
	for i := 0; i < len(m.block); i += m.config.Format.Channels {
		for c := range m.config.Format.Channels {
			m.block[i+c] = float32(amplitude * math.Sin(2*math.Pi*m.phase))
		}
		_, m.phase = math.Modf(m.phase + step)
	}
}
