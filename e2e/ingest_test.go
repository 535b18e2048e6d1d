package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// fakeCamera runs a network camera of the project at an address, which stays the same when it is started again.
func fakeCamera(t testing.TB, address string, flags ...string) *harness.Process {
	t.Helper()
	camera := harness.Start(t, []string{"FAKECAM_PASSWORD=" + secret}, harness.Bin(t, "fakecam"),
		append([]string{"-rtsp", address}, flags...)...)
	harness.Until(t, "the camera listens", func() error {
		if !strings.Contains(camera.Output(), "://") {
			return fmt.Errorf("it printed %q", camera.Output())
		}
		return nil
	})
	return camera
}

// secret is a password as people choose them, which no log may show.
const secret = "Pa#ss/w?rd@7%"

func doorcam(url string) harness.Options {
	return harness.Options{Devices: fmt.Sprintf("door: {kind: rtsp-ingest, url: %q}", url)}
}

// madeOf tells whether the numbers of a tile say what the device makes of its pictures in words of a pattern.
const madeOf = `new RegExp($2).test(document.querySelector('[data-device="' + $1 + '"] [data-stat="source"] dd')?.textContent)`

// A camera on the network is a camera like any other, and the promise about crashes holds for it: whether its process
// is killed or the camera itself goes and comes back, the browser keeps its connection, track and SSRC.
func TestNetworkCamera(t *testing.T) {
	address := harness.FreeAddress(t)
	camera := fakeCamera(t, address, "-clip", "high.h264")
	robot := harness.StartRobot(t, doorcam("rtsp://"+address+"/live"))
	page := harness.StartBrowser(t).Open(t, robot.URL)
	door := page.Tile(t, "door")
	door.WaitFrames(t, 30)
	page.Click(t, "#stats")
	page.Until(t, madeOf, "door", `^passed through \(H\.264 High [0-9.]+\)$`)
	before := page.Connection(t)
	t.Run("its process is killed", func(t *testing.T) {
		device := robot.Device(t, "door")
		harness.Crash(t, device.PID)
		awaitNewLife(t, robot, device)
		door.WaitState(t, "live")
		door.WaitFrames(t, 10)
	})
	t.Run("the camera is gone for a while", func(inner *testing.T) {
		camera.Kill(inner)
		door.WaitState(inner, "stale")
		fakeCamera(t, address, "-clip", "high.h264") // until the end of the whole test
		door.WaitState(inner, "live")
		door.WaitFrames(inner, 10)
	})
	if after := page.Connection(t); !after.Same(before) {
		t.Errorf("the connection changed:\n%+v\n%+v", before, after)
	}
	picture := robot.Waldo(t, "snapshot", "door", "-o", "-")
	if !strings.HasPrefix(picture, "\xff\xd8") {
		t.Errorf("the snapshot begins with %q", picture[:min(4, len(picture))])
	}
}

// What a browser cannot show is encoded again; what comes by other protocols is shown as well.
func TestNetworkCamerasOfAllKinds(t *testing.T) {
	rtsp, web, rtmp := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
	fakeCamera(t, rtsp, "-clip", "bframes.h264", "-http", web, "-rtmp", rtmp)
	robot := harness.StartRobot(t,
		harness.Options{Devices: fmt.Sprintf(`reorders: {kind: rtsp-ingest, url: "rtsp://%s/live"}
		overudp: {kind: rtsp-ingest, url: "rtsp://%s/live", transport: udp}
		jpegs: {kind: rtsp-ingest, url: "http://%s/video"}
		rtmp: {kind: rtsp-ingest, url: "rtmp://%s/live/stream"}`, rtsp, rtsp, web, rtmp)})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	for _, device := range []string{"reorders", "overudp", "jpegs", "rtmp"} {
		page.Tile(t, device).WaitFrames(t, 20)
	}
	reorders := robot.Device(t, "reorders")
	if n := robot.Metric(t, reorders, "waldo_camera_encoded_total", `media_type="video/H264"`); n < 20 {
		t.Errorf("%v pictures with B-frames were encoded again, want at least those that were shown", n)
	}
	page.Click(t, "#stats")
	page.Until(t, madeOf, "reorders", `^encoded again from H\.264 .*: ([0-9]+|under 1) % of a core$`)
	page.Until(t, madeOf, "jpegs", `^encoded again from JPEG: ([0-9]+|under 1) % of a core$`)
	for _, step := range []string{"decode", "encode"} {
		labels := fmt.Sprintf(`media_type="video/H264",step=%q`, step)
		if s := robot.Metric(t, reorders, "waldo_camera_cpu_seconds_total", labels); s <= 0 {
			t.Errorf("the metrics say that it took %v s of CPU to %s", s, step)
		}
	}
}

// A player that takes H.265 gets what the camera sends, untouched; others get H.264.
func TestH265OfANetworkCamera(t *testing.T) {
	address := harness.FreeAddress(t)
	fakeCamera(t, address, "-clip", "plain.h265")
	robot := harness.StartRobot(t, doorcam("rtsp://"+address+"/live"))
	harness.Until(t, "the camera is known to send H.265", func() error {
		if list := robot.Waldo(t, "ls", "--json"); !strings.Contains(list, "video/H265") {
			return fmt.Errorf("the devices are %s", list)
		}
		return nil
	})
	passed := func() float64 {
		return robot.Metric(t, robot.Device(t, "door"), "waldo_camera_passed_total", `media_type="video/H265"`)
	}
	for _, codec := range []string{"H265", "H264"} {
		caps := "application/x-rtp,media=video,encoding-name=" + codec + ",clock-rate=90000,payload=98"
		seen := saw[struct {
			Pictures      int
			Answer, Error string
		}](t, harness.Run(t, nil, "/usr/bin/python3", "testdata/whep_gstreamer.py", robot.URL+"/whep/door", "60", caps))
		if seen.Pictures != 60 || !strings.Contains(seen.Answer, "a=rtpmap:98 "+codec+"/90000") {
			t.Errorf("%d of 60 pictures in %s; refused with %q, answered with\n%s", seen.Pictures, codec, seen.Error,
				seen.Answer)
		}
		if n := passed(); codec == "H265" && n < 60 {
			t.Errorf("%v pictures passed through, want at least those that were shown", n)
		}
	}
}

// A player who lost a picture of what passes through has the camera itself asked for a key frame, by the way that it
// obeys.
func TestANetworkCameraIsAskedForKeyFrames(t *testing.T) {
	address := harness.FreeAddress(t)
	fakeCamera(t, address, "-obeys", "pli")
	robot := harness.StartRobot(t, doorcam("rtsp://"+address+"/live"))
	harness.Until(t, "it is known what the camera obeys", func() error { // until then it is asked by other ways too
		if list := robot.Waldo(t, "ls", "--json"); !strings.Contains(list, "FIR is ignored") {
			return fmt.Errorf("the devices are %s", list)
		}
		return nil
	})
	asked := func() float64 {
		return robot.Metric(t, robot.Device(t, "door"), "waldo_ingest_key_frame_requests_total", `way="PLI"`)
	}
	before := asked()
	seen := saw[struct {
		Pictures int
		Error    string
	}](t, harness.Run(t, nil, "/usr/bin/python3", "testdata/whep_gstreamer.py", robot.URL+"/whep/door", "60",
		"application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=98", "20"))
	if n := asked() - before; seen.Pictures != 60 || n < 1 {
		t.Errorf("%d of 60 pictures (%s), and the camera was asked %v times", seen.Pictures, seen.Error, n)
	}
}

// A camera with room for one viewer keeps the place of a process that was killed for a minute. The next process adopts
// the session.
func TestTheOnlyPlaceIsAdopted(t *testing.T) {
	address := harness.FreeAddress(t)
	fakeCamera(t, address, "-viewers", "1")
	robot := harness.StartRobot(t, doorcam("rtsp://"+address+"/live"))
	page := harness.StartBrowser(t).Open(t, robot.URL)
	door := page.Tile(t, "door")
	door.WaitFrames(t, 10)
	for range 3 {
		device := robot.Device(t, "door")
		harness.Crash(t, device.PID)
		began := time.Now()
		awaitNewLife(t, robot, device)
		door.WaitState(t, "live")
		door.WaitFrames(t, 10)
		t.Logf("pictures again after %v at most", time.Since(began))
	}
}

// The password of a camera is nowhere to be seen: not in the log, on the bus, in the metrics, or in the list of
// processes.
func TestPasswordOfACameraIsNotShown(t *testing.T) {
	address := harness.FreeAddress(t)
	fakeCamera(t, address, "-user", "viewer")
	robot := harness.StartRobot(t, harness.Options{Devices: fmt.Sprintf(
		"door: {kind: rtsp-ingest, url: \"rtsp://%s/live\", user: viewer, password: %q}", address, secret)})
	device := robot.Device(t, "door")
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", device.PID))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"command line": string(command),
		"log":          robot.Output(),
		"list":         robot.Waldo(t, "ls", "--json"),
		"connection":   robot.Waldo(t, "call", "door", "GetConnection"),
		"metrics":      fetch(t, "http://"+device.MetricsAddress+"/metrics"),
	} {
		if strings.Contains(text, secret) || strings.Contains(text, "w?rd") {
			t.Errorf("the %s shows the password:\n%s", what, text)
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The sound of a camera on the network is heard like that of an audio device, and goes on after its process was killed;
// a camera without sound has no button to listen.
func TestNetworkCameraIsHeard(t *testing.T) {
	loud, silent := harness.FreeAddress(t), harness.FreeAddress(t)
	fakeCamera(t, loud, "-sound", "PCMU")
	fakeCamera(t, silent)
	robot := harness.StartRobot(t, harness.Options{Devices: fmt.Sprintf(`door: {kind: rtsp-ingest, url: "rtsp://%s/live"}
		yard: {kind: rtsp-ingest, url: "rtsp://%s/live"}`, loud, silent)})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "yard").WaitFrames(t, 10)
	const panel, tone = "#sounds [data-device=door]", 440
	page.Until(t, "document.querySelector($1) !== null", panel+" .listen")
	page.Click(t, panel+" .listen")
	page.Until(t, "document.querySelector($1).dataset.hearing === 'live'", panel)
	ear := page.Hear(t, "document.querySelector('.sound audio').srcObject.getAudioTracks()[0]")
	mustBe(t, ear, tone, exact, time.Second)
	page.Until(t, "Math.abs(Number(document.querySelector($1).dataset.db) + 12) < 1", panel+" [data-meter=microphone]")
	device := robot.Device(t, "door")
	harness.Crash(t, device.PID)
	awaitNewLife(t, robot, device)
	mustBe(t, ear, tone, exact, time.Second)
	if harness.Eval[bool](t, page, "document.querySelector($1) !== null", "#sounds [data-device=yard]") {
		t.Error("there is a panel for the sound of a camera that sends none")
	}
}

// whepWithSound is a WHEP player of pictures and sound of a camera. It leaves the sound in window.whepSound.
const whepWithSound = `(async () => {
  const pc = window.whep = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  window.whepSound = pc.addTransceiver('audio', { direction: 'recvonly' }).receiver.track;
  document.body.append(Object.assign(new Audio(), { srcObject: new MediaStream([whepSound]), autoplay: true }));
  await pc.setLocalDescription();
  const response = await fetch('/whep/' + $1 + '?audio=' + $1, {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: 'answer', sdp: await response.text() });
})()`

// Players of WHEP hear it, too.
func TestNetworkCameraIsHeardByWHEP(t *testing.T) {
	address := harness.FreeAddress(t)
	fakeCamera(t, address, "-sound", "PCMA")
	robot := harness.StartRobot(t, doorcam("rtsp://"+address+"/live"))
	page := harness.StartBrowser(t).Open(t, robot.URL)
	harness.Eval[any](t, page, whepWithSound, "door")
	mustBe(t, page.Hear(t, "whepSound"), 440, exact, time.Second)
}

// cameraEar is the file in which a camera writes down what is said to it, 16 bit little endian at 8 kHz.
type cameraEar string

const cameraRate = 8000

func (e cameraEar) heard(t *testing.T) (samples []float32) {
	t.Helper()
	data, err := os.ReadFile(string(e))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(data[:len(data)/2*2], 2) {
		samples = append(samples, float32(int16(binary.LittleEndian.Uint16(pair)))/(1<<15))
	}
	return samples
}

// hears waits until a second of the tone came as it was made: 1 kHz at a quarter of full scale.
func (e cameraEar) hears(t *testing.T) {
	t.Helper()
	before := len(e.heard(t))
	harness.Until(t, "the camera hears a tone", func() error {
		samples := e.heard(t)[before:]
		if len(samples) < cameraRate {
			return fmt.Errorf("it heard %d samples", len(samples))
		}
		m := tonetest.Of(samples[len(samples)-cameraRate:], cameraRate)
		if math.Abs(m.Hz-1000) > 1000*hurried || math.Abs(m.Level+12) > 1 || m.Pure < 0.97 || len(m.Gaps) > 0 {
			return fmt.Errorf("it heard %+v", m)
		}
		return nil
	})
}

// Who holds Talk on the page is heard at a camera on the network, also after its process was killed; where the camera
// does not let them talk, the page says why.
func TestNetworkCameraIsTalkedThrough(t *testing.T) {
	talks, refuses, heard := harness.FreeAddress(t), harness.FreeAddress(t), filepath.Join(t.TempDir(), "heard")
	fakeCamera(t, talks, "-speaker", "PCMA", "-heard", heard)
	fakeCamera(t, refuses, "-behave", "backchannel-551")
	robot := harness.StartRobot(t, harness.Options{Devices: fmt.Sprintf(
		`door: {kind: rtsp-ingest, url: "rtsp://%s/live", speaker: true}
		yard: {kind: rtsp-ingest, url: "rtsp://%s/live", speaker: true}`, talks, refuses)})
	microphone := harness.WriteWAV(t, harness.Sine(1000, 0.25, time.Minute))
	page := harness.StartBrowser(t, harness.WithMicrophone(microphone)).Open(t, robot.URL)
	page.Tile(t, "door").WaitFrames(t, 10)
	const panel = "#sounds [data-device=door]"
	talking := func(want string) {
		t.Helper()
		page.Until(t, "document.querySelector($1)?.dataset.talking === $2", panel, want)
	}
	talking("off")
	page.Click(t, panel+" .clean input") // otherwise a tone counts as noise
	page.Press(t, "KeyT")
	talking("live")
	cameraEar(heard).hears(t)
	device := robot.Device(t, "door")
	harness.Crash(t, device.PID)
	awaitNewLife(t, robot, device)
	cameraEar(heard).hears(t)
	page.Release(t, "KeyT")
	talking("off")
	harness.Until(t, "the back channel is let go", func() error {
		if list := robot.Waldo(t, "ls", "--json"); strings.Contains(list, "back channel, G.711") {
			return fmt.Errorf("the devices are %s", list)
		}
		return nil
	})

	harness.Eval[any](t, page, `navigator.mediaDevices.getUserMedia({ audio: true }).then((s) => {
	  waldo.robot.audio('yard').talk(s.getAudioTracks()[0]);
	})`)
	page.Until(t, "waldo.robot.audio('yard').talking.text.includes('551')")
}
