package e2e

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestBusCrash kills NATS under a running robot: gRPC streams never notice, and the page's video recovers by itself.
func TestBusCrash(t *testing.T) {
	address := harness.FreeAddress(t)
	bus := harness.StartBus(t, address)
	robot := harness.StartRobot(t, harness.Options{NATS: "nats://" + address})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	before := page.Connection(t)
	camera := robot.Device(t, "front")
	frames := watch(t, camera.GRPCAddress)

	for range 3 {
		bus.Kill(t)
		front.WaitState(t, "stale")
		seen := frames.Load()
		harness.Until(t, "gRPC frames while the bus is away", func() error {
			if frames.Load() < seen+15 {
				return errors.New("too few")
			}
			return nil
		})
		bus = harness.StartBus(t, address)
		front.WaitState(t, "live")
		front.WaitFrames(t, 10)
	}
	if after := page.Connection(t); !after.Same(before) {
		t.Errorf("the connection changed:\n%+v\n%+v", before, after)
	}
	if again := robot.Device(t, "front"); again.Epoch != camera.Epoch {
		t.Error("the camera restarted")
	}
}

// watch streams frames over gRPC until the test ends, and fails it if a frame is missing.
func watch(t *testing.T, address string) *atomic.Int64 {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{
		Format: &mediav1.VideoFormat{MediaType: "video/H264"}})
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := int64(-1)
		for {
			r, err := frames.Recv()
			if err != nil {
				if ctx.Err() == nil || errors.Is(err, io.EOF) {
					t.Errorf("the gRPC stream ended: %v", err)
				}
				return
			}
			if f := r.GetFrame(); last >= 0 && f.GetSequence() != last+1 && !f.GetKeyFrame() {
				t.Errorf("frame %d after %d", f.GetSequence(), last)
			}
			last = r.GetFrame().GetSequence()
			count.Add(1)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = conn.Close() // an error would lose nothing
	})
	return &count
}

// TestGatewayCrash kills the gateway: the page says so, does not blame the camera, and recovers by itself.
func TestGatewayCrash(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	harness.Eval[any](t, page, `(() => {
	  window.links = [];
	  window.waldo.robot.addEventListener('state', (e) => links.push(e.detail.state));
	})()`)
	for range 3 {
		harness.Crash(t, robot.Gateway(t))
		page.Until(t, "links.includes('gateway-lost')")
		page.Until(t, "window.waldo.robot.state === 'live'")
		front.WaitState(t, "live")
		front.WaitFrames(t, 10)
		harness.Eval[any](t, page, "links.length = 0")
	}
}

// TestGatewayStalls freezes the gateway without closing anything, like a cut network: only the page's own watchdog can
// notice.
func TestGatewayStalls(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	resume := harness.Freeze(t, robot.Gateway(t))
	start := time.Now()
	front.WaitState(t, "stale")
	page.Until(t, "window.waldo.robot.state === 'gateway-lost'")
	t.Logf("noticed after %v", time.Since(start))
	resume()
	page.Until(t, "window.waldo.robot.state === 'live'")
	front.WaitState(t, "live")
	front.WaitFrames(t, 10)
}
