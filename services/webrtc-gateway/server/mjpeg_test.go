package server

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/mjpeg"
)

// jpegCamera is a camera whose pictures the test sends.
type jpegCamera struct {
	frames chan *mediav1.VideoFrame
	open   atomic.Int32
	next   int64
}

func (c *jpegCamera) JPEG(_ context.Context, device string) (string, error) {
	if device != "front" {
		return "", status.Errorf(codes.NotFound, "there is no device %q; there are: front", device)
	}
	return "video-jpeg", nil
}

func (c *jpegCamera) Newest(string, string) (mjpeg.Feed, error) {
	c.open.Add(1)
	return jpegFeed{c}, nil
}

// send sends a picture; false if nobody takes it.
func (c *jpegCamera) send(size int) bool {
	c.next++
	f := &mediav1.VideoFrame{
		Epoch: 1, Sequence: c.next, CaptureTime: timestamppb.Now(),
		Format: &mediav1.VideoFormat{MediaType: "image/jpeg"}, Data: append([]byte("\xff\xd8\xff"), make([]byte, size)...),
	}
	select {
	case c.frames <- f:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

type jpegFeed struct{ *jpegCamera }

func (f jpegFeed) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	select {
	case p := <-f.frames:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f jpegFeed) Close() { f.open.Add(-1) }

// screens is a site with a camera for Motion JPEG.
type screens struct {
	*site
	camera *jpegCamera
}

func newScreens(t *testing.T, c Config) *screens {
	t.Helper()
	camera := &jpegCamera{frames: make(chan *mediav1.VideoFrame)}
	hub := mjpeg.NewHub(camera, mjpeg.Config{})
	t.Cleanup(hub.Close)
	c.MotionJPEG = hub
	return &screens{newSite(t, c, 0), camera}
}

// screen is an open response.
type screen struct {
	t      *testing.T
	answer *http.Response
	parts  *multipart.Reader
}

func (s *screens) screen(url string, headers ...string) *screen {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = answer.Body.Close() })
	return s.read(answer)
}

// read returns what reads the pictures of an answer.
func (s *screens) read(answer *http.Response) *screen {
	s.t.Helper()
	kind, params, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || err != nil || kind != "multipart/x-mixed-replace" {
		s.t.Fatalf("%s, %q, %v", answer.Status, answer.Header.Get("Content-Type"), err)
	}
	return &screen{s.t, answer, multipart.NewReader(answer.Body, params["boundary"])}
}

// next returns the next picture.
func (s *screen) next() []byte {
	s.t.Helper()
	part, err := s.parts.NextRawPart()
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := io.ReadAll(part)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func TestMotionJPEG(t *testing.T) {
	s := newScreens(t, Config{})
	a, b := s.screen(s.URL+"/mjpeg/front"), s.screen(s.URL+"/mjpeg/front")
	for i := range 5 {
		if !s.camera.send(1000 * i) {
			t.Fatal("nobody reads the camera")
		}
		for _, screen := range []*screen{a, b} {
			if got := screen.next(); len(got) != 3+1000*i || !bytes.HasPrefix(got, []byte("\xff\xd8\xff")) {
				t.Errorf("picture %d has %d bytes", i, len(got))
			}
		}
	}
	if n := s.camera.open.Load(); n != 1 {
		t.Errorf("the stream is open %d times, want once for both", n)
	}
	_ = a.answer.Body.Close()
	_ = b.answer.Body.Close()
	s.eventually("the camera is let go of", func() bool { return s.camera.open.Load() == 0 })
}

// eventually waits for something that cannot be waited for in a better way.
func (s *screens) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("not within 30 s: " + what)
		}
	}
}

func TestMotionJPEGRefused(t *testing.T) {
	s := newScreens(t, Config{})
	for name, tt := range map[string]struct {
		q    request
		code int
		says string
	}{
		"no such camera": {request{path: "/mjpeg/rear"}, 404, "there are: front"},
		"none":           {request{path: "/mjpeg/"}, 404, ""},
		"unknown parameter": {request{path: "/mjpeg/front?quality=5"}, 400,
			`"quality": there is no such parameter, only fps`},
		"no number":       {request{path: "/mjpeg/front?fps=fast"}, 400, `fps: "fast" is not a rate: use a number above 0`},
		"empty":           {request{path: "/mjpeg/front?fps="}, 400, "fps"},
		"none at all":     {request{path: "/mjpeg/front?fps=0"}, 400, "above 0"},
		"back in time":    {request{path: "/mjpeg/front?fps=-1"}, 400, "above 0"},
		"not a number":    {request{path: "/mjpeg/front?fps=NaN"}, 400, "above 0"},
		"infinitely many": {request{path: "/mjpeg/front?fps=Inf"}, 400, "up to 1000"},
		"too many":        {request{path: "/mjpeg/front?fps=1001"}, 400, "up to 1000"},
		"another method":  {request{method: "POST", path: "/mjpeg/front"}, 405, ""},
		"on a foreign page": {request{path: "/mjpeg/front", headers: []string{"Sec-Fetch-Site: cross-site"}},
			403, "gateway.origins"},
		"under another name":  {request{path: "/mjpeg/front", host: "robot.example"}, 421, "gateway.hosts"},
		"HEAD of no camera":   {request{method: "HEAD", path: "/mjpeg/rear"}, 404, ""},
		"HEAD with an error":  {request{method: "HEAD", path: "/mjpeg/front?fps=x"}, 400, ""},
		"HEAD of the camera":  {request{method: "HEAD", path: "/mjpeg/front?fps=0.5"}, 200, ""},
		"another parameter's": {request{path: "/mjpeg/front?fps=5&fps2=5"}, 400, `"fps2"`},
	} {
		answer, body := s.do(tt.q)
		if answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d, %s", name, answer.StatusCode, body)
		}
		if mixed := strings.HasPrefix(answer.Header.Get("Content-Type"), "multipart/x-mixed-replace; boundary="); mixed !=
			(tt.code == 200) {
			t.Errorf("%s: %v", name, answer.Header)
		}
	}
	if n := s.camera.open.Load(); n != 0 {
		t.Errorf("the camera is held by %d requests, none of which watches", n)
	}
	without := newSite(t, Config{}, 0)
	if answer, _ := without.do(request{path: "/mjpeg/front"}); answer.StatusCode != http.StatusNotImplemented {
		t.Errorf("without Motion JPEG: %s", answer.Status)
	}
}

// TestMotionJPEGWantsTheToken in every form in which other requests may have it.
func TestMotionJPEGWantsTheToken(t *testing.T) {
	s := newScreens(t, Config{Token: "secret"})
	for _, headers := range [][]string{nil, {"Authorization: Bearer wrong"}} {
		if answer, body := s.do(request{path: "/mjpeg/front", headers: headers}); answer.StatusCode != 401 {
			t.Errorf("%q: %s, %s", headers, answer.Status, body)
		}
	}
	for agent, want := range map[string]int{"Lavf/59.27.100": 2, "Mozilla/5.0 (X11; Linux x86_64)": 1} {
		answer, _ := s.do(request{path: "/mjpeg/front", headers: []string{"User-Agent: " + agent}})
		if got := answer.Header.Values("WWW-Authenticate"); len(got) != want || !strings.HasPrefix(got[0], "Bearer") {
			t.Errorf("%s is asked for %q", agent, got)
		}
	}
	session, _ := s.do(request{path: "/?token=secret", headers: []string{"Accept: text/html"}})
	cookie, _, _ := strings.Cut(session.Header.Get("Set-Cookie"), ";")
	s.screen(s.URL+"/mjpeg/front", "Authorization: Bearer secret")
	s.screen(s.URL+"/mjpeg/front", "Cookie: "+cookie)
	s.screen(strings.Replace(s.URL, "://", "://:secret@", 1)+"/mjpeg/front?fps=5", "Accept: image/*")
}

// TestMotionJPEGGoesOn: neither the time that a request may take to be read nor the one that an
// answer may take ends it.
func TestMotionJPEGGoesOn(t *testing.T) {
	s := newScreens(t, Config{})
	strict := httptest.NewUnstartedServer(s.server.Handler())
	strict.Config.ReadTimeout, strict.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	strict.Start()
	defer strict.Close()
	var screen *screen
	s.eventually("the request is read in time", func() bool { // which a busy machine does not always manage
		answer, err := http.Get(strict.URL + "/mjpeg/front")
		if err != nil {
			return false
		}
		screen = s.read(answer)
		return true
	})
	defer func() { _ = screen.answer.Body.Close() }()
	for range 3 {
		time.Sleep(100 * time.Millisecond) // both times are over
		if !s.camera.send(100_000) {
			t.Fatal("nobody reads the camera")
		}
		screen.next()
	}
}

// TestMotionJPEGEndsWithTheServer, and properly: the response is complete.
func TestMotionJPEGEndsWithTheServer(t *testing.T) {
	s := newScreens(t, Config{})
	screen := s.screen(s.URL + "/mjpeg/front")
	s.camera.send(10)
	screen.next()
	s.server.Close()
	if rest, err := io.ReadAll(screen.answer.Body); err != nil {
		t.Errorf("%d bytes and then %v", len(rest), err)
	}
	s.eventually("the camera is let go of", func() bool { return s.camera.open.Load() == 0 })
	if answer, _ := s.do(request{path: "/mjpeg/front"}); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after the end: %s", answer.Status)
	}
}

// stalled opens a response and reads no more than its header.
func (s *screens) stalled() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(1 << 12); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /mjpeg/front HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		s.t.Fatalf("%s %v", line, err)
	}
	return conn
}

// feedWhile sends large pictures until the test ends.
func (s *screens) feedWhile() {
	ctx, cancel := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	sending.Go(func() {
		for ctx.Err() == nil {
			f := &mediav1.VideoFrame{Epoch: time.Now().UnixNano(), CaptureTime: timestamppb.Now(),
				Format: &mediav1.VideoFormat{MediaType: "image/jpeg"}, Data: append([]byte("\xff\xd8\xff"), make([]byte, 1<<20)...)}
			select {
			case s.camera.frames <- f:
			case <-ctx.Done():
			}
		}
	})
	s.t.Cleanup(func() { cancel(); sending.Wait() })
}

// TestMotionJPEGToNobody: a client that reads nothing is given up after a while, and its place is free.
func TestMotionJPEGToNobody(t *testing.T) {
	t.Parallel()
	s := newScreens(t, Config{})
	s.feedWhile()
	s.stalled()
	s.eventually("the camera is held", func() bool { return s.camera.open.Load() == 1 })
	s.eventually("the camera is let go of", func() bool { return s.camera.open.Load() == 0 })
}

// TestStopWhileAClientStalls: it does not delay the end for as long as it may stall otherwise.
func TestStopWhileAClientStalls(t *testing.T) {
	s := newScreens(t, Config{})
	s.feedWhile()
	s.stalled()
	s.eventually("the camera is held", func() bool { return s.camera.open.Load() == 1 })
	time.Sleep(50 * time.Millisecond) // in all likelihood the connection is full
	begin := time.Now()
	s.server.Close()
	if took := time.Since(begin); took >= writeTimeout {
		t.Errorf("the end took %v", took)
	}
}

func TestTooMuchMotionJPEG(t *testing.T) {
	s := newScreens(t, Config{})
	var last *screen
	for range maxMJPEG {
		last = s.screen(s.URL + "/mjpeg/front")
	}
	answer, body := s.do(request{path: "/mjpeg/front"})
	if answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "32 responses with Motion JPEG") ||
		answer.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s, %s", answer.Status, body)
	}
	_ = last.answer.Body.Close()
	s.eventually("the place is free", func() bool {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		return s.server.mjpegResponses.open < maxMJPEG
	})
	s.screen(s.URL + "/mjpeg/front")
}

// FuzzMJPEGRate: whatever is asked for is either refused or a rate.
func FuzzMJPEGRate(f *testing.F) {
	for _, text := range []string{"5", "", "0", "-1", "1e3", "1001", "NaN", "Inf", "0x10", "fast", "0.0001"} {
		f.Add("fps", text)
	}
	f.Add("token", "secret")
	f.Add("quality", "5")
	f.Fuzz(func(t *testing.T, name, text string) {
		rate, err := mjpegRate(map[string][]string{name: {text}})
		if err == nil && !(rate >= 0 && rate <= maxRate) || err != nil && rate != 0 && name != "fps" {
			t.Errorf("%s=%s: %v, %v", name, text, rate, err)
		}
	})
}
