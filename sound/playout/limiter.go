package playout

import "math"

// limiter turns the sum of all talkers down so far that it fits, without looking ahead.
type limiter struct {
	gain            float32
	attack, release float32 // share of the way that the gain goes in one frame
}

const (
	ceiling        = 0.8912509 // -1 dBFS
	attackSeconds  = 0.001
	releaseSeconds = 0.2
)

func newLimiter(rate int) limiter {
	share := func(seconds float64) float32 { return float32(1 - math.Exp(-1/(seconds*float64(rate)))) }
	return limiter{gain: 1, attack: share(attackSeconds), release: share(releaseSeconds)}
}

// apply limits samples; all channels of a frame are turned down alike.
func (l *limiter) apply(samples []float32, channels int) {
	for i := 0; i+channels <= len(samples); i += channels {
		frame := samples[i : i+channels]
		var peak float32
		for _, s := range frame {
			peak = max(peak, s, -s)
		}
		l.follow(peak)
		for c, s := range frame {
			frame[c] = bend(s * l.gain)
		}
	}
}

func (l *limiter) follow(peak float32) {
	wanted := float32(1)
	if peak > ceiling {
		wanted = ceiling / peak
	}
	switch {
	case wanted < l.gain:
		l.gain += (wanted - l.gain) * l.attack
	case l.gain < 0.9999:
		l.gain += (wanted - l.gain) * l.release
	default:
		l.gain = wanted
	}
}

// bend leaves what is below the ceiling as it is, and bends the rest so that it stays within [-1, 1].
func bend(s float32) float32 {
	over := max(s, -s) - ceiling
	if over <= 0 {
		return s
	}
	const room = 1 - ceiling
	bent := ceiling + room*math.Tanh(float64(over)/room)
	return float32(math.Copysign(bent, float64(s)))
}
