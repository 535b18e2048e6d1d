package sim

import (
	"math"
	"time"

	linux "github.com/holoplot/go-evdev"

	"github.com/waldo-robot/waldo/services/input/source"
)

// The figure eight: half speed ahead, and the stick from one side to the other.
const (
	eightRound = 8 * time.Second
	eightStep  = 20 * time.Millisecond
	eightTurn  = 0.8
	eightSpeed = 0.5
	stickEnd   = 32767
)

// FigureEight drives ABS_X and ABS_Y the way a person drives a figure eight, 50 times a second, and taps
// BTN_SOUTH at the start of every round. Ahead is a stick pushed away from its user: ABS_Y below 0.
func FigureEight() Script {
	steps := int(eightRound / eightStep)
	script := make(Script, steps)
	for i := range script {
		turn := eightTurn * stickEnd * math.Sin(2*math.Pi*float64(i+1)/float64(steps))
		script[i] = Step{After: eightStep, Events: []source.Event{abs(linux.ABS_X, turn)}}
	}
	press := source.Event{Type: linux.EV_KEY, Code: linux.BTN_SOUTH, Value: 1}
	release := source.Event{Type: linux.EV_KEY, Code: linux.BTN_SOUTH}
	script[0].Events = append(script[0].Events, abs(linux.ABS_Y, -eightSpeed*stickEnd), press)
	script[10].Events = append(script[10].Events, release)
	return script
}

func abs(c linux.EvCode, value float64) source.Event {
	return source.Event{Type: linux.EV_ABS, Code: c, Value: int32(math.Round(value))}
}
