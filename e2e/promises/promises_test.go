package promises

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// shown measures both players at the same time, in ms from capture to presentation.
const shown = `(async () => {
  const { measureLatency } = await import('/media/stamp.js');
  const both = [...document.querySelectorAll('[data-device] video')].map((video) => measureLatency(video, $1, { timeoutMs: 50000 }));
  return (await Promise.all(both)).map((m) => m.frames.map((f) => f.presentedMs));
})()`

// BenchmarkPlayoutDelay: a player that asks for the header extension playout-delay sees a picture far earlier than one
// that does not. Usual ratio 0.25 to 0.4; 1 when the extension has no effect.
func BenchmarkPlayoutDelay(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	robot.Device(b, "front")
	page := harness.StartBrowser(b).Open(b, robot.URL+"/healthz")
	page.AddPlayer(b, "front", true)
	page.AddPlayer(b, "front", false)
	hold(b, 0.75, func() float64 {
		latencies := harness.Eval[[][]float64](b, page, shown, 240)
		with, without := median(b, latencies[0]), median(b, latencies[1])
		b.Logf("captured → shown: %.1f ms with playout-delay, %.1f ms without", with, without)
		return with / without
	})
}

// BenchmarkEncodes: each captured frame is encoded once, for one viewer or for three.
func BenchmarkEncodes(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	metrics := robot.Device(b, "front").MetricsAddress
	browser := harness.StartBrowser(b)
	var last *harness.Tile
	for range 3 {
		last = browser.Open(b, robot.URL).Tile(b, "front")
	}
	count := func() (captured, encoded float64) {
		return harness.Metric(b, metrics, "waldo_camera_captured_total", ""), harness.Metric(b, metrics,
			"waldo_camera_encoded_total", "")
	}
	hold(b, 1.1, func() float64 {
		captured, encoded := count()
		last.WaitFrames(b, 150)
		capturedNow, encodedNow := count()
		return (encodedNow - encoded) / (capturedNow - captured)
	})
}

// loopback is the yardstick of a first picture: a canvas, two peers in one page, and nothing of Waldo. It returns ms
// from the offer to the first picture.
const loopback = `(async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const brush = canvas.getContext('2d');
  let hue = 0;
  const painter = setInterval(() => { brush.fillStyle = 'hsl(' + (hue += 7) + ' 80% 50%)'; brush.fillRect(0, 0, 640, 480); }, 33);
  const from = new RTCPeerConnection(), to = new RTCPeerConnection();
  from.onicecandidate = (e) => to.addIceCandidate(e.candidate);
  to.onicecandidate = (e) => from.addIceCandidate(e.candidate);
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  to.ontrack = (e) => { video.srcObject = new MediaStream([e.track]); video.play(); };
  from.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
  const first = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(performance.now())));
  const began = performance.now();
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription);
  const shown = await first;
  clearInterval(painter);
  from.close(); to.close(); video.remove();
  return shown - began;
})()`

// BenchmarkFirstPicture: a camera that nobody watched is started, and its first picture shown, in about the time that
// Chromium takes to connect to itself.
func BenchmarkFirstPicture(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	robot.Device(b, "front")
	page := harness.StartBrowser(b).Open(b, robot.URL+"/healthz")
	hold(b, 2.5, func() float64 {
		var ours, theirs []float64
		for range 15 {
			theirs = append(theirs, harness.Eval[float64](b, page, loopback))
			ours = append(ours, page.FirstPicture(b, "front"))
		}
		b.Logf("first picture: %.0f ms from WHEP, %.0f ms from a peer in the same page", median(b, ours), median(b, theirs))
		return median(b, ours) / median(b, theirs)
	})
}

// BenchmarkCameraCrash: a viewer sees the next picture of a killed camera about as soon as a new camera process
// produces one, on the same connection.
func BenchmarkCameraCrash(b *testing.B) {
	robot := harness.StartRobot(b, harness.Options{})
	page := harness.StartBrowser(b).Open(b, robot.URL)
	front := page.Tile(b, "front")
	before := page.Connection(b)
	hold(b, 5, func() float64 {
		var recovered, started []float64
		for range 5 {
			recovered = append(recovered, crash(b, robot, page, front))
			started = append(started, firstFrame(b))
		}
		b.Logf("next picture after a kill: %.0f ms; a camera alone has its first frame after %.0f ms", median(b, recovered),
			median(b, started))
		return median(b, recovered) / median(b, started)
	})
	if !page.Connection(b).Same(before) {
		b.Error("the connection changed: viewers must keep it when a camera crashes")
	}
}

// crash kills the camera and returns how long the viewer waits for a new picture, in ms.
func crash(b *testing.B, robot *harness.Robot, page *harness.Page, front *harness.Tile) float64 {
	b.Helper()
	camera := robot.Device(b, "front")
	front.WaitFrames(b, 45) // more than a second apart: not a crash loop
	killed := page.Now(b)
	harness.Crash(b, camera.PID)
	harness.Until(b, "the camera runs again", func() error {
		if again := robot.Device(b, "front"); again.PID == camera.PID {
			return fmt.Errorf("still pid %d", again.PID)
		}
		return nil
	})
	front.WaitFrames(b, 10)
	return math.Max(0, front.Gap(b, killed)-killed)
}

// firstFrame starts a camera process with nothing around it and returns the time to its first frame, in ms.
func firstFrame(b *testing.B) float64 {
	b.Helper()
	address := harness.FreeAddress(b)
	began := time.Now()
	camera := harness.Start(b, nil, harness.Bin(b, "waldo-camera"), "--robot", "alone", "--device", "front", "--source",
		"test",
		"--grpc", address, "--nats", "nats://"+harness.FreeAddress(b))
	defer camera.Kill(b)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // read only
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	harness.Until(b, "a camera alone produces a frame", func() error {
		conn.ResetConnectBackoff()
		frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{})
		if err == nil {
			_, err = frames.Recv()
		}
		return err
	})
	return float64(time.Since(began)) / float64(time.Millisecond)
}
