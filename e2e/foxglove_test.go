package e2e

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// looked is what a client of Foxglove's protocol looks at.
type looked struct {
	Address  string   `json:"address"`
	Protocol string   `json:"protocol"`
	Topics   []string `json:"topics"`
}

// value reads the value of an event.
func value[T any](tb testing.TB, text string) (v T) {
	tb.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	return v
}

// TestFoxglove: the clients of Foxglove's own packages, in Node and Python, see the robot live under both names of the
// protocol: what they decode is what the robot sends, by the schemas that come with it.
func TestFoxglove(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: strings.Join([]string{
		`front: {kind: camera, source: test, width: 640, height: 480, fps: 30}`,
		`motors: {kind: serial, port: sim, read: "<IhhiihHB", startByte: 0x5A, checksum: crc8, ` +
			`readKeys: [uptime, left, right, x, y, heading, battery, flags], ` +
			`write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, writeChecksum: crc8, ` +
			`control: {safe: {left: 0, right: 0}}}`,
		`voice: {kind: audio, source: tone}`,
	}, "\n")})
	for _, protocol := range []string{"foxglove.sdk.v1", "foxglove.websocket.v1"} {
		t.Run(protocol, func(t *testing.T) {
			client := harness.StartPuppet(t, "node", "readers/foxglove.mjs", looked{robot.URL + "/foxglove", protocol,
				[]string{"/front/video", "/motors/rx", "/voice/audio"}})
			info := value[struct {
				Name         string
				Capabilities []string
			}](t, client.Await(t, "info"))
			if info.Name != "e2e" || !slices.Equal(info.Capabilities, []string{"parameters", "parametersSubscribe"}) {
				t.Errorf("%+v", info)
			}
			known := value[map[string]string](t, client.Await(t, "parameters"))
			if known["id"] != "all" || known["robot"] != "e2e" || known["front.kind"] != "camera" {
				t.Errorf("%v", known)
			}
			type picture struct {
				Schema, Start, Format string
				Age                   float64
				KeyFrame              bool  `json:"key_frame"`
				Sequence              int64 `json:"sequence,string"`
			}
			first := value[picture](t, client.Await(t, "/front/video"))
			if first.Schema != "foxglove.CompressedVideo" || first.Format != "h264" || !first.KeyFrame ||
				!strings.HasPrefix(first.Start, "00000001") || first.Age < -1 || first.Age > harness.Patience.Seconds() {
				t.Errorf("the first picture: %+v", first)
			}
			for next := first.Sequence + 1; next < first.Sequence+30; next++ {
				if p := value[picture](t, client.Await(t, "/front/video")); p.Sequence != next {
					t.Fatalf("picture %d, want %d", p.Sequence, next)
				}
			}
			report := value[struct{ Schema, JSON string }](t, client.Await(t, "/motors/rx"))
			if report.Schema != "waldo.serial.v1.SerialMessage" || !strings.Contains(report.JSON, `"battery":`) {
				t.Errorf("%+v", report)
			}
			client.AwaitThat(t, "/voice/audio", func(text string) bool {
				return value[picture](t, text).Schema == "foxglove.CompressedAudio"
			})
		})
	}
	t.Run("schemas", func(t *testing.T) {
		client := harness.StartPuppet(t, python(t), "readers/foxglove.py", looked{robot.URL + "/foxglove",
			"foxglove.websocket.v1", []string{"/front/video", "/voice/audio", "/log"}})
		missing := map[string]string{"/log": "foxglove.Log", "/voice/audio": "foxglove.CompressedAudio",
			"/front/video": "foxglove.CompressedVideo", "/front/video-jpeg": "foxglove.CompressedImage"}
		for len(missing) > 0 {
			schema := value[[]any](t, client.Await(t, "schema"))
			if differences := schema[2].([]any); len(differences) > 0 {
				t.Errorf("%v", schema)
			}
			if topic := schema[0].(string); missing[topic] == schema[1] {
				delete(missing, topic)
			}
		}
		robot.Waldo(t, "estop", "--reason", "lunch")
		client.AwaitThat(t, "/log", func(text string) bool {
			m := value[struct{ Name, Message, Level string }](t, text)
			return m.Name == "motors" && m.Level == "ERROR" && strings.HasSuffix(m.Message, ": lunch")
		})
	})
}

// TestFoxglovePass: a page of another origin in Chromium, as Foxglove's app is, connects with the address that the
// robot's own page shows, and with no other.
func TestFoxglovePass(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Env: []string{"WALDO_TOKEN=" + harness.Token}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, robot.URL+"/foxglove", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token)
	request.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	found := regexp.MustCompile(`data-pass="([^"]+)"`).FindSubmatch(text)
	if err != nil || found == nil {
		t.Fatalf("%v: %s, %s", err, answer.Status, text)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>app</title>")
	}))
	t.Cleanup(func() { closeSite(app) })
	browser := harness.StartBrowser(t)
	page := browser.Open(t, app.URL)
	const connect = `new Promise((resolve) => {
		const socket = new WebSocket($1.replace('http', 'ws'), ['foxglove.sdk.v1', 'foxglove.websocket.v1']);
		socket.onmessage = ({ data }) => resolve(socket.protocol + ' ' + JSON.parse(data).op);
		socket.onclose = () => resolve('closed');
	})`
	for _, tt := range []struct{ address, want string }{
		{robot.URL + "/foxglove?pass=" + html.UnescapeString(string(found[1])), "foxglove.sdk.v1 serverInfo"},
		{robot.URL + "/foxglove?pass=AAAA", "closed"},
	} {
		if got := harness.Eval[string](t, page, connect, tt.address); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.address, got, tt.want)
		}
	}
	// The page shows the same kind of address to people.
	own := browser.Open(t, robot.URL+"/?token="+harness.Token)
	own.Close()
	own = browser.Open(t, robot.URL+"/foxglove")
	own.Until(t,
		"document.querySelector('#address').textContent.startsWith(location.href.replace('http', 'ws') + '?pass=')")
}
