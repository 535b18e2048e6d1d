package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = 30 * time.Second

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// site is a server for tests.
type site struct {
	t      testing.TB
	server *Server
	url    string
	client *http.Client
	log    logged
	close  func()
}

// serve starts a server on a listener, or on a free port if it is nil.
func serve(t testing.TB, l net.Listener, c Config) *site {
	t.Helper()
	if l == nil {
		l = listen(t, "127.0.0.1:0")
	}
	s := &site{t: t, url: "http://" + l.Addr().String(), client: &http.Client{Transport: &http.Transport{}}}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Log = slog.New(slog.NewTextHandler(&s.log, nil))
	var err error
	if s.server, err = New(c); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.server.Serve(l) })
	s.close = sync.OnceFunc(func() {
		s.client.CloseIdleConnections()
		s.server.Close()
		serving.Wait()
	})
	t.Cleanup(s.close)
	return s
}

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	key, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// connect connects a robot whose requests a handler answers.
func (s *site) connect(name string, key *identity.Key, handler http.Handler) (*tunnel.Session, error) {
	s.t.Helper()
	session, err := tunnel.Dial(s.t.Context(),
		tunnel.Config{URL: s.url, Robot: name, Key: key, Token: s.server.config.Token})
	if err != nil {
		return nil, err
	}
	answer(s.t, session, handler)
	return session, nil
}

// answer serves a session until it ends.
func answer(t testing.TB, session *tunnel.Session, handler http.Handler) {
	h := &http.Server{Handler: handler, ReadHeaderTimeout: deadline}
	var serving sync.WaitGroup
	serving.Go(func() { _ = h.Serve(session) })
	t.Cleanup(func() {
		_ = session.Close()
		_ = h.Close()
		serving.Wait()
	})
}

// robot connects one that must be admitted.
func (s *site) robot(name string, handler http.Handler) *tunnel.Session {
	s.t.Helper()
	session, err := s.connect(name, newKey(s.t), handler)
	if err != nil {
		s.t.Fatal(err)
	}
	return session
}

// do sends a request and returns the answer with its body read.
func (s *site) do(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		key, value, _ := strings.Cut(h, ": ")
		r.Header.Set(key, value)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(text)
}

// echo tells what of a request came.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Location", "x/1")
	w.Header().Add("Set-Cookie", "own=1; HttpOnly")
	w.Header().Add("Set-Cookie", "wide=1; Path=/")
	w.Header().Set("Service-Worker-Allowed", "/")
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "%s %s host=%s from=%s proto=%s body=%s", r.Method, r.URL.RequestURI(), r.Host,
		r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), body)
})

// TestProxy: requests come to the robot without the prefix, and answers back without what concerns others.
func TestProxy(t *testing.T) {
	s := serve(t, nil, Config{})
	s.robot("rover", echo)
	host := strings.TrimPrefix(s.url, "http://")
	for name, tt := range map[string]struct {
		method, path, body string
		headers            []string
		want               string
	}{
		"the page": {"GET", "/r/rover/", "", nil, "GET / host=" + host + " from=127.0.0.1 proto=http body="},
		"a query": {"POST", "/r/rover/whep/front?audio=voice", "offer", nil, "POST /whep/front?audio=voice host=" + host +
			" from=127.0.0.1 proto=http body=offer"},
		"an escape": {"GET", "/r/rover/a%2Fb%20c", "", nil, "GET /a%2Fb%20c host=" + host +
			" from=127.0.0.1 proto=http body="},
		"behind a proxy": {"GET", "/r/rover/x", "",
			[]string{"X-Forwarded-For: 10.1.1.1, 203.0.113.9", "X-Forwarded-Proto: https"},
			"GET /x host=" + host + " from=203.0.113.9 proto=https body="},
	} {
		answer, body := s.do(tt.method, tt.path, tt.body, tt.headers...)
		if answer.StatusCode != http.StatusCreated || body != tt.want {
			t.Errorf("%s: %s %q, want %q", name, answer.Status, body, tt.want)
		}
		if h := answer.Header; h.Get("Location") != "x/1" || len(h.Values("Set-Cookie")) != 1 ||
			!strings.HasPrefix(h.Get("Set-Cookie"), "own=1") || h.Get("Service-Worker-Allowed") != "" {
			t.Errorf("%s: headers %v", name, h)
		}
	}
	if text := s.log.String(); strings.Contains(text, "audio") || strings.Contains(text, "/whep") {
		t.Errorf("requests are logged:\n%s", text)
	}
}

// TestPages: what people see who ask for something else than a robot that is there.
func TestPages(t *testing.T) {
	s := serve(t, nil, Config{})
	_ = s.robot("rover", echo)
	away := s.robot("away", echo)
	_ = away.Close()
	s.awaitGone("away")
	for path, tt := range map[string]struct {
		code int
		says string
	}{
		"/": {200, "Waldo rendezvous server"}, "/healthz": {200, `"ok"`}, "/x": {404, "Robots are at /r/"},
		"/r/tail/": {404, "no such robot"}, "/r/UP/": {404, "no such robot"}, "/r/away/": {503, "away is away"},
		"/r/rover": {307, ""}, "/robot": {426, ""},
	} {
		for _, accept := range []string{"text/html,*/*", "*/*"} {
			answer, body := s.do("GET", path, "", "Accept: "+accept)
			if answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
				t.Errorf("%s: %s %s", path, answer.Status, body)
			}
			if strings.Contains(body, "rover") {
				t.Errorf("%s names a robot: %s", path, body)
			}
			if html := strings.Contains(body, "<h1>"); tt.code != 307 && path != "/healthz" && path != "/robot" &&
				html != (accept != "*/*") {
				t.Errorf("%s for %s: %s", path, accept, body)
			}
		}
	}
	if answer, _ := s.do("GET", "/r/away/", ""); answer.Header.Get("Retry-After") == "" {
		t.Error("a robot that is away has no Retry-After")
	}
	if answer, _ := s.do("GET", "/r/rover?x=1", ""); answer.Header.Get("Location") != "./rover/?x=1" {
		t.Errorf("without a slash it goes to %q", answer.Header.Get("Location"))
	}
}

// awaitGone waits until the server has noticed that a robot has gone.
func (s *site) awaitGone(name string) {
	s.t.Helper()
	for end := time.Now().Add(deadline); s.server.find(name) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s is still there", name)
		}
	}
}

// TestWebSocket: a WebSocket passes, and ends with the robot.
func TestWebSocket(t *testing.T) {
	s := serve(t, nil, Config{})
	session := s.robot("rover", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			kind, data, err := socket.Read(r.Context())
			if err != nil {
				return
			}
			_ = socket.Write(r.Context(), kind, append([]byte("you said "), data...))
		}
	}))
	socket, _, err := websocket.Dial(t.Context(), s.url+"/r/rover/signal", &websocket.DialOptions{HTTPClient: s.client})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	for _, text := range []string{"hello", strings.Repeat("x", 30_000)} {
		if err := socket.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := socket.Read(t.Context()); err != nil || string(got) != "you said "+text {
			t.Errorf("%.40q, %v", got, err)
		}
	}
	_ = session.Close()
	if _, _, err := socket.Read(t.Context()); err == nil {
		t.Error("the WebSocket outlives its robot")
	}
}

// TestTwoAtOnce: an answer that takes long keeps nobody waiting.
func TestTwoAtOnce(t *testing.T) {
	s := serve(t, nil, Config{})
	began, finish := make(chan struct{}), make(chan struct{})
	s.robot("rover", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(began)
			<-finish
		}
		_, _ = fmt.Fprint(w, "answer to "+r.URL.Path)
	}))
	slow := make(chan string, 1)
	go func() {
		_, body := s.do("POST", "/r/rover/slow", "offer")
		slow <- body
	}()
	<-began
	for range 20 {
		if _, body := s.do("POST", "/r/rover/fast", "offer"); body != "answer to /fast" {
			t.Fatal(body)
		}
	}
	close(finish)
	if body := <-slow; body != "answer to /slow" {
		t.Error(body)
	}
}

// TestBodies: what is too large is refused, and a robot that fails in the middle of an answer harms nobody else.
func TestBodies(t *testing.T) {
	s := serve(t, nil, Config{})
	s.robot("rover", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			panic(http.ErrAbortHandler)
		}
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n, err)
	}))
	if answer, body := s.do("POST", "/r/rover/", strings.Repeat("x", maxBody+1)); answer.StatusCode != 413 {
		t.Errorf("a large body: %s %s", answer.Status, body)
	}
	if answer, _ := s.do("GET", "/r/rover/", "", "X-Large: "+strings.Repeat("x", 40<<10)); answer.StatusCode != 431 {
		t.Errorf("a large header: %s", answer.Status)
	}
	if answer, body := s.do("POST", "/r/rover/fail", ""); answer.StatusCode != 502 ||
		!strings.Contains(body, "did not answer") {
		t.Errorf("a robot that fails: %s %s", answer.Status, body)
	}
	if _, body := s.do("POST", "/r/rover/", "hello"); body != "5 <nil>" {
		t.Errorf("the next: %s", body)
	}
}

// TestICE: a robot is told the servers for itself.
func TestICE(t *testing.T) {
	s := serve(t, nil, Config{ICE: func(robot string) tunnel.ICEServers {
		return tunnel.ICEServers{Servers: []tunnel.ICEServer{{URLs: []string{"stun:a"}, Username: robot}}}
	}})
	session := s.robot("rover", echo)
	got, err := session.ICEServers(t.Context())
	if err != nil || len(got.Servers) != 1 || got.Servers[0].Username != "rover" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReturn: robots are back soon after the server is, with their names.
func TestReturn(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address, state := l.Addr().String(), filepath.Join(t.TempDir(), "robots.json")
	s := serve(t, l, Config{State: state})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	const robots = 5
	up := make(chan string, 10*robots)
	for i := range robots {
		name := fmt.Sprintf("rover-%d", i)
		config := tunnel.Config{URL: s.url, Robot: name, Key: newKey(t)}
		h := &http.Server{Handler: echo, ReadHeaderTimeout: deadline}
		running.Go(func() {
			defer h.Close()
			tunnel.Keep(ctx, config, func(session *tunnel.Session) {
				up <- name
				_ = h.Serve(session)
			})
		})
	}
	await := func() {
		for range robots {
			select {
			case <-up:
			case <-time.After(deadline):
				t.Fatal("not all robots are there")
			}
		}
	}
	await()
	for range 2 {
		s.close()
		s = serve(t, listen(t, address), Config{State: state})
		returned := time.Now()
		await()
		t.Logf("all robots were back %s after the server", time.Since(returned))
		if answer, body := s.do("GET", "/r/rover-3/x", ""); answer.StatusCode != 201 {
			t.Errorf("%s %s", answer.Status, body)
		}
		if _, err := s.connect("rover-3", newKey(t), echo); err == nil ||
			!strings.Contains(err.Error(), "waldo rendezvous forget rover-3") {
			t.Errorf("a name is another's after a restart: %v", err)
		}
	}
}

// TestClosed: a closed server takes nobody.
func TestClosed(t *testing.T) {
	s := serve(t, nil, Config{})
	session := s.robot("rover", echo)
	s.close()
	<-session.Done()
	if err := session.Err(); !errors.Is(err, tunnel.ErrStopping) {
		t.Errorf("the robot is told %v", err)
	}
	w := httptest.NewRecorder()
	s.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/robot", http.NoBody))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("a closed server answers %d", w.Code)
	}
	if err := s.server.Serve(listen(t, "127.0.0.1:0")); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serve: %v", err)
	}
}
