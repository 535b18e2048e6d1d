package dynamic

import "time"

// MaxDevices is how many devices are remembered.
const MaxDevices = maxDevices

// SetSettle changes how long definitions are kept at least.
func (d *Devices) SetSettle(to time.Duration) { d.settle = to }
