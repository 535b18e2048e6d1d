package hubtest_test

import (
	"slices"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/hubtest"
)

// BenchmarkLeaf calls a device of a robot in turns: on the robot's bus, from the hub over the leaf in the robot's
// account, and as a gateway, from the account that sees all robots. It reports medians and 99th percentiles in
// milliseconds, and by how much the leaf is slower.
func BenchmarkLeaf(b *testing.B) {
	h := hubtest.Start(b, "rover")
	r := h.Robot(b, "rover")
	serve(b, r.Conn(b), 200)
	ways := []struct {
		name string
		conn *bus.ConnCloser
		took []time.Duration
	}{{"direct", r.Conn(b), nil}, {"leaf", hubtest.Connect(b, h.RobotConfig(b, "rover")), nil}, {"cloud", h.Cloud(b), nil}}
	for _, w := range ways {
		hubtest.Await(b, "the device answers", func() bool { return ask(b, w.conn) == nil })
	}
	b.ResetTimer()
	for range b.N {
		for i := range ways {
			begun := time.Now()
			if err := ask(b, ways[i].conn); err != nil {
				b.Fatal(err)
			}
			ways[i].took = append(ways[i].took, time.Since(begun))
		}
	}
	b.StopTimer()
	for i := range ways {
		w := &ways[i]
		slices.Sort(w.took)
		b.ReportMetric(milliseconds(at(w.took, 50)), w.name+"-p50-ms")
		b.ReportMetric(milliseconds(at(w.took, 99)), w.name+"-p99-ms")
		if i > 0 {
			b.ReportMetric(milliseconds(at(w.took, 50)-at(ways[0].took, 50)), w.name+"-adds-p50-ms")
			b.ReportMetric(milliseconds(at(w.took, 99)-at(ways[0].took, 99)), w.name+"-adds-p99-ms")
		}
	}
}

func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ask(b *testing.B, c *bus.ConnCloser) error {
	b.Helper()
	_, err := devicev1.NewDeviceServiceClient(c.Client(front)).GetDevice(b.Context(), &devicev1.GetDeviceRequest{})
	return err
}
