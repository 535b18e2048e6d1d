package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// Third-party players, each with its own payload types and header extension numbers.

const cameraAlone = "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}"

// saw parses the last line that a player printed.
func saw[T any](t *testing.T, output string) (v T) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		t.Fatalf("%v in %q", err, output)
	}
	return v
}

// TestAiortc plays with a WebRTC stack that has nothing in common with Chromium's.
func TestAiortc(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	// One starts with the camera, one joins later; one takes only VP8.
	for who, codec := range map[string]string{"first": "H264/90000", "second": "H264/90000", "third": "VP8/90000"} {
		arguments := []string{"testdata/whep_aiortc.py", robot.URL + "/whep/front", "180"}
		if codec == "VP8/90000" {
			arguments = append(arguments, "video/VP8")
		}
		seen := saw[struct {
			Pictures, Flat int
			Sizes          [][2]int
			Answer         string
		}](t, harness.Run(t, nil, python(t), arguments...))
		if seen.Pictures != 180 || seen.Flat != 0 || len(seen.Sizes) != 1 || seen.Sizes[0] != [2]int{640, 480} {
			t.Errorf("the %s player saw %+v, want 180 pictures of 640x480, none of them blank", who, seen)
		}
		if !strings.Contains(seen.Answer, " "+codec) {
			t.Errorf("the %s player was answered with\n%s", who, seen.Answer)
		}
	}
}

// TestGStreamer plays with webrtcbin. Its usual caps name no packetization mode, and it offers a single section
// without a bundle.
func TestGStreamer(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	const usual = "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload="
	for _, tt := range []struct{ name, caps, codec, mode string }{
		{"usual caps", usual + "96", "96 H264", ""},
		{"mode 0", usual + "107,packetization-mode=(string)0", "107 H264", "packetization-mode=0"},
		{"mode 1", usual + "103,packetization-mode=(string)1,profile-level-id=(string)42e01f", "103 H264",
			"packetization-mode=1"},
		{"VP8", "application/x-rtp,media=video,encoding-name=VP8,clock-rate=90000,payload=101", "101 VP8", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := saw[struct {
				Pictures      int
				Answer, Error string
			}](t, harness.Run(t, nil, "/usr/bin/python3", "testdata/whep_gstreamer.py", robot.URL+"/whep/front", "60", tt.caps))
			if seen.Pictures != 60 || !strings.Contains(seen.Answer, "a=rtpmap:"+tt.codec+"/90000") ||
				!strings.Contains(seen.Answer, tt.mode) {
				t.Errorf("%d of 60 pictures; refused with %q, answered with\n%s", seen.Pictures, seen.Error, seen.Answer)
			}
		})
	}
}

// plays is a WHEP player in a page. $1 lists what the names and parameters of its codecs must contain, $2 the header
// extensions that it does not offer.
const plays = `(async () => {
  const pc = new RTCPeerConnection();
  const transceiver = pc.addTransceiver('video', { direction: 'recvonly' });
  const codecs = RTCRtpReceiver.getCapabilities('video').codecs
    .filter((c) => ['video/H264', 'video/VP8'].includes(c.mimeType) && $1.every((p) => (c.mimeType + ' ' + c.sdpFmtpLine).includes(p)));
  if (codecs.length === 0) throw new Error('this browser has no such codec');
  transceiver.setCodecPreferences(codecs);
  const video = Object.assign(document.createElement('video'), { muted: true });
  document.body.append(video);
  pc.ontrack = (e) => { video.srcObject = new MediaStream([e.track]); video.play(); };
  const offer = await pc.createOffer();
  offer.sdp = offer.sdp.split('\r\n').filter((line) => !$2.some((e) => line.includes(e))).join('\r\n');
  await pc.setLocalDescription(offer);
  const response = await fetch('/whep/front', {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
  const sdp = await response.text();
  if (!response.ok) throw new Error(sdp);
  await pc.setRemoteDescription({ type: 'answer', sdp });
  let stats, inbound;
  do {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    stats = await pc.getStats();
    inbound = [...stats.values()].find((s) => s.type === 'inbound-rtp');
  } while (inbound.framesDecoded < 90);
  pc.close();
  video.remove();
  return { codec: stats.get(inbound.codecId).mimeType + ' ' + stats.get(inbound.codecId).sdpFmtpLine, decoded: inbound.framesDecoded,
    delayMs: 1000 * inbound.jitterBufferDelay / inbound.jitterBufferEmittedCount };
})()`

// played is what Chromium reports of a player.
type played struct {
	Codec   string
	Decoded int
	DelayMs float64 // mean time of a picture in the jitter buffer
}

// TestChromiumWithOneCodec plays with each codec that a browser may be limited to.
func TestChromiumWithOneCodec(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
	for _, want := range [][]string{
		{"42e01f", "packetization-mode=1"}, {"42001f", "packetization-mode=1"}, {"4d001f", "packetization-mode=1"},
		{"42e01f", "packetization-mode=0"}, {"VP8"},
	} {
		t.Run(strings.Join(want, " "), func(t *testing.T) {
			seen := harness.Eval[played](t, page, plays, want, []string{})
			for _, p := range want {
				if !strings.Contains(seen.Codec, p) {
					t.Errorf("%d pictures of %q", seen.Decoded, seen.Codec)
				}
			}
		})
	}
}

// TestPlayoutDelayCounts compares what Chromium itself reports about its jitter buffer, for two players side by side,
// with and without the header extension playout-delay.
func TestPlayoutDelayCounts(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
	both := "Promise.all([" + strings.ReplaceAll(plays, "$2", "[]") + "," + plays + "])"
	seen := harness.Eval[[]played](t, page, both, []string{"H264"}, []string{"playout-delay"})
	with, without := seen[0].DelayMs, seen[1].DelayMs
	t.Logf("in the jitter buffer: %.1f ms with, %.1f ms without", with, without)
	if with > without/2 {
		t.Errorf("pictures wait %.1f ms in the jitter buffer with playout-delay 0, and %.1f ms without", with, without)
	}
}

// TestAgeIsShown: the page knows how old each picture is, because the packets carry its capture time.
func TestAgeIsShown(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Tile(t, "front").WaitFrames(t, 10)
	page.Click(t, "#stats")
	page.Until(t, `/^[0-9.]+ ms$/.test(document.querySelector('[data-device="front"] [data-stat="age"] dd')?.textContent)`)
	const ntpToUnixMs = 2_208_988_800_000
	age := harness.Eval[*float64](t, page, `(() => {
	  const captured = peers.at(-1).getReceivers().find((r) => r.track.kind === 'video').getSynchronizationSources()[0]?.captureTimestamp;
	  return captured === undefined ? null : Date.now() - (captured - $1);
	})()`, ntpToUnixMs)
	if age == nil || *age < 0 || *age > 5000 {
		t.Errorf("age of the newest packet's picture: %v ms", age)
	}
}
