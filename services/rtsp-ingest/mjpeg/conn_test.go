package mjpeg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/address"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/dial"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(t *testing.T, url string) Config {
	t.Helper()
	a, err := address.Parse(url, "me", "secret")
	if err != nil {
		t.Fatal(err)
	}
	return Config{Address: a, Every: time.Millisecond}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// collect receives n pictures, and ends.
func collect(t *testing.T, c feed.Conn, n int) (got []feed.Picture) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := c.Run(ctx, feed.Receiver{Picture: func(p feed.Picture) {
		if got = append(got, p); len(got) == n {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return got[:n]
}

func stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=a:b/c")
	for n := 0; r.Context().Err() == nil; n++ {
		if _, err := io.WriteString(w, part("", shot(n%3), "\r\n")); err != nil {
			return
		}
		w.(http.Flusher).Flush()
	}
}

func TestStream(t *testing.T) {
	c, err := Open(t.Context(), config(t, serve(t, stream)))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range collect(t, c, 5) {
		if !p.Untimed || p.Damaged || p.Arrival.IsZero() || !bytes.Equal(p.Data[0], shot(i%3)) {
			t.Errorf("picture %d: %+v", i, p.Arrival)
		}
	}
	if got := c.Attributes()["transport"]; got != "http, multipart" {
		t.Error(got)
	}
}

// Single pictures are asked for over one connection; one that has not changed is not delivered again.
func TestSinglePictures(t *testing.T) {
	var mu sync.Mutex // of what the camera counts
	n, same := 0, 0
	var peers []string
	c, err := Open(t.Context(), config(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		peers = append(peers, r.RemoteAddr)
		tag := fmt.Sprint(`"`, n/2, `"`)
		n++
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			same++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = w.Write(shot(n / 2))
	})))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range collect(t, c, 4) {
		if !bytes.Equal(p.Data[0], shot((2*i+1)/2)) {
			t.Errorf("picture %d is another", i)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if slices.Sort(peers); same < 3 || len(slices.Compact(peers)) != 1 {
		t.Errorf("%d unchanged, connections %v", same, peers)
	}
}

// A camera may close the connection after each picture, whether it says so or not.
func TestSinglePicturesWithoutKeepAlive(t *testing.T) {
	var n atomic.Int32
	c, err := Open(t.Context(), config(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		said := "Connection: close\r\n"
		if n.Add(1)%2 == 0 {
			said = length(shot(0))
		}
		_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n" + said + "\r\n" + string(shot(0)))
		_ = buffer.Flush()
	})))
	if err != nil {
		t.Fatal(err)
	}
	collect(t, c, 6)
}

func digestOnly(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), `Digest username="me"`) {
		w.Header().Add("WWW-Authenticate", `Digest realm="cam", nonce="n", qop="auth"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	stream(w, r)
}

// Answers of cameras, and what becomes of them.
func TestAnswers(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	to := func(url string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
	}
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>camera") }
	tests := map[string]struct {
		h      http.HandlerFunc
		reason feed.Reason // -1: none
		text   string
	}{
		"digest":       {digestOnly, -1, ""},
		"basic":        {func(w http.ResponseWriter, r *http.Request) { basic(w, r) }, -1, ""},
		"refused":      {func(w http.ResponseWriter, _ *http.Request) { challenge(w) }, feed.Refused, "password"},
		"unknown":      {status(401), feed.Unsupported, "no way to log in"},
		"forbidden":    {status(403), feed.Refused, "rights"},
		"not found":    {status(404), feed.NotFound, "path"},
		"full":         {status(503), feed.Full, "room"},
		"broken":       {status(500), feed.Away, "500"},
		"teapot":       {status(418), feed.Unsupported, "418"},
		"page":         {page, feed.Unsupported, "text/html"},
		"loop":         {to("/"), feed.Unsupported, "more than 5"},
		"redirect":     {redirected, -1, ""},
		"to elsewhere": {to("ftp://a/"), feed.Unsupported, "cannot be used"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Open(t.Context(), config(t, serve(t, test.h)))
			if test.reason < 0 {
				if err != nil {
					t.Fatal(err)
				}
				collect(t, c, 2)
				return
			}
			if err == nil || feed.ReasonOf(err) != test.reason || !strings.Contains(err.Error(),
				test.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}

func challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="cam"`)
	w.WriteHeader(http.StatusUnauthorized)
}

func basic(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
		challenge(w)
		return
	}
	stream(w, r)
}

func redirected(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/live" {
		http.Redirect(w, r, "/live", http.StatusFound)
		return
	}
	digestOnly(w, r)
}

// User and password stay with the host that they are for.
func TestCredentialsDoNotFollowRedirects(t *testing.T) {
	var got atomic.Pointer[string]
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if sent := r.Header.Get("Authorization"); sent != "" {
			got.Store(&sent)
		}
		challenge(w)
	})
	first := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(other, "127.0.0.1", "localhost", 1), http.StatusFound)
	})
	if _, err := Open(t.Context(), config(t, first)); feed.ReasonOf(err) != feed.Refused || got.Load() != nil {
		t.Errorf("%v, sent %v", err, got.Load())
	}
}

func TestCertificateIsPinned(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(stream))
	defer s.Close()
	c := config(t, s.URL)
	c.Limits.Connect = time.Minute
	c.Fingerprint = dial.Fingerprint(s.Certificate())
	conn, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	collect(t, conn, 1)
	c.Fingerprint = strings.Repeat("ab", 32)
	if _, err := Open(t.Context(), c); feed.ReasonOf(err) != feed.Untrusted {
		t.Error(err)
	}
}

// raw serves a connection with what a camera says, and then keeps silent until the connection ends.
func raw(t *testing.T, says string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, says)
		_, _ = io.Copy(io.Discard, conn)
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "http://" + listener.Addr().String()
}

func TestSilence(t *testing.T) {
	c := config(t, raw(t, ""))
	c.Limits.Answer = 20 * time.Millisecond
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does not answer in 20ms") {
		t.Errorf("before the answer: %v", err)
	}
	c = config(t, raw(t, "HTTP/1.0 200 OK\r\n\r\n"+string(shot(1))))
	c.Limits.Silence = 20 * time.Millisecond
	conn, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = conn.Run(t.Context(), feed.Receiver{Picture: func(feed.Picture) { n++ }})
	if n != 1 || err == nil || !strings.Contains(err.Error(), "nothing for 20ms") {
		t.Errorf("%d pictures, %v", n, err)
	}
}

func TestOddAnswers(t *testing.T) {
	for says, text := range map[string]string{
		"SSH-2.0-OpenSSH\r\n\r\n": "not answer by HTTP",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 300): "not answer by HTTP",
		strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9):                                  "not answer by HTTP",
	} {
		if _, err := Open(t.Context(), config(t, raw(t, says))); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%.20q: %v", says, err)
		}
	}
}

func TestEndWhileOpening(t *testing.T) {
	url := raw(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, config(t, url)); err == nil {
		t.Error("opened")
	}
}

func TestClose(t *testing.T) {
	c, err := Open(t.Context(), config(t, serve(t, stream)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Run(t.Context(), feed.Receiver{}); err == nil {
		t.Error("ran after Close")
	}
}
