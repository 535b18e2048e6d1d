package bus_test

import (
	"context"
	"fmt"
	"testing"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// BenchmarkMessage is a frame from Publish to the reader, over a real server: an encoded one, and a raw one that is
// split.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{8 << 10, 1400 << 10} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			reader, writer := pair(b)
			sub := subscribe[*mediav1.VideoFrame](b, reader, front.Out("video"), stream.DropOldest(10))
			f := frame(0, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := writer.Publish(front.Out("video"), f); err != nil {
					b.Fatal(err)
				}
				if _, err := sub.Next(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCall(b *testing.B) {
	client, server := pair(b)
	serve(b, server, bus.ServiceConfig{}, &fakeDevice{get: named(front)})
	device := deviceClient(client, front)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := device.GetDevice(context.Background(), &devicev1.GetDeviceRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
