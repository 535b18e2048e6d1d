package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
)

// Third-party programs that send: each publishes orange pictures.

// guest is a robot with a slot.
func guest(t *testing.T) *harness.Robot {
	t.Helper()
	robot := harness.StartRobot(t, harness.Options{Devices: "guest: {kind: peer}"})
	awaitGuest(t, robot, "the slot is free",
		func(d harness.Device) bool { return strings.Contains(d.StateReason, "nobody sends") })
	return robot
}

// awaitGuest waits until what `waldo ls` says of the slot is as wanted.
func awaitGuest(t *testing.T, robot *harness.Robot, what string, wanted func(harness.Device) bool) {
	t.Helper()
	harness.Until(t, what, func() error {
		devices := robot.Devices(t)
		if i := slices.IndexFunc(devices, func(d harness.Device) bool { return d.Name == "guest" }); i < 0 ||
			!wanted(devices[i]) {
			return fmt.Errorf("the devices are %+v", devices)
		}
		return nil
	})
}

// python3 is the Python with Debian's GStreamer.
const python3 = "/usr/bin/python3"

// publishers are programs that send to the address that is added to their arguments.
var publishers = []struct {
	name   string
	script string
	system bool     // run by Debian's Python
	more   []string // after the address
	who    string   // is in the program that `waldo ls` shows
	media  string
}{
	{"ffmpeg", "whip_ffmpeg.py", false, nil, "Lavf/62", "video/H264"},
	{"GStreamer, H.264", "whip_gstreamer.py", true, []string{"H264"}, "GStreamer", "video/H264"},
	{"GStreamer, VP8", "whip_gstreamer.py", true, []string{"VP8"}, "GStreamer", "video/VP8"},
	{"aiortc, H.264", "whip_aiortc.py", false, nil, "aiortc", "video/H264"},
	{"aiortc, VP8", "whip_aiortc.py", false, []string{"video/VP8"}, "aiortc", "video/VP8"},
}

// publish starts a program that sends.
func publish(t *testing.T, robot *harness.Robot, query string, system bool, script string,
	more ...string) *harness.Process {
	t.Helper()
	interpreter := python3
	if !system {
		interpreter = python(t)
	}
	return harness.Start(t, nil, interpreter,
		append([]string{"testdata/" + script, robot.URL + "/whip/guest" + query}, more...)...)
}

// TestPublishers: what other programs send is a camera of the robot.
func TestPublishers(t *testing.T) {
	for _, p := range publishers {
		t.Run(p.name, func(t *testing.T) {
			robot := guest(t)
			program := publish(t, robot, "?name=Ann", p.system, p.script, p.more...)
			awaitGuest(t, robot, "waldo ls shows who sends", func(d harness.Device) bool {
				a := d.Attributes
				return strings.Contains(strings.ToLower(d.State), "ready") && a["publisher"] == "Ann" && a["via"] == "whip" &&
					strings.Contains(a["program"], p.who) && strings.HasPrefix(a["address"], "127.0.0.1:") && a["passes"] == "yes" &&
					a["media_type"] == p.media
			})
			mustBeOrange(t, robot)
			seesItAcrossACrash(t, robot)
			program.Kill(t)
			awaitGuest(t, robot, "the slot is free again", func(d harness.Device) bool {
				return strings.Contains(d.StateReason, "nobody sends") && d.Attributes["publisher"] == ""
			})
		})
	}
}

// mustBeOrange reads pictures by gRPC until one has the publisher's colour.
func mustBeOrange(t *testing.T, robot *harness.Robot) {
	t.Helper()
	conn, err := grpc.NewClient(robot.Device(t, "guest").GRPCAddress,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	frames, err := camerav1.NewCameraServiceClient(conn).StreamFrames(ctx, &camerav1.StreamFramesRequest{
		Format: &mediav1.VideoFormat{MediaType: "video/raw", PixelFormat: "BGR24"}})
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for {
		r, err := frames.Recv()
		if err != nil {
			t.Fatalf("%v; the last picture was %s", err, last)
		}
		f := r.GetFrame()
		if f == nil {
			continue
		}
		w, h := int(f.GetFormat().GetWidthPx()), int(f.GetFormat().GetHeightPx())
		bgr := f.GetData()[3*(w*(h/2)+w/2):]
		last = fmt.Sprintf("%dx%d, in the middle %v", w, h, bgr[:3])
		if w == 320 && h == 240 && near(bgr[0], 0) && near(bgr[1], 128) && near(bgr[2], 255) {
			return
		}
	}
}

func near(a byte, b int) bool { return max(int(a)-b, b-int(a)) < 30 }

// watches is a WHEP player in a page. It counts the pictures, and measures the colour in the middle of the last one.
const watches = `(async () => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  const video = Object.assign(document.createElement('video'), { muted: true });
  document.body.append(video);
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  globalThis.watched = { pictures: 0, colour: [], pc };
  const shown = () => {
    watched.pictures += 1;
    pen.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
    watched.colour = [...pen.getImageData(0, 0, 1, 1).data];
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
  pc.ontrack = (e) => { video.srcObject = new MediaStream([e.track]); video.play(); };
  await pc.setLocalDescription();
  const response = await fetch('/whep/guest', {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  const sdp = await response.text();
  if (!response.ok) throw new Error(sdp);
  await pc.setRemoteDescription({ type: 'answer', sdp });
  return true;
})()`

const isOrange = `watched.colour[0] > 210 && Math.abs(watched.colour[1] - 128) < 40 && watched.colour[2] < 60`

// seesItAcrossACrash shows the picture to a viewer, who sees it again on the same connection after waldo-peer has
// crashed.
func seesItAcrossACrash(t *testing.T, robot *harness.Robot) {
	t.Helper()
	page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
	harness.Eval[bool](t, page, watches)
	page.Until(t, "watched.pictures > 10 && "+isOrange)
	before := robot.Device(t, "guest")
	harness.Crash(t, before.PID)
	awaitNewLife(t, robot, before)
	seen := harness.Eval[int](t, page, "watched.pictures")
	page.Until(t, "watched.pictures > $1 + 10 && watched.pc.connectionState === 'connected' && "+isOrange, seen)
	awaitGuest(t, robot, "who sends is known again",
		func(d harness.Device) bool { return d.Attributes["publisher"] == "Ann" })
}

// TestTwoPublishers: the second is refused with the remedy, and gets the slot when it takes it.
func TestTwoPublishers(t *testing.T) {
	robot := guest(t)
	first := publish(t, robot, "?name=Ann", false, "whip_aiortc.py")
	awaitGuest(t, robot, "Ann sends",
		func(d harness.Device) bool { return strings.Contains(strings.ToLower(d.State), "ready") })
	second := publish(t, robot, "?name=Bob", false, "whip_aiortc.py")
	harness.Until(t, "Bob is refused", func() error {
		if out := second.Output(); !strings.Contains(out, "409") || !strings.Contains(out, "Ann") ||
			!strings.Contains(out, "?take") {
			return fmt.Errorf("it printed %q", out)
		}
		return nil
	})
	publish(t, robot, "?take&name=Bob", false, "whip_aiortc.py")
	awaitGuest(t, robot, "Bob sends", func(d harness.Device) bool {
		return strings.Contains(strings.ToLower(d.State), "ready") && d.Attributes["publisher"] == "Bob"
	})
	harness.Until(t, "Ann's connection has ended", func() error {
		if !strings.Contains(first.Output(), "ended") {
			return fmt.Errorf("it printed %q", first.Output())
		}
		return nil
	})
}

// TestAPublisherThatNeverSends frees the slot, though its offer was answered.
func TestAPublisherThatNeverSends(t *testing.T) {
	robot := guest(t)
	post := func(offer string) (int, string) {
		response, err := http.Post(robot.URL+"/whip/guest", "application/sdp", strings.NewReader(offer))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	offer := recordedOffer(t, "obs-31.sdp")
	if code, answer := post(offer); code != http.StatusCreated {
		t.Fatalf("%d: %s", code, answer)
	}
	if code, answer := post(offer); code != http.StatusConflict {
		t.Errorf("the second gets %d: %s", code, answer)
	}
	awaitGuest(t, robot, "the slot is free again", func(d harness.Device) bool {
		return strings.Contains(d.StateReason, "nothing has come for 5s") && d.Attributes["publisher"] == ""
	})
	if code, answer := post(offer); code != http.StatusCreated {
		t.Errorf("afterwards: %d: %s", code, answer)
	}
}

// shares publishes a canvas by WHIP from a page, as orange as the others.
const shares = `(async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  document.body.append(canvas);
  const pen = canvas.getContext('2d');
  let n = 0;
  setInterval(() => { pen.fillStyle = 'rgb(255, 128, 0)'; pen.fillRect(0, 0, 320, 240); pen.fillStyle = 'black'; pen.fillRect(n++ % 300, 0, 4, 4); }, 40);
  const pc = globalThis.sending = new RTCPeerConnection();
  const transceiver = pc.addTransceiver(canvas.captureStream(25).getVideoTracks()[0], { direction: 'sendonly' });
  transceiver.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs.filter((c) => c.mimeType === $1));
  await pc.setLocalDescription();
  const response = await fetch('/whip/guest?name=Ann', {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  const sdp = await response.text();
  if (!response.ok) throw new Error(sdp);
  const resource = new URL(response.headers.get('Location'), response.url);
  pc.onicecandidate = (e) => e.candidate && fetch(resource, {
    method: 'PATCH', headers: { 'Content-Type': 'application/trickle-ice-sdpfrag' },
    body: 'a=mid:' + e.candidate.sdpMid + '\r\na=' + e.candidate.candidate + '\r\n' });
  await pc.setRemoteDescription({ type: 'answer', sdp });
  return true;
})()`

// TestChromiumPublishes sends with each codec. Chromium makes a key frame only when it is asked.
func TestChromiumPublishes(t *testing.T) {
	for _, codec := range []string{"video/H264", "video/VP8"} {
		t.Run(codec, func(t *testing.T) {
			robot := guest(t)
			page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
			harness.Eval[bool](t, page, shares, codec)
			awaitGuest(t, robot, "waldo ls shows who sends", func(d harness.Device) bool {
				return strings.Contains(strings.ToLower(d.State), "ready") && d.Attributes["publisher"] == "Ann" &&
					d.Attributes["media_type"] == codec
			})
			mustBeOrange(t, robot)
			seesItAcrossACrash(t, robot)
			page.Close()
			awaitGuest(t, robot, "the slot is free again",
				func(d harness.Device) bool { return d.Attributes["publisher"] == "" })
		})
	}
}

// recordedOffer is the offer of a program, see the README beside them.
func recordedOffer(t *testing.T, name string) string {
	t.Helper()
	offer, err := os.ReadFile("../services/webrtc-gateway/gateway/testdata/offers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(offer)
}
