package embedded_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// sides are the camera and the gateway on a bus where everybody may do everything, and on one with permissions.
func sides(b *testing.B) (cameras, gateways [2]*bus.ConnCloser) {
	open, err := embedded.Start(embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(open.Close)
	guarded := startRover(b, nil)
	connect := func() *bus.ConnCloser {
		c, err := bus.Connect(bus.Config{URL: open.URL()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		return c
	}
	return [2]*bus.ConnCloser{connect(), guarded.as(b, "front", nil)},
		[2]*bus.ConnCloser{connect(), guarded.as(b, "gateway", nil)}
}

// compare does the same on both sides in turn, and reports the medians and what permissions cost.
func compare(b *testing.B, do func(side int) error) {
	var took [2][]time.Duration
	for round := 0; b.Loop(); round++ {
		for i := range 2 {
			side := (i + round) % 2 // neither is always first
			began := time.Now()
			if err := do(side); err != nil {
				b.Fatal(err)
			}
			took[side] = append(took[side], time.Since(began))
		}
	}
	for side := range took {
		slices.Sort(took[side])
	}
	at := func(side int, share float64) float64 {
		return float64(took[side][int(share*float64(len(took[side])-1))].Nanoseconds()) / 1000
	}
	b.ReportMetric(at(0, 0.5), "open-us")
	b.ReportMetric(at(1, 0.5), "guarded-us")
	b.ReportMetric(at(1, 0.5)/at(0, 0.5), "ratio")
	b.ReportMetric(at(1, 0.99)/at(0, 0.99), "ratio-p99")
}

// BenchmarkPermissions compares a bus with permissions with one without, in turn: a call of the gateway to a camera,
// and frames from the camera to the gateway.
func BenchmarkPermissions(b *testing.B) {
	front := bus.Address{Robot: "rover", Device: "front"}
	b.Run("call", func(b *testing.B) {
		cameras, gateways := sides(b)
		var clients [2]devicev1.DeviceServiceClient
		for side := range 2 {
			serve(b, cameras[side], "front")
			clients[side] = devicev1.NewDeviceServiceClient(gateways[side].Client(front))
		}
		compare(b, func(side int) error {
			_, err := clients[side].GetDevice(b.Context(), &devicev1.GetDeviceRequest{})
			return err
		})
	})
	for _, size := range []int{2 << 10, 30 << 10, 900 << 10} {
		b.Run(fmt.Sprintf("frame-%dKiB", size>>10), func(b *testing.B) {
			cameras, gateways := sides(b)
			var readers [2]*bus.Subscription[*mediav1.VideoFrame]
			for side := range 2 {
				sub, err := bus.Subscribe[*mediav1.VideoFrame](gateways[side].Conn, front.Out("video"), stream.DropOldest(10))
				if err != nil {
					b.Fatal(err)
				}
				defer sub.Close()
				if err := gateways[side].Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
				readers[side] = sub
			}
			frame := &mediav1.VideoFrame{Data: make([]byte, size)}
			compare(b, func(side int) error {
				if err := cameras[side].Publish(front.Out("video"), frame); err != nil {
					return err
				}
				_, err := readers[side].Next(b.Context())
				return err
			})
		})
	}
}
