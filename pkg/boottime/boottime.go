// Package boottime has the clock that all processes of a machine share, and that neither jumps nor stops while the
// machine sleeps: CLOCK_BOOTTIME of Linux.
package boottime

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the time since the machine was started.
func Now() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // fails only for a clock that there is not; Linux has it since 2.6.39
	return time.Duration(t.Nano())
}

// Run names the run of the machine, from its start to its end: times of different runs are not to be compared.
func Run() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("which run of the machine this is: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
