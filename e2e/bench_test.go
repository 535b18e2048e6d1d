package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// Each benchmark runs once, however long that takes: `go test -run '^$' -bench . -benchtime 1x`. `make bench` does.

// BenchmarkCaptureToShown measures from the stamp that the camera paints into each picture to the moment Chromium
// shows it.
//
//	received   the last packet of the frame is in Chromium (requestVideoFrameCallback's receiveTime)
//	shown      Chromium has handed it to the compositor (presentationTime)
//	vsync      it will be on the screen (expectedDisplayTime), which adds up to two refreshes of a 60 Hz display
func BenchmarkCaptureToShown(b *testing.B) {
	for _, size := range []struct{ width, height int }{{640, 480}, {1280, 720}} {
		b.Run(fmt.Sprintf("%dx%d", size.width, size.height), func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{Devices: fmt.Sprintf(
				"front: {kind: camera, source: test, width: %d, height: %d, fps: 30}", size.width, size.height)})
			page := harness.StartBrowser(b).Open(b, robot.URL)
			page.Tile(b, "front").WaitFrames(b, 60)
			defer harness.Noise(b)()
			measureLatency(b, page, 900)
		})
	}
}

// BenchmarkPlayoutDelay compares, in one run, a player that asks for the header extension playout-delay with one that
// does not, as with servers that do not send it.
func BenchmarkPlayoutDelay(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(map[bool]string{false: "without", true: "with"}[with], func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{Devices: "front: {kind: camera, source: test, width: 1280, " +
				"height: 720, fps: 30}"})
			robot.Device(b, "front")
			page := harness.StartBrowser(b).Open(b, robot.URL+"/healthz")
			page.AddPlayer(b, "front", with)
			defer harness.Noise(b)()
			measureLatency(b, page, 600)
		})
	}
}

func measureLatency(b *testing.B, page *harness.Page, frames int) {
	b.Helper()
	type frame struct{ PresentedMs, ShownMs, ReceivedMs float64 }
	measured := harness.Eval[struct {
		Frames             []frame
		Unreadable, Missed int
	}](b, page, `(async () => {
	  const { measureLatency } = await import('/media/stamp.js');
	  return measureLatency(document.querySelector('[data-device="front"] video'), $1, { timeoutMs: 50000 });
	})()`, frames)
	var received, presented, shown []float64
	for _, f := range measured.Frames {
		received, presented, shown = append(received, f.ReceivedMs), append(presented, f.PresentedMs), append(shown,
			f.ShownMs)
	}
	harness.Report(b, "received", "ms", received)
	harness.Report(b, "shown", "ms", presented)
	harness.Report(b, "vsync", "ms", shown)
	b.ReportMetric(float64(measured.Missed), "missed")
	b.ReportMetric(float64(measured.Unreadable), "unreadable")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCameraCrash kills the camera process 100 times and measures how long the viewer waits for a new picture.
func BenchmarkCameraCrash(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	front := page.Tile(b, "front")
	before := page.Connection(b)
	var back []float64
	for range 100 {
		camera := robot.Device(b, "front")
		front.WaitFrames(b, 45) // more than a second apart: not a crash loop
		killed := page.Now(b)
		harness.Crash(b, camera.PID)
		awaitNewLife(b, robot, camera)
		front.WaitFrames(b, 10)
		back = append(back, front.Gap(b, killed)-killed)
	}
	if !page.Connection(b).Same(before) {
		b.Error("the connection changed")
	}
	harness.Report(b, "back", "ms", back)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStale freezes the camera process, and measures from the last picture to the moment the page marks it stale.
func BenchmarkStale(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	front := page.Tile(b, "front")
	camera := robot.Device(b, "front").PID
	var marked []float64
	for range 30 {
		front.WaitFrames(b, 30)
		stopped := page.Now(b)
		resume := harness.Freeze(b, camera)
		awaitMark(b, front, stopped)
		frames := front.Frames(b)
		since, _ := markedAfter(front.States(b), stopped)
		marked = append(marked, stopped+since-frames[len(frames)-1])
		resume()
		front.WaitState(b, "live")
	}
	harness.Report(b, "marked", "ms", marked)
	b.ReportMetric(0, "ns/op")
}

// awaitNewLife waits until the device runs again after a crash.
func awaitNewLife(tb testing.TB, robot *harness.Robot, before harness.Device) {
	tb.Helper()
	harness.Until(tb, "the device runs again", func() error {
		if again := robot.Device(tb, before.Name); again.PID == before.PID || again.Epoch == before.Epoch {
			return fmt.Errorf("still pid %d, epoch %s", again.PID, again.Epoch)
		}
		return nil
	})
}

// markedAfter finds when the picture was first marked as not live.
func markedAfter(changes []harness.StateChange, since float64) (ms float64, ok bool) {
	for _, change := range changes {
		if change.At >= since && change.State != "live" {
			return change.At - since, true
		}
	}
	return 0, false
}

// awaitMark waits until the picture is marked as not live.
func awaitMark(b *testing.B, tile *harness.Tile, since float64) {
	b.Helper()
	harness.Until(b, "the picture is marked", func() error {
		if _, ok := markedAfter(tile.States(b), since); !ok {
			return fmt.Errorf("changes: %v", tile.States(b))
		}
		return nil
	})
}

// BenchmarkGatewayCrash kills the gateway and measures to the next picture, including the gateway's restart.
func BenchmarkGatewayCrash(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	front := page.Tile(b, "front")
	var back []float64
	for i := range 20 {
		front.WaitFrames(b, 45) // more than a second apart: not a crash loop
		killed := page.Now(b)
		harness.Crash(b, robot.Gateway(b))
		page.Until(b, "peers.length > $1", i+1) // a new connection: the old one died with the gateway
		front.WaitFrames(b, 5)
		back = append(back, front.Gap(b, killed)-killed)
	}
	harness.Report(b, "back", "ms", back)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBusCrash kills NATS and measures from its return to the next picture.
func BenchmarkBusCrash(b *testing.B) {
	address := harness.FreeAddress(b)
	bus := harness.StartBus(b, address)
	robot := harness.StartRobot(b, harness.Options{NATS: "nats://" + address})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	front := page.Tile(b, "front")
	var back []float64
	for range 10 {
		front.WaitFrames(b, 10)
		killed := page.Now(b)
		bus.Kill(b)
		awaitMark(b, front, killed)
		started := page.Now(b)
		bus = harness.StartBus(b, address)
		front.WaitState(b, "live")
		front.WaitFrames(b, 5)
		back = append(back, front.Gap(b, killed)-started)
	}
	harness.Report(b, "back", "ms", back)
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstPicture measures from a WHEP POST to the first picture: without other viewers (the camera has to
// start), and with others (a key frame has to arrive).
func BenchmarkFirstPicture(b *testing.B) {
	for _, others := range []bool{false, true} {
		b.Run(map[bool]string{false: "nobody looks", true: "others look"}[others], func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{})
			robot.Device(b, "front")
			browser := harness.StartBrowser(b)
			if others {
				browser.Open(b, robot.URL).Tile(b, "front").WaitFrames(b, 60)
			}
			page := browser.Open(b, robot.URL+"/healthz")
			var times []float64
			for range 50 {
				times = append(times, page.FirstPicture(b, "front"))
			}
			harness.Report(b, "first", "ms", times)
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkEncodes counts encodes for each captured frame with 1 and 10 viewers.
func BenchmarkEncodes(b *testing.B) {
	for _, viewers := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d viewers", viewers), func(b *testing.B) {
			robot := harness.StartRobot(b, harness.Options{})
			metrics := robot.Device(b, "front").MetricsAddress
			browser := harness.StartBrowser(b)
			var last *harness.Tile
			for range viewers {
				last = browser.Open(b, robot.URL).Tile(b, "front")
			}
			c, e := harness.Metric(b, metrics, captured, ""), harness.Metric(b, metrics, encoded, "")
			last.WaitFrames(b, 300)
			c, e = harness.Metric(b, metrics, captured, "")-c, harness.Metric(b, metrics, encoded, "")-e
			b.ReportMetric(e/c, "encodes/frame")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkIdle measures every process of a robot without viewers, over half a minute.
func BenchmarkIdle(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	pids := map[string]int{"camera": robot.Device(b, "front").PID, "gateway": robot.Gateway(b), "launcher": robot.PID()}
	before := map[string]time.Duration{}
	const span = 30 * time.Second
	for name, pid := range pids {
		before[name] = harness.CPU(b, pid)
	}
	<-time.After(span) // the benchmark measures that nothing happens
	for name, pid := range pids {
		b.ReportMetric(100*(harness.CPU(b, pid)-before[name]).Seconds()/span.Seconds(), name+"-cpu-%")
		b.ReportMetric(harness.Resident(b, pid), name+"-MiB")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHops measures Waldo's own part of the path at 720p30 and 2 Mbit/s: from the moment an encoded frame is
// ready in the camera process to the moment its last packet was written to SRTP. The camera plays a recorded video, so
// the path contains no encoder.
func BenchmarkHops(b *testing.B) {
	file := record(b, 300)
	robot := harness.StartRobot(b,
		harness.Options{Devices: fmt.Sprintf("front: {kind: camera, source: %q, fps: 30}", file)})
	front := harness.StartBrowser(b).Open(b, robot.URL).Tile(b, "front")
	front.WaitFrames(b, 60)
	const metric = "waldo_gateway_frame_capture_to_sent_seconds"
	address := strings.TrimPrefix(robot.URL, "http://")
	before := harness.ReadHistogram(b, address, metric, "front")
	stop := harness.Noise(b)
	front.WaitFrames(b, 700)
	stop()
	hops := harness.ReadHistogram(b, address, metric, "front").Since(before)
	for _, q := range []float64{0.5, 0.95, 0.99} {
		b.ReportMetric(1000*hops.Quantile(q), fmt.Sprintf("hops-p%.0f-ms-at-most", 100*q))
	}
	b.ReportMetric(100*hops.Within(0.003), "%-within-3-ms")
	b.ReportMetric(0, "ns/op")
}

// record records a video of a test card.
func record(b *testing.B, frames int) (path string) {
	b.Helper()
	robot := harness.StartRobot(b, harness.Options{Devices: "front: {kind: camera, source: test, width: 1280, height: " +
		"720, fps: 30}"})
	conn, err := grpc.NewClient(robot.Device(b, "front").GRPCAddress,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // read only
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	steps, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{})
	if err != nil {
		b.Fatal(err)
	}
	var video []byte
	for range frames {
		step, err := steps.Recv()
		if err != nil {
			b.Fatal(err)
		}
		video = append(video, step.GetFrame().GetData()...)
	}
	return harness.WriteFile(b, "card.h264", string(video))
}
