package fakecam

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// JPEGConfig says what a camera is like that sends Motion JPEG over HTTP, at /video, and single pictures, at /picture.
// The zero value keeps the rules.
type JPEGConfig struct {
	Listen   string  // host:port; 127.0.0.1:0 if empty
	Media    *Media  // plain.mjpeg if nil
	FPS      float64 // 10 if 0
	Login    Login
	Viewers  int // of /video at a time; 0 is no bound. One too many gets 503
	Boundary string
	// ContentType is that of /video; %b becomes the boundary. "-" sends none.
	ContentType string
	// Delimiter is what stands before each part; %b becomes the boundary. "--%b" if empty.
	Delimiter string
	NoLength  bool   // parts have no Content-Length
	NoType    bool   // parts have no Content-Type
	NoFirst   bool   // there is no delimiter before the first part
	Closed    bool   // the end of all parts follows each part
	EOL       string // CR LF if empty
	ETag      bool   // single pictures have one, and are sent once to a client that gives it back
	Chunked   bool   // the body comes in chunks
	Cookie    bool   // a client without the camera's cookie is sent to the same address with it
	// Head changes the head of the answer of /video.
	Head func(string) string
	// Counts changes the Content-Length of a part.
	Counts func(int) int
	// Edit changes a picture.
	Edit func([]byte) []byte
}

// JPEGCamera is a fake camera that sends Motion JPEG over HTTP.
type JPEGCamera struct {
	counters
	config  JPEGConfig
	began   time.Time
	address string
	server  *http.Server
	paused  atomic.Bool
	viewers atomic.Int32
	running sync.WaitGroup
	ends    context.Context // of what the server does not know any more …
	end     context.CancelFunc

	mu     sync.Mutex
	guard  *guard
	closed bool
}

// StartJPEG starts a camera that ends with the test.
func StartJPEG(t TB, config JPEGConfig) *JPEGCamera {
	t.Helper()
	return start(t, NewJPEG, config)
}

// NewJPEG starts a camera.
func NewJPEG(config JPEGConfig) (*JPEGCamera, error) {
	set(&config.Listen, "127.0.0.1:0")
	set(&config.FPS, 10)
	set(&config.Boundary, "frame")
	set(&config.ContentType, `multipart/x-mixed-replace; boundary=%b`)
	set(&config.Delimiter, "--%b")
	set(&config.EOL, "\r\n")
	if config.Media == nil {
		config.Media = Clip("plain.mjpeg")
	}
	if config.Login.Challenges == nil {
		config.Login.Challenges = []string{`Digest realm="fake", nonce="%n", qop="auth"`}
	}
	ln, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("fakecam: %w", err)
	}
	c := &JPEGCamera{config: config, began: time.Now(), address: ln.Addr().String(), guard: newGuard(config.Login)}
	c.ends, c.end = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /video", c.guarded(c.video))
	mux.HandleFunc("GET /picture", c.guarded(c.picture))
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: writeTime}
	c.running.Go(func() { _ = c.server.Serve(ln) }) // ends with Close
	return c, nil
}

// URL is the address of the stream.
func (c *JPEGCamera) URL() string { return "http://" + c.address + "/video" }

// PictureURL is the address of single pictures.
func (c *JPEGCamera) PictureURL() string { return "http://" + c.address + "/picture" }

// Pause stops pictures and leaves connections open; Resume goes on.
func (c *JPEGCamera) Pause() { c.paused.Store(true) }

// Resume ends Pause.
func (c *JPEGCamera) Resume() { c.paused.Store(false) }

// Close closes all sockets at once and waits until the camera has ended.
func (c *JPEGCamera) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	_ = c.server.Close()
	c.running.Wait()
}

// guarded lets only those in who may watch. The camera waits for what it serves.
func (c *JPEGCamera) guarded(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, challenges := c.enter(r)
		if v == tooLate {
			return
		}
		defer c.running.Done()
		c.add(Fetched)
		switch v {
		case welcome:
			serve(w, r)
			return
		case wrong:
			c.add(Refused)
		}
		c.add(Challenged)
		for _, challenge := range challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// enter judges the credentials of a request. Close waits for its end, unless it came too late.
func (c *JPEGCamera) enter(r *http.Request) (verdict, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return tooLate, nil
	}
	c.running.Add(1)
	v := c.guard.check(r.Method, r.Header.Get("Authorization"), r.UserAgent() != "")
	return v, c.guard.challenges(v)
}

// number is how many pictures have been taken.
func (c *JPEGCamera) number() int { return int(time.Since(c.began).Seconds() * c.config.FPS) }

func (c *JPEGCamera) jpeg(n int) []byte {
	units := c.config.Media.Units
	data := units[n%len(units)].Data[0]
	if c.config.Edit != nil {
		data = c.config.Edit(data)
	}
	return data
}

// picture serves the newest picture.
func (c *JPEGCamera) picture(w http.ResponseWriter, r *http.Request) {
	n := c.number()
	tag := strconv.Quote(strconv.Itoa(n))
	if c.config.ETag {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			c.add(NotModified)
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	data := c.jpeg(n)
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if _, err := w.Write(data); err == nil {
		c.add(UnitSent)
	}
}

// video serves pictures without end.
func (c *JPEGCamera) video(w http.ResponseWriter, r *http.Request) {
	if n := int(c.viewers.Add(1)); c.config.Viewers > 0 && n > c.config.Viewers {
		c.viewers.Add(-1)
		c.add(Full)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer c.viewers.Add(-1)
	if _, err := r.Cookie("viewer"); c.config.Cookie && err != nil {
		w.Header().Set("Set-Cookie", "viewer=1; path=/")
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return
	}
	c.add(Playing)
	if c.config.Head != nil {
		c.bare(w)
		return
	}
	w.Header()["Content-Type"] = nil
	if c.config.ContentType != "-" {
		w.Header().Set("Content-Type", c.bounded(c.config.ContentType))
	}
	if !c.config.Chunked {
		w.Header().Set("Transfer-Encoding", "identity") // as cameras do: the end is that of the connection
	}
	flusher := http.NewResponseController(w)
	c.parts(r.Context(), func(b []byte) bool {
		_, err := w.Write(b)
		return err == nil && flusher.Flush() == nil
	})
	c.add(Disconnected)
}

// bare serves pictures behind a head that is no server's.
func (c *JPEGCamera) bare(w http.ResponseWriter) {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = nc.Close() }() // the viewer has gone, or is to go
	write := func(b []byte) bool {
		_ = nc.SetWriteDeadline(time.Now().Add(writeTime)) // then Write fails
		_, err := nc.Write(b)
		return err == nil
	}
	head := "HTTP/1.1 200 OK\r\nContent-Type: " + c.bounded(c.config.ContentType) + "\r\n\r\n"
	if write([]byte(c.config.Head(head))) {
		c.parts(c.ends, write)
	}
	c.add(Disconnected)
}

func (c *JPEGCamera) bounded(s string) string { return strings.ReplaceAll(s, "%b", c.config.Boundary) }

// parts sends pictures until the viewer has gone.
func (c *JPEGCamera) parts(ctx context.Context, write func([]byte) bool) {
	start := time.Now()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(float64(n) / c.config.FPS * float64(time.Second)))
		if !sleep(ctx, time.Until(due)) {
			return
		}
		if c.paused.Load() {
			continue
		}
		if !write(c.part(n)) {
			return
		}
		c.add(UnitSent)
	}
}

// part returns picture n with what stands around it.
func (c *JPEGCamera) part(n int) []byte {
	data, eol := c.jpeg(n), c.config.EOL
	var b []byte
	if n > 0 || !c.config.NoFirst {
		b = append(b, c.bounded(c.config.Delimiter)+eol...)
	}
	if !c.config.NoType {
		b = append(b, "Content-Type: image/jpeg"+eol...)
	}
	if !c.config.NoLength {
		length := len(data)
		if c.config.Counts != nil {
			length = c.config.Counts(length)
		}
		b = append(b, fmt.Sprintf("Content-Length: %d%s", length, eol)...)
	}
	b = append(append(append(b, eol...), data...), eol...)
	if c.config.Closed {
		b = append(b, c.bounded(c.config.Delimiter)+"--"+eol...)
	}
	return b
}
