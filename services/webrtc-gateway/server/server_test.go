package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDirectory knows front and rear.
type fakeDirectory struct {
	mu       sync.Mutex
	changed  chan struct{}
	gone     bool
	snapshot error
	text     bool // snapshots are no JPEG
}

func newDirectory() *fakeDirectory { return &fakeDirectory{changed: make(chan struct{})} }

func (d *fakeDirectory) List() (*signalingv1.DeviceList, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &signalingv1.DeviceList{Devices: []*signalingv1.DeviceStatus{
		{Device: &devicev1.Device{Name: "front", Kind: "camera"}, Gone: d.gone}, {Device: &devicev1.Device{Name: "rear"}},
	}}, d.changed
}

func (d *fakeDirectory) Get(device string) (*signalingv1.DeviceStatus, bool, <-chan struct{}) {
	list, changed := d.List()
	for _, s := range list.GetDevices() {
		if s.GetDevice().GetName() == device {
			return s, true, changed
		}
	}
	return nil, false, changed
}

func (d *fakeDirectory) change() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *fakeDirectory) CheckAccepts(device, stream string) error {
	return status.Errorf(codes.FailedPrecondition, "%s accepts no stream %q", device, stream)
}

// CheckHas: rear has sound only.
func (d *fakeDirectory) CheckHas(device string, streams ...string) error {
	if device == "front" || slices.Contains(streams, "audio") {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition, "%s has no %s", device, strings.Join(streams, " and no "))
}

func (d *fakeDirectory) Check(device string) error {
	if device == "front" || device == "rear" {
		return nil
	}
	return status.Errorf(codes.NotFound, "there is no device %q; there are: front, rear", device)
}

func (d *fakeDirectory) Snapshot(_ context.Context, _ string, width, height int32) (*mediav1.VideoFrame, error) {
	if d.snapshot != nil {
		return nil, d.snapshot
	}
	f := &mediav1.VideoFrame{Data: []byte("jpeg"), CaptureTime: timestamppb.Now(),
		Format: &mediav1.VideoFormat{MediaType: "image/jpeg", WidthPx: width, HeightPx: height}}
	if d.text {
		f.Format.MediaType = "text/plain"
	}
	return f, nil
}

// silentFeed is a device that never sends a frame.
type silentFeed struct{}

func (silentFeed) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (silentFeed) RequestKeyFrame(context.Context) error { return nil }
func (silentFeed) KeyFrames() tracks.KeyFrames           { return tracks.KeyFrames{OnRequest: true} }
func (silentFeed) Close()                                {}

// silentDevices are cameras that send nothing.
type silentDevices struct {
	tracks.Devices // there is no sound
}

func (silentDevices) Video(tracks.Stream) (tracks.VideoFeed, error) { return silentFeed{}, nil }

func (silentDevices) Carriers(s tracks.Stream) ([]tracks.Carrier, <-chan struct{}) {
	return []tracks.Carrier{{Stream: s}}, nil
}

// site is a server for tests.
type site struct {
	*httptest.Server
	t         *testing.T
	directory *fakeDirectory
	server    *Server
}

func newSite(t *testing.T, c Config, maxPeers int) *site {
	t.Helper()
	hub := tracks.NewHub(silentDevices{}, tracks.Config{})
	engine, err := rtc.NewEngine(hub, rtc.Config{MaxPeers: maxPeers})
	if err != nil {
		t.Fatal(err)
	}
	d := newDirectory()
	c.Robot, c.Version = "demo", "test"
	if c.Page == nil {
		c.Page = fstest.MapFS{"index.html": {Data: []byte("<p>robot")}, "waldo.js": {Data: []byte("export {}")},
			"page/main.js": {Data: []byte("//")}, "notes.txt": {}}
	}
	s, err := New(engine, d, c)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
		web.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		hub.Close()
	})
	return &site{Server: web, t: t, directory: d, server: s}
}

// request is one HTTP request; headers are "Name: value".
type request struct {
	method, path, body string
	headers            []string
	host               string
}

// do sends a request and returns the answer with its whole body.
func (s *site) do(q request) (*http.Response, string) {
	s.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	r, err := http.NewRequest(q.method, s.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range q.headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	r.Host = q.host
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(body)
}

// offer makes a real offer.
func offer(t *testing.T) string {
	t.Helper()
	w, err := watcher.New(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	sdp, err := w.Offer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return sdp
}

const sdpType = "Content-Type: application/sdp"

func TestBadRequests(t *testing.T) {
	good := offer(t)
	without := func(prefix string) string {
		var kept []string
		for _, line := range strings.SplitAfter(good, "\n") {
			if !strings.HasPrefix(line, prefix) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	post := func(body string, headers ...string) request {
		return request{method: "POST", path: "/whep/front", body: body, headers: append(headers, sdpType)}
	}
	tests := []struct {
		name string
		q    request
		code int
		says string // part of the error
	}{
		{"empty offer", post(""), 400, "empty"},
		{"garbage offer", post("hello"), 400, "sdp"},
		{"binary offer", post("\x00\xff\x00"), 400, "sdp"},
		{"offer without video", post("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), 400, "ice-ufrag"},
		{"offer without mid", post(without("a=mid")), 400, "a=mid"},
		{"offer without fingerprint", post(without("a=fingerprint")), 400, "a=fingerprint"},
		{"offer without ufrag", post(without("a=ice-ufrag")), 400, "a=ice-ufrag"},
		{"offer with a broken fingerprint", post(strings.ReplaceAll(good, "a=fingerprint:sha-256 ", "a=fingerprint:")), 400,
			"sdp"},
		{"offer that sends", post(strings.ReplaceAll(good, "a=recvonly", "a=sendonly")), 400, "recvonly"},
		{"two sections of one mid", post(good + "m=video" + strings.SplitN(good, "m=video", 2)[1]), 400, "a=mid"},
		{"huge offer", post(good + strings.Repeat("a=x\r\n", 20_000)), 413, "65536"},
		{"no common codec", post(strings.NewReplacer("H264", "H266").Replace(good)), 406, "H264"},
		{"only interleaved NAL units",
			post(strings.NewReplacer("packetization-mode=1", "packetization-mode=2", "packetization-mode=0",
				"packetization-mode=2").Replace(good)), 406, "packetization-mode 1 or 0"},
		{"JSON", request{method: "POST", path: "/whep/front", body: "{}",
			headers: []string{"Content-Type: application/json"}}, 415, "application/sdp"},
		{"no type", request{method: "POST", path: "/whep/front", body: good}, 415, "application/sdp"},
		{"unknown device", request{method: "POST", path: "/whep/tail", body: good, headers: []string{sdpType}}, 404,
			"front, rear"},
		{"GET of WHEP", request{path: "/whep/front"}, 405, "POST"},
		{"PATCH of no session", request{method: "PATCH", path: "/whep/front/1"}, 404, "no such session"},
		{"DELETE of no session", request{method: "DELETE", path: "/whep/front/1"}, 404, "no such session"},
		{"no WebSocket", request{path: "/signal"}, 426, "proxy_set_header Upgrade"},
		{"asking why there is no WebSocket", request{method: "POST", path: "/signal"}, 426, "proxy_set_header Upgrade"},
		{"unknown page", request{path: "/etc/passwd"}, 404, "no such page"},
		{"file that is not for browsers", request{path: "/notes.txt"}, 404, "no such page"},
		{"snapshot of an unknown device", request{path: "/snapshot/tail.jpg"}, 404, "front, rear"},
		{"snapshot of another type", request{path: "/snapshot/front.png"}, 404, ".jpg"},
		{"snapshot too wide", request{path: "/snapshot/front.jpg?width=9000"}, 400, "width"},
		{"snapshot with a negative height", request{path: "/snapshot/front.jpg?height=-1"}, 400, "height"},
		{"snapshot with a word for a number", request{path: "/snapshot/front.jpg?width=big"}, 400, "width"},
		{"foreign host", request{path: "/", host: "evil.example"}, 421, "gateway.token"},
		{"foreign host that looks local", request{path: "/", host: "localhost.evil.example:80"}, 421, "gateway.hosts"},
		{"foreign page", post(good, "Origin: https://evil.example"), 403, "gateway.origins"},
		{"foreign page looks", request{path: "/devices", headers: []string{"Origin: https://evil.example"}}, 403,
			"gateway.origins"},
		{"sandboxed page", request{path: "/signal", headers: []string{"Origin: null"}}, 403, "gateway.origins"},
	}
	s := newSite(t, Config{}, 0)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			answer, body := s.do(tt.q)
			if answer.StatusCode != tt.code {
				t.Errorf("status %d, want %d: %s", answer.StatusCode, tt.code, body)
			}
			if !strings.Contains(body, tt.says) {
				t.Errorf("the error does not name %q: %s", tt.says, body)
			}
		})
	}
	if len(s.server.resources) != 0 {
		t.Errorf("%d sessions are left after nothing but refusals", len(s.server.resources))
	}
}

func TestTooManyViewers(t *testing.T) {
	s := newSite(t, Config{}, 1)
	post := request{method: "POST", path: "/whep/front", body: offer(t), headers: []string{sdpType}}
	first, _ := s.do(post)
	if first.StatusCode != 201 {
		t.Fatal(first.Status)
	}
	answer, body := s.do(post)
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || !strings.Contains(body, "maxViewers") {
		t.Errorf("%s, Retry-After %q: %s", answer.Status, answer.Header.Get("Retry-After"), body)
	}
	s.do(request{method: "DELETE", path: locate(t, post.path, first)})
	if answer, body := s.do(post); answer.StatusCode != 201 {
		t.Errorf("after one has left: %s %s", answer.Status, body)
	}
}

func TestSlowBody(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	s := newSite(t, Config{}, 0)
	body, feed := io.Pipe() // that never ends
	defer func() { _ = feed.Close() }()
	go func() { _, _ = feed.Write([]byte("v=0\r\n")) }()
	answer, err := http.Post(s.URL+"/whep/front", "application/sdp", body)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %s, want 408", answer.Status)
	}
}

func TestPage(t *testing.T) {
	s := newSite(t, Config{}, 0)
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8",
		"/waldo.js": "text/javascript; charset=utf-8", "/page/main.js": "text/javascript; charset=utf-8",
	} {
		answer, _ := s.do(request{path: path})
		h := answer.Header
		if answer.StatusCode != 200 || h.Get("Content-Type") != contentType || h.Get("Cache-Control") != "no-cache" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self'") ||
			strings.Contains(h.Get("Content-Security-Policy"), "unsafe") ||
			h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s %v", path, answer.Status, h)
		}
		again, body := s.do(request{path: path, headers: []string{"If-None-Match: " + h.Get("ETag")}})
		if again.StatusCode != 304 || body != "" {
			t.Errorf("%s again: %s %q", path, again.Status, body)
		}
	}
}

func TestScriptInThePage(t *testing.T) {
	s := newSite(t, Config{Page: fstest.MapFS{"index.html": {Data: []byte("<script>alert('hi')</script><script " +
		"src=x></script>")}, "x.js": {}}}, 0)
	const hash = "'sha256-XTqNqFSUlZHAW7f/OGNYSOEzxKhjdAAGMXoid2VEbJk='"
	for path, want := range map[string]bool{"/": true, "/x.js": false} {
		answer, _ := s.do(request{path: path})
		if policy := answer.Header.Get("Content-Security-Policy"); strings.Contains(policy,
			"script-src 'self' "+hash) != want {
			t.Errorf("%s: %s", path, policy)
		}
	}
}

// TestScriptBesideThePage: a script that is no module comes with the page, and its policy allows it.
func TestScriptBesideThePage(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte(`<p><script src="page/x.js"></script></p>`)},
		"page/x.js": {Data: []byte("alert('$1')\n")}}
	p, err := newPage(files, robotPages)
	if err != nil {
		t.Fatal(err)
	}
	const want = "<p><script>\nalert('$1')\n</script></p>"
	if html := p["/"]; html.data != want || !strings.Contains(html.policy, hashes([]byte(want))) {
		t.Errorf("%s with %s", html.data, html.policy)
	}
	delete(files, "page/x.js")
	if _, err := newPage(files, robotPages); err == nil || !strings.Contains(err.Error(), "page/x.js") {
		t.Errorf("without the script: %v", err)
	}
}

func TestSnapshot(t *testing.T) {
	s := newSite(t, Config{}, 0)
	answer, body := s.do(request{path: "/snapshot/front.jpg?width=320&height=240"})
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "image/jpeg" || body != "jpeg" ||
		answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v %q", answer.Status, answer.Header, body)
	}
	for code, want := range map[codes.Code]int{codes.Unavailable: 503, codes.DeadlineExceeded: 504,
		codes.InvalidArgument: 400, codes.Unknown: 500} {
		s.directory.snapshot = status.Error(code, "why")
		if answer, body := s.do(request{path: "/snapshot/front.jpg"}); answer.StatusCode != want ||
			!strings.Contains(body, "why") {
			t.Errorf("%v: %s %s, want %d", code, answer.Status, body, want)
		}
	}
	s.directory.snapshot, s.directory.text = nil, true
	if answer, _ := s.do(request{path: "/snapshot/front.jpg"}); answer.StatusCode != 502 {
		t.Errorf("no JPEG: %s", answer.Status)
	}
}

func TestHealthDevicesMetrics(t *testing.T) {
	connected := true
	s := newSite(t, Config{BusConnected: func() bool { return connected }, Instance: "mine"}, 0)
	if answer, body := s.do(request{path: "/healthz"}); answer.StatusCode != 200 ||
		body != `{"status":"ok","instance":"mine"}`+"\n" {
		t.Errorf("healthz: %s %s", answer.Status, body)
	}
	connected = false
	if answer, body := s.do(request{path: "/healthz"}); answer.StatusCode != 200 || !strings.Contains(body, `"degraded"`) {
		t.Errorf("healthz without a bus: %s %s", answer.Status, body)
	}
	if answer, body := s.do(request{path: "/devices"}); answer.Header.Get("Content-Type") != "application/json" ||
		!strings.Contains(body, `"rear"`) {
		t.Errorf("devices: %v %s", answer.Header, body)
	}
	if _, body := s.do(request{path: "/metrics"}); !strings.Contains(body, "waldo_gateway_signalling_sessions 0") {
		t.Errorf("metrics: %s", body)
	}
}

func TestCloseEndsSessions(t *testing.T) {
	s := newSite(t, Config{}, 0)
	if answer, body := s.do(request{method: "POST", path: "/whep/front", body: offer(t),
		headers: []string{sdpType}}); answer.StatusCode != 201 {
		t.Fatal(answer.Status, body)
	}
	socket := s.dial()
	defer socket.close()
	begin := time.Now()
	s.server.Close()
	if took := time.Since(begin); took > watcher.Timeout {
		t.Errorf("closing took %v", took)
	}
	if len(s.server.resources) != 0 {
		t.Error("a session is left")
	}
	if answer, _ := s.do(request{method: "POST", path: "/whep/front", body: offer(t),
		headers: []string{sdpType}}); answer.StatusCode != 503 {
		t.Errorf("after the end: %s", answer.Status)
	}
	if answer, body := s.do(request{path: "/signal",
		headers: []string{"Connection: Upgrade", "Upgrade: websocket"}}); answer.
		StatusCode != 503 || !strings.Contains(body, "is stopping") {
		t.Errorf("a session after the end: %s: %s", answer.Status, body)
	}
}
