package firmware_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// BenchmarkWatchdog stops 200 boards by silence, however long that takes: `go test -run '^$' -bench . -benchtime 1x`.
//
//	driven    from the moment the host writes a command to the moment both motors follow it
//	stopped   from the moment the host writes the last command to the moment both motors are off
//
// The board's watchdog is set to 250 ms from the command's arrival, counted in whole milliseconds of 1.024 ms. The
// line takes half a millisecond, and the simulator, which polls the port once a millisecond, up to one more.
func BenchmarkWatchdog(b *testing.B) {
	const boards, runs = 4, 50
	var mu sync.Mutex
	var driven, stops []float64
	var all sync.WaitGroup
	for range boards {
		board := startBoard(b, "rover")
		before := board.ready()
		all.Go(func() {
			for i := range int16(runs) {
				time.Sleep(rand.N(20 * time.Millisecond)) // the board's telemetry is in any phase
				sent := now()
				board.send(both(i + 1))
				after := board.until("the watchdog has stopped the motors", func(r record) bool {
					return slices.Equal(r.after(before), []wire.Command{both(i + 1), stopped})
				})
				last := after.motions[len(before.motions):]
				before = after
				mu.Lock()
				driven = append(driven, (last[0].at-sent).Seconds()*1000)
				stops = append(stops, (last[1].at-sent).Seconds()*1000)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	b.ReportMetric(0, "ns/op")
	report(b, "driven", driven)
	report(b, "stopped", stops)
	b.ReportMetric(250, "stopped-budget-ms")
}

// BenchmarkHang is the same for a sketch that hangs: from the hang to the reset by the processor's own watchdog, 256
// ms after the last loop.
func BenchmarkHang(b *testing.B) {
	const runs = 50
	board := startBoard(b, "hang")
	before := board.ready()
	var stops []float64
	for range runs {
		board.send(both(102))
		after := board.until("the board is reset", func(r record) bool {
			return slices.Equal(r.after(before), []wire.Command{both(102), stopped})
		})
		last := after.motions[len(before.motions):]
		stops = append(stops, (last[1].at-last[0].at).Seconds()*1000)
		before = board.until("it has started again", func(r record) bool { return len(r.telemetry) > len(after.telemetry)+1 })
	}
	b.ReportMetric(0, "ns/op")
	report(b, "reset", stops)
}

func report(b *testing.B, name string, ms []float64) {
	b.Helper()
	if len(ms) == 0 {
		b.Fatalf("%s: nothing was measured", name)
	}
	slices.Sort(ms)
	for part, metric := range map[float64]string{0.5: "p50", 0.99: "p99", 1: "max"} {
		b.ReportMetric(ms[max(int(part*float64(len(ms)))-1, 0)], fmt.Sprintf("%s-%s-ms", name, metric))
	}
}
