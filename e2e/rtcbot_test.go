package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	messagev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/message/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/tonetest"
)

// spec is what a puppet of RTCBot shall be, see testdata/rtcbot_puppet.py.
type spec map[string]any

func pythonClient(t testing.TB, s spec) *harness.Puppet {
	t.Helper()
	return harness.StartPuppet(t, python(t), "testdata/rtcbot_puppet.py", s)
}

// nodeClient runs the JavaScript of the PyPI package.
func nodeClient(t testing.TB, s spec) *harness.Puppet {
	t.Helper()
	s["module"] = rtcbotJS(t)
	return harness.StartPuppet(t, "node", "testdata/rtcbot_puppet.cjs", s)
}

// rtcbotJS is the path of the JavaScript in the installed PyPI package.
func rtcbotJS(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(python(t)), "../lib/python3*/site-packages/rtcbot/rtcbot.js"))
	if err != nil || len(found) != 1 {
		t.Fatalf("RTCBot's JavaScript is not in the environment of %s: %v, %v", python(t), found, err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a program on the bus that talks on a topic.
type program struct {
	conn  *bus.ConnCloser
	heard *bus.Subscription[*messagev1.Message]
	topic string
}

func onTopic(t *testing.T, robot *harness.Robot, topic string) *program {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: robot.NATS, Name: "program"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	heard, err := bus.Subscribe[*messagev1.Message](conn.Conn, bus.Topic("e2e", topic), stream.DropOldest(1000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(heard.Close)
	harness.Until(t, "the program is on the bus", func() error { return conn.Flush(t.Context()) })
	return &program{conn, heard, topic}
}

func (p *program) say(t *testing.T, text string) {
	t.Helper()
	err := p.conn.Publish(bus.Topic("e2e", p.topic), &messagev1.Message{Topic: p.topic, Sender: "program",
		Body: &messagev1.Message_Text{Text: text}})
	if err != nil {
		t.Fatal(err)
	}
}

// hears waits for the next message of a client.
func (p *program) hears(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Patience)
	defer cancel()
	m, err := p.heard.Next(ctx)
	for err == nil && m.GetSender() == "program" {
		m, err = p.heard.Next(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.GetText()
}

// exchange says something that the client must hear as wanted. First the client says something: nothing is kept for a
// client whose channel is not open yet.
func (p *program) exchange(t *testing.T, client *harness.Puppet, event, said, want string) {
	t.Helper()
	client.Order(t, map[string]any{"say": "here"})
	for p.hears(t) != `"here"` {
	}
	p.say(t, said)
	// What others say comes too.
	client.AwaitThat(t, event, func(value string) bool { return value == want })
}

// TestRTCBotPythonData: the unmodified RTCConnection exchanges values of all kinds with programs on the bus. An offer
// of data alone is enough.
func TestRTCBotPythonData(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	bot := onTopic(t, robot, "default")
	other := onTopic(t, robot, "other")
	client := pythonClient(t, spec{"url": robot.URL + "/connect", "channels": []string{"other"}})
	client.Await(t, "ready")
	for _, said := range []string{`{"a": [1, 2.5, "x"]}`, `"text"`, `7`, `null`, `true`} {
		client.Order(t, map[string]any{"say": json.RawMessage(said)})
		if got := bot.hears(t); got != said {
			t.Errorf("Python's %s is %s on the topic", said, got)
		}
	}
	for said, want := range map[string]string{
		`{"b":{"c":null}}`: `{"b": {"c": null}}`, `"text"`: `"text"`, `raw text`: `"raw text"`, `12`: `12`, `null`: `null`,
	} {
		bot.exchange(t, client, "message", said, want)
	}
	client.Order(t, map[string]any{"channel": "other", "say": []int{1, 2}})
	if got := other.hears(t); got != `[1, 2]` {
		t.Errorf("on the other topic came %s", got)
	}
	other.say(t, `{"z":1}`)
	if got := client.Await(t, "message on other"); got != `{"z": 1}` {
		t.Errorf("on the other channel came %s", got)
	}
}

// TestRTCBotPythonVideo: as many cameras as the client has sections, in order.
func TestRTCBotPythonVideo(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{
		Devices: `large: {kind: camera, source: test, width: 640, height: 480, fps: 30}
		front: {kind: camera, source: test, width: 320, height: 240, fps: 30}`,
		Gateway: ", rtcbot: {camera: front}",
	})
	robot.Device(t, "large")
	robot.Device(t, "front")
	client := pythonClient(t, spec{"url": robot.URL + "/connect", "video": 3})
	sizes := map[string]bool{}
	for len(sizes) < 2 {
		var f struct {
			Track int
			Shape [3]int
			Type  string
			Mean  float64
		}
		if err := json.Unmarshal([]byte(client.Await(t, "frame")), &f); err != nil {
			t.Fatal(err)
		}
		if f.Type != "uint8" || f.Mean < 10 {
			t.Errorf("a frame is %+v", f)
		}
		sizes[fmt.Sprint(f.Track, f.Shape)] = true
	}
	if !sizes["0 [240 320 3]"] || !sizes["1 [480 640 3]"] {
		t.Errorf("the tracks are %v", sizes)
	}
}

// TestRTCBotNode: RTCBot's JavaScript as it is shipped. Strings arrive as JSON there, as they do from RTCBot,
// or as they are with raw=1.
func TestRTCBotNode(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	bot := onTopic(t, robot, "default")
	plain := nodeClient(t, spec{"url": robot.URL + "/connect", "video": true})
	raw := nodeClient(t, spec{"url": robot.URL + "/connect?raw=1"})
	if got := plain.Await(t, "frame"); got != `{"shape":[480,640],"streamed":true}` {
		t.Errorf("a frame is %s", got)
	}
	bot.exchange(t, plain, "message", `"a string"`, `"\"a string\""`)
	bot.exchange(t, raw, "message", `"a string"`, `"a string"`)
	bot.exchange(t, raw, "message", `{"x":1}`, `"{\"x\":1}"`)
	raw.Order(t, map[string]any{"say": map[string]any{"y": 2}})
	if got := bot.hears(t); got != `{"y":2}` {
		t.Errorf("JavaScript's object is %s on the topic", got)
	}
}

// TestRTCBotEnds: whichever side ends, the other knows, and the gateway has nothing left.
func TestRTCBotEnds(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	peers := func(n int) {
		t.Helper()
		harness.Until(t, fmt.Sprintf("%d peers", n), func() error {
			if got := harness.Metric(t, strings.TrimPrefix(robot.URL, "http://"), "waldo_gateway_peers", ""); got != float64(n) {
				return fmt.Errorf("there are %v", got)
			}
			return nil
		})
	}
	url := robot.URL + "/connect"
	closes := pythonClient(t, spec{"url": url, "video": 1})
	dies := pythonClient(t, spec{"url": url, "video": 1})
	stays := pythonClient(t, spec{"url": url, "video": 1})
	page := nodeClient(t, spec{"url": url})
	for _, client := range []*harness.Puppet{closes, dies, stays, page} {
		client.Await(t, "ready")
	}
	peers(4)
	closes.Order(t, map[string]any{"close": true})
	page.Order(t, map[string]any{"close": true})
	peers(2)
	dies.Kill() // within the time for all peers, though aiortc itself would take 32 s to notice such an end
	peers(1)
	stays.Await(t, "frame")
	robot.Stop(t)
	stays.Await(t, "closed")
}

// TestRTCBotWebsocket: RTCBot's Websocket joins a topic.
func TestRTCBotWebsocket(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	bot := onTopic(t, robot, "chat")
	client := pythonClient(t, spec{"url": robot.URL + "/ws/chat", "websocket": true})
	client.Order(t, map[string]any{"say": map[string]any{"foo": "bar"}})
	if got := bot.hears(t); got != `{"foo": "bar"}` {
		t.Errorf("the program hears %s", got)
	}
	bot.exchange(t, client, "message", `{"x":[1]}`, `{"x": [1]}`)
	client.Order(t, map[string]any{"say": "last words"})
	client.Order(t, map[string]any{"close": true})
	if got := bot.hears(t); got != `"last words"` {
		t.Errorf("the program hears %s", got)
	}
	client.Await(t, "closed")
}

// TestRTCBotNeedsTheToken: a client of RTCBot can be given an address only; the token is its password.
func TestRTCBotNeedsTheToken(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone, Gateway: ", token: " + harness.Token})
	url := robot.URL + "/connect"
	stranger := pythonClient(t, spec{"url": url})
	if got := stranger.Await(t, "refused"); !strings.HasPrefix(got, `[401, "a token is needed`) {
		t.Errorf("without the token: %s", got)
	}
	friend := pythonClient(t, spec{"url": strings.Replace(url, "://", "://:"+harness.Token+"@", 1)})
	friend.Await(t, "ready")
}

// TestRTCBotPage: a page as RTCBot's tutorials have it, in Chromium, behind one address with the gateway, with the
// gateway's rtcbot.js and with RTCBot's own.
func TestRTCBotPage(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	robot.Device(t, "front")
	bot := onTopic(t, robot, "default")
	gateway, err := url.Parse(robot.URL)
	if err != nil {
		t.Fatal(err)
	}
	browser := harness.StartBrowser(t)
	for name, script := range map[string]string{"ours": "", "RTCBot's": rtcbotJS(t)} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/", httputil.NewSingleHostReverseProxy(gateway))
			mux.HandleFunc("/tutorial", func(w http.ResponseWriter, r *http.Request) {
				http.ServeFile(w, r, "testdata/rtcbot_page.html")
			})
			if script != "" {
				mux.HandleFunc("/rtcbot.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, script) })
			}
			site := httptest.NewServer(mux)
			defer site.Close()
			page := browser.Open(t, site.URL+"/tutorial")
			defer page.Close()
			page.Until(t, `document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10`)
			harness.Eval[any](t, page, `conn.put_nowait({ready: true})`)
			if got := bot.hears(t); got != `{"ready":true}` {
				t.Errorf("the program hears %s", got)
			}
			bot.say(t, `"hello"`)
			page.Until(t, `heard.includes('"hello"')`)
			page.Press(t, "KeyW")
			page.Release(t, "KeyW")
			for _, want := range []string{"keydown", "keyup"} {
				if got := bot.hears(t); got != `{"type":"`+want+`","altKey":false,"shiftKey":false,"keyCode":87,"key":"w"}` {
					t.Errorf("of a key the program hears %s", got)
				}
			}
			harness.Eval[any](t, page, `conn.close()`)
		})
	}
}

// TestRTCBotPublishes: what Python and JavaScript clients send is the picture of the device for publishers, which
// everybody sees; the next client has the place when the first has left.
func TestRTCBotPublishes(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone + "\n" + `guest: {kind: peer}`})
	robot.Device(t, "front")
	awaitState(t, robot, "guest", "away")
	url := robot.URL + "/connect"
	python := pythonClient(t, spec{"url": url, "sendVideo": true, "sendAudio": true, "video": 1})
	python.Await(t, "frame")
	awaitState(t, robot, "guest", "ready")
	if picture := robot.Waldo(t, "snapshot", "guest", "-o", "-"); !strings.HasPrefix(picture, "\xff\xd8") {
		t.Errorf("the snapshot begins with %q", picture[:min(4, len(picture))])
	}
	node := nodeClient(t, spec{"url": url, "send": true})
	node.Await(t, "ready")
	python.Order(t, map[string]any{"close": true})
	publisher := func() string { return robot.Waldo(t, "call", "guest", "GetPublisher") }
	harness.Until(t, "the page has the place", func() error {
		if who := publisher(); !strings.Contains(who, `"program": "node"`) {
			return fmt.Errorf("it has %s", who)
		}
		return nil
	})
	awaitState(t, robot, "guest", "ready")
}

// TestRTCBotIsCalled: the unmodified Python robot, with a camera, is called: its picture is that of the device, its
// messages are on the topic, and it is called again after it was killed.
func TestRTCBotIsCalled(t *testing.T) {
	address := harness.FreeAddress(t)
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`pi: {kind: peer, call: "http://%s/connect", topic: pi}`, address)})
	awaitState(t, robot, "pi", "away")
	bot := onTopic(t, robot, "pi")
	life := func() *harness.Puppet {
		t.Helper()
		pi := pythonClient(t, spec{"listen": address, "sendVideo": true, "sendAudio": true})
		pi.Await(t, "ready")
		awaitState(t, robot, "pi", "ready")
		bot.say(t, `{"forward":1}`)
		pi.AwaitThat(t, "message", func(m string) bool { return m == `{"forward": 1}` })
		pi.Order(t, map[string]any{"say": map[string]any{"battery": 7}})
		if got := bot.hears(t); got != `{"battery": 7}` {
			t.Errorf("the robot says %s", got)
		}
		return pi
	}
	first := life()
	first.Kill()
	awaitState(t, robot, "pi", "away")
	life()
}

// TestRTCBotDialsIn: the unmodified Python robot serves nothing, but waits on a WebSocket of a gateway for the call. It
// is a device like one that is called directly, and comes back after it was killed.
func TestRTCBotDialsIn(t *testing.T) {
	server := harness.StartRobot(t, harness.Options{Name: "server"})
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`pi: {kind: peer, call: "%s/ws", topic: pi}`, server.URL)})
	awaitState(t, robot, "pi", "away")
	bot := onTopic(t, robot, "pi")
	for range 2 {
		pi := pythonClient(t, spec{"dial": server.URL + "/ws", "sendVideo": true})
		pi.Await(t, "ready")
		awaitState(t, robot, "pi", "ready")
		bot.say(t, `{"forward":1}`)
		pi.AwaitThat(t, "message", func(m string) bool { return m == `{"forward": 1}` })
		pi.Kill()
		awaitState(t, robot, "pi", "away")
	}
}

// TestRTCBotWithoutACameraIsCalled: an RTCBot robot that only drives answers an offer with more than it has.
func TestRTCBotWithoutACameraIsCalled(t *testing.T) {
	address := harness.FreeAddress(t)
	pi := pythonClient(t, spec{"listen": address})
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`pi: {kind: peer, call: "http://%s/connect"}`, address)})
	bot := onTopic(t, robot, "default")
	pi.Await(t, "ready")
	bot.say(t, `"left"`)
	pi.AwaitThat(t, "message", func(m string) bool { return m == `"left"` })
}

// TestRTCBotSound: a Python client hears the robot's microphone, and is heard from its speaker.
func TestRTCBotSound(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: voice})
	device := robot.Device(t, "voice")
	speaker := harness.HearRobot(t, device, audiov1.AudioTap_AUDIO_TAP_SPEAKER)
	client := pythonClient(t, spec{"url": robot.URL + "/connect", "audio": true, "sendAudio": true})
	client.AwaitThat(t, "sound", func(value string) bool {
		var s struct {
			Shape [2]int
			Peak  float64
		}
		return json.Unmarshal([]byte(value), &s) == nil && s.Shape == [2]int{960, 2} && s.Peak > 0.05
	})
	harness.Until(t, "the speaker plays the client's tone", func() error {
		if m := tonetest.Of(speaker.Heard(t).Last(300*time.Millisecond), harness.EarRate); math.Abs(m.Hz-500) > 5 {
			return fmt.Errorf("it plays %+v", m)
		}
		return nil
	})
}

// TestRTCBotHighProfile: aiortc accepts H.264 in the profiles that it knows only, whatever a camera sends.
func TestRTCBotHighProfile(t *testing.T) {
	camera := harness.FreeAddress(t)
	fakeCamera(t, camera, "-clip", "high.h264")
	robot := harness.StartRobot(t, harness.Options{
		Devices: fmt.Sprintf(`door: {kind: rtsp-ingest, url: "rtsp://%s/live"}`, camera)})
	awaitState(t, robot, "door", "ready")
	client := pythonClient(t, spec{"url": robot.URL + "/connect", "video": 1})
	if answer := client.Await(t, "answer"); !strings.Contains(answer, "profile-level-id=42001f") &&
		!strings.Contains(answer, "profile-level-id=42e01f") {
		t.Errorf("the answer is %s", answer)
	}
	client.Await(t, "frame")
}
