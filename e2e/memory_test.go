package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

const (
	// visiting is how long crowds visit a camera by default, leastVisits the least number of visits.
	visiting, leastVisits = 40 * time.Second, 3
	// mayKeep is how much memory, in MiB, visits may leave behind: more than the pictures of one reader need, and less
	// than half of what one visit leaves without package video/malloc.
	mayKeep = 12
	// eachReads is how many pictures a visitor reads.
	eachReads = 10
)

// crowds are groups of visitors. Their widths change from visit to visit.
var crowds = [][]*mediav1.VideoFormat{
	{{MediaType: "video/H264", FrameRateHz: 15}, {MediaType: "image/jpeg"},
		{MediaType: "video/raw", PixelFormat: "I420"}},
	{{MediaType: "video/VP8", FrameRateHz: 10}, {MediaType: "image/jpeg", FrameRateHz: 5},
		{MediaType: "video/raw", PixelFormat: "BGR24"}},
	{{MediaType: "video/H264"}, {MediaType: "video/VP8"},
		{MediaType: "video/raw", PixelFormat: "NV12", FrameRateHz: 10}},
}

// widths are the widths that visitors request, in turn.
var widths = []int32{320, 1280, 640, 960, 424, 848, 1120}

// TestMemoryStays keeps one reader on a camera while others with different formats come and go, and the machine is
// busy from time to time. The camera frees the memory of each visit: after many visits it uses about as much as before
// the first. WALDO_MEMORY_TIME=8m makes the test longer.
func TestMemoryStays(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{
		Devices: "front: {kind: camera, source: test, width: 1280, height: 720, fps: 30}"})
	camera := robot.Device(t, "front")
	watched := watch(t, camera.GRPCAddress)
	awaitMore(t, watched, 30)
	before := inUse(t, camera)
	t.Logf("one reader: %.1f MiB", before)
	load, idle := busyMachine(t)
	began, long := time.Now(), visitingTime(t)
	for n := 0; n < leastVisits || time.Since(began) < long; n++ {
		for i := range crowds {
			if (n+i)%2 == 1 {
				load()
			}
			visit(t, camera, n, i)
			idle()
		}
		awaitMore(t, watched, 5)
		var after float64
		harness.Until(t, fmt.Sprintf("the memory of visit %d is freed", n+1), func() error {
			if after = inUse(t, camera); after > before+mayKeep {
				return fmt.Errorf("%.1f MiB; it began with %.1f MiB, and may keep %d MiB more", after, before, mayKeep)
			}
			return nil
		})
		t.Logf("after visit %d, %v: %.1f MiB", n+1, time.Since(began).Round(time.Second), after)
	}
}

// visitingTime is how long crowds visit.
func visitingTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("WALDO_MEMORY_TIME")
	if text == "" {
		return visiting
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("WALDO_MEMORY_TIME: %v", err)
	}
	return long
}

// inUse is the memory that a device uses, in MiB: without Go's garbage, and without the free memory that Go returns to
// the system gradually.
func inUse(t *testing.T, d harness.Device) float64 {
	t.Helper()
	profile, err := http.Get("http://" + d.MetricsAddress + "/debug/pprof/heap?gc=1")
	check(t, err)
	_, err = io.Copy(io.Discard, profile.Body)
	check(t, err)
	check(t, profile.Body.Close())
	goHas := func(what string) float64 {
		return harness.Metric(t, d.MetricsAddress, "go_memstats_heap_"+what+"_bytes", "") / (1 << 20)
	}
	return harness.Anonymous(t, d.PID) - (goHas("idle") - goHas("released"))
}

// awaitMore waits until that many more pictures have arrived.
func awaitMore(t *testing.T, count *atomic.Int64, more int64) {
	t.Helper()
	want := count.Load() + more
	harness.Until(t, fmt.Sprintf("%d more pictures arrive", more), func() error {
		if missing := want - count.Load(); missing > 0 {
			return fmt.Errorf("%d are missing", missing)
		}
		return nil
	})
}

// visit lets a crowd read from a camera, and returns when it is gone.
func visit(t *testing.T, d harness.Device, n, crowd int) {
	t.Helper()
	var all sync.WaitGroup
	for i, kind := range crowds[crowd] {
		format := &mediav1.VideoFormat{MediaType: kind.MediaType, PixelFormat: kind.PixelFormat,
			FrameRateHz: kind.FrameRateHz, WidthPx: widths[(n+3*crowd+2*i)%len(widths)]}
		all.Go(func() {
			if err := readPictures(t.Context(), d.GRPCAddress, format); err != nil {
				t.Errorf("%v: %v", format, err)
			}
		})
	}
	all.Wait()
	harness.Until(t, "only one reader is left", func() error {
		if left := harness.Metric(t, d.MetricsAddress, "waldo_camera_readers", ""); left != 1 {
			return fmt.Errorf("there are %v", left)
		}
		return nil
	})
}

// readPictures is a visitor with its own connection.
func readPictures(ctx context.Context, address string, format *mediav1.VideoFormat) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // read only
	ctx, cancel := context.WithTimeout(ctx, 2*harness.Patience)
	defer cancel()
	camera := camerav1.NewCameraServiceClient(conn)
	pictures, err := camera.StreamFrames(ctx, &camerav1.StreamFramesRequest{Format: format})
	for range eachReads {
		if err == nil {
			_, err = pictures.Recv()
		}
	}
	return err
}

// busyMachine starts two programs per core. They spin between load and idle, and end with the test, even if it
// crashes.
func busyMachine(t *testing.T) (load, idle func()) {
	t.Helper()
	spin := fmt.Sprintf("while kill -0 %d; do i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; done", os.Getpid())
	var pids []int
	for range 2 * runtime.NumCPU() {
		pids = append(pids, harness.Start(t, nil, "/bin/sh", "-c", spin).PID())
	}
	var resume []func()
	load = func() {
		for _, one := range resume {
			one()
		}
	}
	idle = func() {
		resume = nil
		for _, pid := range pids {
			resume = append(resume, harness.Freeze(t, pid))
		}
	}
	idle()
	return load, idle
}
