package playout

import "math"

// Constants of the loop that holds the delay at its target.
const (
	maxCorrection = 0.005  // of the speed: a twelfth of a semitone
	maxDrift      = 0.001  // that the loop learns
	smoothing     = 2.0    // seconds over which the delay is averaged
	proportional  = 0.05   // speed for an error of one second: the error is gone after about 20 s
	integral      = 0.0006 // the same for an error of one second that lasts a second; a little less than critical
	targetSlope   = 0.003  // how fast the target moves; the speed follows it exactly
	// seconds that the target moves so slowly when the network has become better; more than that at once
	mostGlide = 0.060

	jumpError  = 0.040 // seconds that the delay has to be too long
	jumpWindow = 0.5   // all the time for so many seconds, until it is cut
)

// drift is a slow PI controller: it turns the error of the delay into a correction of the speed. All numbers are
// seconds.
type drift struct {
	target  float64
	smooth  float64 // error of the delay, averaged
	learned float64 // by how much the clocks differ
	slope   float64

	quickest float64 // what the delay is measured against
	least    float64 // how much too long the delay was at least, in the window that runs
	since    float64 // when it began
}

// begin restarts at a target, and keeps what was learned.
func (d *drift) begin(target, quickest float64) {
	*d = drift{target: target, learned: d.learned, quickest: quickest, least: math.Inf(1)}
}

// step takes the delay of now, after elapsed seconds, what it is measured against, and the target that would be good.
// It returns by how much sound is to be stretched, and how much had better be cut out at once.
func (d *drift) step(delay, quickest, wanted, elapsed float64) (stretch, cut float64) {
	d.target -= max(quickest-d.quickest, 0) // the delay is less by as much, though nothing that is heard has changed
	d.quickest = quickest
	if over := d.target - wanted - mostGlide; over > 0 {
		d.target, d.smooth = d.target-over, d.smooth+over
	}
	if there := min(wanted, delay); d.target < there { // what has become longer already need not be stretched
		d.target, d.smooth = there, delay-there
	}
	move := min(max(wanted-d.target, -targetSlope*elapsed), targetSlope*elapsed)
	d.target += move
	miss := delay - d.target
	d.smooth += (miss - d.smooth) * (1 - math.Exp(-elapsed/smoothing))
	d.learned = min(max(d.learned+integral*d.smooth*elapsed, -maxDrift), maxDrift)
	if d.least, d.since = min(d.least, delay-max(wanted, d.target)), d.since+elapsed; d.since >= jumpWindow {
		if d.least > jumpError {
			cut = d.least
		}
		d.least, d.since = math.Inf(1), 0
	}
	if elapsed > 0 {
		d.slope = move / elapsed
	}
	return min(max(d.slope-proportional*d.smooth-d.learned, -maxCorrection), maxCorrection), cut
}

// jump reports that the error of the delay has dropped at once by so many seconds.
func (d *drift) jump(by float64) { d.smooth -= by }
