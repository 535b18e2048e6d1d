package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// BenchmarkStop measures, 200 times for each way in which driving ends, how long the wire keeps moving the motors:
// from just before the kill to the first zero command, after which none moves.
func BenchmarkStop(b *testing.B) {
	near := startRide(b, nil)
	for _, e := range endings {
		b.Run(e.name, func(b *testing.B) {
			r := near
			if e.network {
				r = startRide(b, harness.StartNetwork(b))
			}
			var took []float64
			for range 200 {
				took = append(took, milliseconds(r.stop(b, e)))
			}
			harness.Report(b, "stop", "ms", took)
			b.ReportMetric(0, "ns/op")
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// BenchmarkKeyToWire measures from a key's event in Chromium (its timeStamp) to the matching command on the serial
// wire.
func BenchmarkKeyToWire(b *testing.B) {
	for _, with := range []struct {
		name    string
		devices []string
	}{
		{"alone", nil},
		{"with video", []string{"front: {kind: camera, source: test, width: 640, height: 480, fps: 30}"}},
	} {
		b.Run(with.name, func(b *testing.B) {
			r := startRide(b, nil, with.devices...)
			if with.devices != nil {
				r.page.Tile(b, "front").WaitFrames(b, 30)
			}
			begin(b, r.page)
			defer harness.Noise(b)()
			harness.Report(b, "wire", "ms", r.keysToWire(b, 1000))
			b.ReportMetric(0, "ns/op")
		})
	}
}

// keysToWire presses and releases a key several times, at moments unrelated to the rhythm of the commands.
func (r *ride) keysToWire(b *testing.B, times int) (took []float64) {
	b.Helper()
	harness.Eval[any](b, r.page, `(() => {
	  window.keys = [];
	  for (const type of ['keydown', 'keyup']) addEventListener(type, (e) => keys.push(performance.timeOrigin + e.timeStamp), { capture: true });
	})()`)
	for i := range times {
		began := time.Now()
		wanted := full
		if i%2 == 0 {
			byKey.push(b, r.page)
		} else {
			byKey.rest(b, r.page)
			wanted = func(m harness.Motion) bool { return !m.Moves() }
		}
		// The command before the event repeats until it.
		arrived := r.wire.AwaitMotion(b, began, "the command", wanted)
		event := harness.Eval[float64](b, r.page, "keys.at(-1)")
		took = append(took, float64(arrived.At.UnixNano())/1e6-event)
		time.Sleep(rand.N(40 * time.Millisecond))
	}
	if n := harness.Eval[int](b, r.page, "keys.length"); n != times {
		b.Fatal(fmt.Errorf("%d events of %d", n, times))
	}
	return took
}
