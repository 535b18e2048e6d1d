package tracks

import "time"

// maxBurst is how long after its first frame a burst can last: by then any group has come over the bus.
const maxBurst = 2 * time.Second

// burst recognises the frames that a device has kept for the first who asks, everything since the last key frame: they
// come replayShare times faster than they were captured, or faster still. Only times of the same clock are compared,
// so the clocks of device and gateway need not agree.
type burst struct {
	epoch             int64 // of the device; 0 before the first frame
	captured, arrived time.Time
	over              bool
}

// includes reports whether the next frame belongs to a burst. Each life of a device begins with one, which may consist
// of a single frame.
func (b *burst) includes(epoch int64, captured, arrived time.Time) bool {
	if epoch != b.epoch {
		*b = burst{epoch: epoch, captured: captured, arrived: arrived}
		return true
	}
	took := arrived.Sub(b.arrived)
	if took > maxBurst || captured.Sub(b.captured) < replayShare*took {
		b.over = true
	}
	return !b.over
}
