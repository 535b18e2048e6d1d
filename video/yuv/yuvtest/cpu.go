package yuvtest

import (
	"syscall"
	"testing"
	"time"
)

// MeasureCPU adds cpu-µs/op to a benchmark: the CPU time of this process. Unlike ns/op, it hardly grows when other
// programs keep the machine busy. Call it just before the loop, and what it returns just after.
func MeasureCPU(b *testing.B) (report func()) {
	start := cpuTime(b)
	return func() {
		b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	}
}

func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
