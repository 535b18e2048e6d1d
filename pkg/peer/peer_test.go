package peer

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/rtp/codecs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const someKey = "0123456789012345678901234567890123456789abc"

// addresses are what people pass to Dial.
var addresses = []struct {
	url, base, key, token, wrong string
	shared                       bool
	options                      Options
}{
	{url: "http://127.0.0.1:8080", base: "http://127.0.0.1:8080/"},
	{url: "http://robot:8080/?token=abc", base: "http://robot:8080/", token: "abc"},
	{url: "https://example.org/robots/7", base: "https://example.org/robots/7/"},
	{url: "http://robot/?token=abc", options: Options{Token: "def"}, base: "http://robot/", token: "def"},
	{url: "https://server/r/rover/#key=" + someKey, base: "https://server/r/rover/", key: someKey, shared: true},
	{url: "https://server/r/rover#key=" + someKey + "&token=abc", base: "https://server/r/rover/", key: someKey,
		token: "abc", shared: true},
	{url: "https://server/r/rover/", base: "https://server/r/rover/", shared: true},
	{url: "https://server/", options: Options{Key: someKey}, base: "https://server/", key: someKey, shared: true},
	{url: "https://server/r/rover/#key=abc", wrong: "43 characters"},
	{url: "robot:8080", wrong: "scheme"},
	{url: "ftp://robot/", wrong: "scheme"},
	{url: "http:///x", wrong: "host"},
	{url: "http://ann:secret@robot/", wrong: "Options.Token"},
	{url: "http://robot/%zz", wrong: "not a URL"},
	{url: "http://robot/#a;b", wrong: "#"},
}

func TestAddress(t *testing.T) {
	for _, tt := range addresses {
		a, err := parseAddress(tt.url, tt.options)
		switch {
		case tt.wrong != "":
			if err == nil || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want an error about %s", tt.url, err, tt.wrong)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.url, err)
		case a.base.String() != tt.base || a.key != tt.key || a.token != tt.token || a.shared != tt.shared:
			t.Errorf("%s: %v, key %q, token %q, shared %v", tt.url, a.base, a.key, a.token, a.shared)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, tt := range addresses {
		f.Add(tt.url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		a, err := parseAddress(url, Options{})
		if err == nil &&
			(a.base.Host == "" || !strings.HasSuffix(a.base.Path, "/") || a.base.RawQuery != "" || a.base.User != nil) {
			t.Errorf("%q: %v", url, a.base)
		}
	})
}

// TestKnown: a key is remembered, replaced, and found again, and other lines are kept.
func TestKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "known")
	other := strings.Repeat("x", 43)
	for _, step := range []struct{ base, key string }{
		{"https://a/r/rover/", someKey}, {"https://b/r/rover/", someKey}, {"https://a/r/rover/", other},
	} {
		if err := remember(path, step.base, step.key); err != nil {
			t.Fatal(err)
		}
	}
	_, keys, err := readKnown(path)
	if err != nil || len(keys) != 2 || keys["https://a/r/rover/"] != other || keys["https://b/r/rover/"] != someKey {
		t.Errorf("%v, %v", keys, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("# mine\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remember(path, "https://a/r/rover/", someKey); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "# mine\nnonsense\nhttps://a/r/rover/ "+someKey+"\n" {
		t.Errorf("%q", text)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}

// messages are what a gateway may send, and what may come instead.
var messages = []string{
	`{"welcome":{"robot":"rover","epoch":"5","newField":{}}}`,
	`{"result":{"id":7,"response":{"state":{"safeJson":"{}"}}}}`,
	`{"result":{"id":7,"error":{"code":"FAILED_PRECONDITION","message":"no","details":[{"@type":"type.googleapis.com/un.known"},` +
		`{"@type":"type.googleapis.com/waldo.control.v1.CommandReport","verdict":"COMMAND_VERDICT_NO_LEASE"}]}}}`,
	`{"result":{"id":7,"error":{"code":"OK"}}}`,
	`{"result":{}}`, `{"result":null}`, `{}`, `[]`, `7`, `{"result":{"id":"x"}}`, `{"welcome":7}`, ``, `{`,
}

func TestMessages(t *testing.T) {
	m, _, err := parseMessage([]byte(messages[0]))
	if err != nil || m.GetWelcome().GetRobot() != "rover" {
		t.Errorf("%v, %v", m, err)
	}
	_, r, err := parseMessage([]byte(messages[1]))
	if err != nil || r.ID != 7 {
		t.Fatalf("%v, %v", r, err)
	}
	var reply controlv1.GetControlResponse
	if err := r.into(&reply); err != nil || reply.GetState().GetSafeJson() != "{}" {
		t.Errorf("%v, %v", &reply, err)
	}
	_, r, _ = parseMessage([]byte(messages[2]))
	err = r.into(&reply)
	details := status.Convert(err).Details()
	if status.Code(err) != codes.FailedPrecondition || len(details) != 1 {
		t.Errorf("%v with %v", err, details)
	}
	if _, r, _ = parseMessage([]byte(messages[3])); status.Code(r.into(&reply)) != codes.Unknown {
		t.Error("an error may be OK")
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range messages {
		f.Add([]byte(m))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, r, err := parseMessage(data)
		if err == nil && r != nil {
			_ = r.into(&controlv1.GetControlResponse{})
		}
		_, _ = parseResult(data)
		new(reading).received(true, data)
	})
}

// TestSequence: a reader gets what can be decoded, each frame once, and asks when it is stuck.
func TestSequence(t *testing.T) {
	var s sequence
	for i, step := range []struct {
		epoch, sequence     int64
		key, deliver, stuck bool
	}{
		{1, 5, false, false, true},  // nothing begins here
		{1, 6, true, true, false},   // the first
		{1, 7, false, true, false},  //
		{1, 7, false, false, false}, // twice
		{1, 9, false, false, true},  // 8 is missing
		{1, 6, true, false, false},  // the group again, …
		{1, 7, false, false, false}, //
		{1, 8, false, true, false},  // … which has it
		{1, 12, true, true, false},  // a key frame after a loss
		{2, 0, false, false, true},  // another life
		{2, 1, true, true, false},   //
		{1, 13, false, false, true}, // of the one before
	} {
		deliver, stuck := s.accept(&mediav1.VideoFrame{Epoch: step.epoch, Sequence: step.sequence, KeyFrame: step.key})
		if deliver != step.deliver || stuck != step.stuck {
			t.Errorf("%d: frame %d of %d: deliver %v, stuck %v", i, step.sequence, step.epoch, deliver, stuck)
		}
	}
}

// TestDirections reads the directions of an answer.
func TestDirections(t *testing.T) {
	const begin = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	got, err := directionsOf(begin + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=inactive\r\nm=audio 0 UDP/TLS/RTP/SAVPF " +
		"96\r\na=mid:2\r\na=sendonly\r\n")
	if err != nil || len(got) != 1 || got["0"] != "sendonly" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := directionsOf("nonsense"); err == nil {
		t.Error("nonsense is an answer")
	}
}

// TestCounters: packets go on counting over streams, gaps in sound stay gaps, and no timestamp goes back.
func TestCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newCounters()
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: "audio/opus"}, "a", "b")
		if err != nil {
			t.Fatal(err)
		}
		send := func(p *packetizer, f outFrame) (seq uint16, timestamp uint32) {
			before, at := n.seq, n.timestamp
			p.send(t.Context(), f)
			return n.seq - before, n.timestamp - at
		}
		p := newPacketizer(codecs.Of("audio/opus"), track, n)
		send(p, outFrame{data: []byte{1}, epoch: 3, sequence: 10, index: 9600})
		for _, step := range []struct {
			sequence, index int64
			seq             uint16
			timestamp       uint32
		}{{11, 10560, 1, 960}, {14, 13440, 3, 2880}, {15, 48000, 1, 34560}} {
			seq, timestamp := send(p, outFrame{data: []byte{1}, epoch: 3, sequence: step.sequence, index: step.index})
			if seq != step.seq || timestamp != step.timestamp {
				t.Errorf("sound %d: %d packets and %d samples on", step.sequence, seq, timestamp)
			}
		}
		time.Sleep(time.Second)
		again := newPacketizer(codecs.Of("audio/opus"), track, n)
		if seq, timestamp := send(again, outFrame{data: []byte{1}, epoch: 9, sequence: 500}); seq != 1 || timestamp != 48000 {
			t.Errorf("another stream: %d packets and %d samples on", seq, timestamp)
		}
		video := newPacketizer(codecs.All(webrtc.RTPCodecTypeVideo)[0], track, n)
		frame := append([]byte{0, 0, 0, 1, 0x65}, bytes.Repeat([]byte{0x88}, 3000)...)
		begin := time.Unix(1000, 0)
		send(video, outFrame{data: frame, at: begin})
		for _, step := range []struct {
			at   time.Duration
			want uint32
		}{{100 * time.Millisecond, 9000}, {50 * time.Millisecond, 1}, {time.Hour, 1}} {
			if seq, timestamp := send(video, outFrame{data: frame, at: begin.Add(step.at)}); seq != 3 || timestamp != step.want {
				t.Errorf("a picture at %v: %d packets and %d ticks on", step.at, seq, timestamp)
			}
		}
	})
}

// TestCallsInFlight: results find their calls, but only by the way on which those were sent; calls fail with what they
// were sent on, and their number is bounded.
func TestCallsInFlight(t *testing.T) {
	c := newCalls()
	id, p, err := c.begin("a")
	if err != nil {
		t.Fatal(err)
	}
	c.settle("a", &result{ID: id + 1})
	c.settle("b", &result{ID: id, Response: json.RawMessage(`{"made": "up"}`)})
	c.settle("a", &result{ID: id, Response: json.RawMessage(`{}`)})
	c.settle("a", &result{ID: id}) // twice
	if r := <-p.result; r.ID != id || string(r.Response) != "{}" {
		t.Errorf("%v", r)
	}
	c.last = 1<<31 - 1
	id, p, _ = c.begin("a")
	if id != 1 {
		t.Errorf("the id after the last is %d", id)
	}
	_, other, _ := c.begin("b")
	c.lose("a", errLost)
	if err := <-p.failed; !errors.Is(err, errLost) || len(other.failed) > 0 {
		t.Errorf("%v", err)
	}
	for err = nil; err == nil; {
		_, _, err = c.begin("b")
	}
	if status.Code(err) != codes.ResourceExhausted || len(c.pending) != maxPending {
		t.Errorf("%d calls: %v", len(c.pending), err)
	}
}

// TestICEServers passes on what the gateway lists.
func TestICEServers(t *testing.T) {
	got := iceServers([]*signalingv1.IceServer{{Urls: []string{"turn:a"}, Username: "u", Credential: "c"}})
	if len(got) != 1 || got[0].URLs[0] != "turn:a" || got[0].Username != "u" || got[0].Credential != "c" {
		t.Errorf("%v", got)
	}
}
