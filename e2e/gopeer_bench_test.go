package e2e

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/video/decode"
)

// overGRPC is a camera whose frames come over gRPC.
type overGRPC struct {
	b       *testing.B
	address string
}

// Frames implements [decode.Source].
func (o overGRPC) Frames(ctx context.Context, _ int) iter.Seq2[*mediav1.VideoFrame, error] {
	return streamH264(o.b, ctx, o.address)
}

// BenchmarkGoPeer measures, in a Go program on the same machine, from the capture of a picture to its decoding: over
// gRPC, and as a peer over WebRTC, both of the same pictures at the same time. The ratio of the two is what WebRTC
// costs.
func BenchmarkGoPeer(b *testing.B) {
	const pictures, first = 900, 30
	robot := harness.StartRobot(b, harness.Options{
		Devices: "front: {kind: camera, source: test, width: 1280, height: 720, fps: 30}"})
	camera := robot.Device(b, "front")
	p := startGoPeer(b, robot)
	measure := func(s decode.Source) (ages []float64) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		defer cancel()
		for picture, err := range decode.Frames(ctx, s, decode.Options{}) {
			if err != nil {
				b.Error(err)
				continue
			}
			age := time.Since(picture.GetCaptureTime().AsTime())
			if ages = append(ages, float64(age.Microseconds())/1000); len(ages) == pictures+first {
				break
			}
		}
		return ages[min(first, len(ages)):] // the first of them wait for the stream to begin
	}
	var grpc, peer []float64
	var both sync.WaitGroup
	both.Go(func() { grpc = measure(overGRPC{b, camera.GRPCAddress}) })
	both.Go(func() { peer = measure(p.Camera("front")) })
	both.Wait()
	slices.Sort(grpc)
	slices.Sort(peer)
	harness.Report(b, "grpc", "ms", grpc)
	harness.Report(b, "peer", "ms", peer)
	b.ReportMetric(harness.Quantile(peer, 0.5)/harness.Quantile(grpc, 0.5), "ratio-p50")
	b.ReportMetric(harness.Quantile(peer, 0.99)/harness.Quantile(grpc, 0.99), "ratio-p99")
	b.ReportMetric(0, "ns/op")
}
