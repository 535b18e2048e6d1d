package simboard

import (
	"math"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

// rover is the rover on the board. It is simulated up to a moment; the motors change only at such moments.
type rover struct {
	world *simworld.World

	at          time.Time // simulated up to here
	left, right int       // duties
	commanded   time.Time // when the last valid command came
	stopped     bool      // by the watchdog
	pose        simworld.Pose
	bumped      bool
	battery     battery
}

// obey sets the motors at the moment up to which the rover has been simulated.
func (r *rover) obey(c command, now time.Time) {
	r.left, r.right = clamp(c.left), clamp(c.right)
	r.commanded, r.stopped = now, false
}

func clamp(duty int16) int {
	return max(-simworld.MaxDuty, min(simworld.MaxDuty, int(duty)))
}

// advance simulates up to now. The watchdog fires exactly when it is due, however late this is called.
func (r *rover) advance(now time.Time) {
	if due := r.commanded.Add(watchdog); !r.stopped && !now.Before(due) {
		r.run(due)
		r.left, r.right, r.stopped = 0, 0, true
	}
	r.run(now)
}

// run drives with the current duties until a moment.
func (r *rover) run(until time.Time) {
	dt := until.Sub(r.at)
	if dt <= 0 {
		return
	}
	r.at = until
	r.pose, r.bumped = r.world.Move(r.pose, simworld.Speed(r.left), simworld.Speed(r.right), dt)
	r.battery.run(math.Abs(float64(r.left))+math.Abs(float64(r.right)), dt)
}

func (r *rover) telemetry(uptime time.Duration, start simworld.Pose) telemetry {
	t := telemetry{
		uptime: uint32(uptime.Milliseconds()), left: int16(r.left), right: int16(r.right),
		odometry: r.pose.Odometry(start), battery: r.battery.millivolts(),
	}
	if r.stopped {
		t.flags |= flagWatchdog
	}
	if r.left != 0 || r.right != 0 {
		t.flags |= flagMoving
	}
	if r.bumped {
		t.flags |= flagBumper
	}
	return t
}
