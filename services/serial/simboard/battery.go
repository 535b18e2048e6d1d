package simboard

import (
	"math"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

// Two cells of lithium polymer, in millivolts.
const (
	full, empty = 8400, 6400
	// maxSag is how far the voltage sags at full load, and sagTime the time constant of the sag and the
	// recovery.
	maxSag  = 250
	sagTime = 2 * time.Second
	// driveTime empties a full battery at full load. restTime fills an empty one, so that a rover left
	// alone is ready again.
	driveTime = 30 * time.Minute
	restTime  = 3 * time.Hour
)

// battery sags under load at once, and runs down slowly.
type battery struct {
	charge float64 // 0 to 1
	sag    float64 // millivolts
}

func charged() battery { return battery{charge: 1} }

// run loads the battery for some time; duty is the sum over both motors, regardless of sign.
func (b *battery) run(duty float64, dt time.Duration) {
	load := duty / (2 * simworld.MaxDuty)
	if load > 0 {
		b.charge -= load * dt.Seconds() / driveTime.Seconds()
	} else {
		b.charge += dt.Seconds() / restTime.Seconds()
	}
	b.charge = max(0, min(1, b.charge))
	b.sag += (maxSag*load - b.sag) * -math.Expm1(-dt.Seconds()/sagTime.Seconds())
}

// millivolts is the board's reading: 10 bits of 5 V, behind a divider by two.
func (b *battery) millivolts() uint16 {
	const steps, reference = 1023, 2 * 5000
	voltage := max(empty, empty+(full-empty)*b.charge-b.sag)
	adc := int(math.Round(voltage * steps / reference))
	return uint16((adc*reference + steps/2) / steps)
}
