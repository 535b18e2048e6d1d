// Package firmware_test runs the rover's firmware, as it is flashed, on a simulated Arduino Uno, and drives it over
// its serial port. It needs the output of firmware/build in the folder named by WALDO_FIRMWARE.
//
// Under load the simulator may lag behind the clock, or stand still for a while, unnoticed by the board. So tests
// compare times of the board with each other, or require that something took long enough. They never require that it
// was quick.
package firmware_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
