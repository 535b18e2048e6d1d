package harness

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Report adds the median, the 99th percentile, and the maximum of the samples to a benchmark's line, under names such
// as shown-p50-ms.
func Report(b *testing.B, name, unit string, samples []float64) {
	b.Helper()
	if len(samples) == 0 {
		b.Fatalf("%s: nothing was measured", name)
	}
	slices.Sort(samples)
	b.ReportMetric(Quantile(samples, 0.5), fmt.Sprintf("%s-p50-%s", name, unit))
	b.ReportMetric(Quantile(samples, 0.99), fmt.Sprintf("%s-p99-%s", name, unit))
	b.ReportMetric(samples[len(samples)-1], fmt.Sprintf("%s-max-%s", name, unit))
}

// Noise measures the machine while a benchmark runs: how late a goroutine wakes from 5 ms of sleep. The result, which
// stop reports under noise-…-ms, is a lower bound for every program on this machine.
func Noise(b *testing.B) (stop func()) {
	b.Helper()
	quit, done := make(chan struct{}), make(chan []float64)
	go func() {
		const sleep = 5 * time.Millisecond
		var late []float64
		for {
			begin := time.Now()
			select {
			case <-quit:
				done <- late
				return
			case <-time.After(sleep):
				late = append(late, float64(time.Since(begin)-sleep)/float64(time.Millisecond))
			}
		}
	}()
	return func() {
		b.Helper()
		close(quit)
		Report(b, "noise", "ms", <-done)
	}
}

// Quantile returns the value below which the share q of the sorted samples lies (nearest rank).
func Quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// Median returns the median of sorted samples, and between which values that of what they are samples of lies with a
// confidence of at least 95 %, whatever their distribution is: half of them are expected on either side, so how many
// are follows the binomial distribution (the interval of the sign test). With fewer than six samples nothing is known.
func Median(sorted []float64) (low, median, high float64) {
	n := len(sorted)
	median = Quantile(sorted, 0.5)
	if n%2 == 0 {
		median = (sorted[n/2-1] + sorted[n/2]) / 2
	}
	rank, below, chance := 0, 0.0, math.Pow(0.5, float64(n)) // chance that exactly rank samples are below
	for below+chance <= 0.025 {
		below += chance
		chance *= float64(n-rank) / float64(rank+1)
		rank++
	}
	if rank == 0 {
		return math.Inf(-1), median, math.Inf(1)
	}
	return sorted[rank-1], median, sorted[n-rank]
}

// CPU is the processor time that a process has used, to the nanosecond. /proc/<pid>/stat counts in ticks, and is wrong
// for programs that wake up with them.
func CPU(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	const scheduler = 2 // the clock of a process that the scheduler keeps, as clock_getcpuclockid(3) names it
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &used); err != nil {
		tb.Fatalf("process %d: %v", pid, err)
	}
	return time.Duration(used.Nano())
}

// Switches is how often the threads of a process have gone to sleep, which is about how often they were woken.
func Switches(tb testing.TB, pid int) (n float64) {
	tb.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		tb.Fatalf("process %d: no threads: %v", pid, err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // the thread may have ended
		_, rest, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		line, _, _ := strings.Cut(rest, "\n")
		one, _ := strconv.Atoi(strings.TrimSpace(line))
		n += float64(one)
	}
	return n
}

// Resident is the resident memory of a process, in MiB.
func Resident(tb testing.TB, pid int) float64 {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

// Anonymous is the resident memory of a process that is not mapped from a file, in MiB: what it has allocated, without
// code.
func Anonymous(tb testing.TB, pid int) float64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nRssAnon:")
	line, _, _ := strings.Cut(rest, "\n")
	kB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(line), " kB"))
	if err != nil {
		tb.Fatalf("process %d: RssAnon is %q", pid, line)
	}
	return float64(kB) / 1024
}
