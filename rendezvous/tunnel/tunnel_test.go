package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = 20 * time.Second

// rig is a server for tests.
type rig struct {
	*httptest.Server
	tunnels *Server
	joined  chan *Session
	failed  chan error
	robots  chan *Registration
}

// newRig serves tunnels; admit may be nil.
func newRig(t *testing.T, admit func(*Registration) error) *rig {
	t.Helper()
	r := &rig{joined: make(chan *Session, 16), failed: make(chan error, 16), robots: make(chan *Registration, 16)}
	r.tunnels = &Server{MaxStreams: 64, Admit: func(registration *Registration, _ *Session) error {
		if admit != nil {
			if err := admit(registration); err != nil {
				return err
			}
		}
		r.robots <- registration
		return nil
	}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s, err := r.tunnels.Accept(w, request)
		if err != nil {
			r.failed <- err
			return
		}
		t.Cleanup(func() { _ = s.Close() })
		r.joined <- s
	}))
	t.Cleanup(r.Close)
	return r
}

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	key, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func get[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

// pair returns both ends of a tunnel.
func pair(t *testing.T) (robot, server *Session) {
	t.Helper()
	r := newRig(t, nil)
	robot, err := Dial(t.Context(), Config{URL: r.URL, Robot: "rover", Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = robot.Close() })
	return robot, get(t, r.joined)
}

// TestHTTP: requests go both ways, and a body of some MiB arrives as it was sent.
func TestHTTP(t *testing.T) {
	robot, server := pair(t)
	big := strings.Repeat("waldo ", 500_000)
	for name, ends := range map[string][2]*Session{"to the robot": {server, robot}, "to the server": {robot, server}} {
		far := &http.Server{ReadHeaderTimeout: deadline, Handler: http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				_, _ = w.Write(body)
			})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = far.Serve(notClosed{ends[1]}) })
		t.Cleanup(serving.Wait) // before the sessions end
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn,
			error) {
			return ends[0].Open()
		}}
		answer, err := (&http.Client{Transport: transport}).Post("http://far/", "text/plain", strings.NewReader(big))
		if err != nil {
			t.Fatal(name, err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(body) != big {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(body), err, len(big))
		}
		transport.CloseIdleConnections()
		t.Cleanup(func() { _, _ = ends[0].Close(), far.Close() })
	}
}

// notClosed keeps an [http.Server] from closing the session.
type notClosed struct{ *Session }

func (notClosed) Close() error { return nil }

// TestEnds: the far end learns how a session ended.
func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(robot, server *Session)
		want error
	}{
		"the server stops":     {func(_, s *Session) { _ = s.Close() }, ErrStopping},
		"the robot is another": {func(_, s *Session) { s.Replace() }, ErrReplaced},
		"the connection dies":  {func(_, s *Session) { _ = s.wire.Close() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			robot, server := pair(t)
			if err := robot.Err(); err != nil {
				t.Errorf("too early: %v", err)
			}
			tt.end(robot, server)
			get(t, robot.Done())
			if err := robot.Err(); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if _, err := robot.Open(); err == nil {
				t.Error("a session that has ended opens streams")
			}
			if _, err := robot.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept: %v", err)
			}
		})
	}
}

// TestStreams: a far end that opens more streams than it may loses those beyond.
func TestStreams(t *testing.T) {
	robot, server := pair(t)
	robot.most = 3
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := robot.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		if _, err := server.Open(); err != nil {
			t.Fatal(err)
		}
		get(t, accepted)
	}
	beyond, err := server.Open()
	if err != nil {
		t.Fatal(err)
	}
	_ = beyond.SetReadDeadline(time.Now().Add(deadline))
	if _, err := beyond.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the stream beyond the limit: %v, want EOF", err)
	}
}

// TestRegistration: what the server gets to know, and what it refuses.
func TestRegistration(t *testing.T) {
	key := newKey(t)
	r := newRig(t, func(r *Registration) error {
		if r.Robot == "taken" {
			return errors.New("another robot has this name: choose another")
		}
		return nil
	})
	s, err := Dial(t.Context(), Config{URL: r.URL, Robot: "rover", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := get(t, r.robots); got.Robot != "rover" || got.Fingerprint() != key.Fingerprint() {
		t.Errorf("%s with %s", got.Robot, got.Fingerprint())
	}
	_, err = Dial(t.Context(), Config{URL: r.URL, Robot: "taken", Key: key})
	refused := new(RefusedError)
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "choose another") {
		t.Errorf("a taken name: %v", err)
	}
	r.tunnels.Hosts = []string{"example.org"}
	_, err = Dial(t.Context(), Config{URL: r.URL, Robot: "rover", Key: key})
	if !errors.As(err, &refused) || !strings.Contains(refused.Text, "example.org") {
		t.Errorf("another host: %v", err)
	}
}

// TestForgery: a registration is for one key, one robot, one server and one challenge.
func TestForgery(t *testing.T) {
	key, other := newKey(t), newKey(t)
	asked, another := newChallenge(), newChallenge()
	good, err := sign(key, "example.org", "rover", asked)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change    func(*Registration)
		challenge string
		host      string
		ok        bool
	}{
		"the same":      {func(*Registration) {}, asked, "example.org", true},
		"replayed":      {func(*Registration) {}, another, "example.org", false},
		"passed on":     {func(*Registration) {}, asked, "example.com", false},
		"another robot": {func(r *Registration) { r.Robot = "raver" }, asked, "example.org", false},
		"another key":   {func(r *Registration) { r.Key = other.Public() }, asked, "example.org", false},
		"no key":        {func(r *Registration) { r.Key = nil }, asked, "example.org", false},
		"no signature":  {func(r *Registration) { r.Signature = nil }, asked, "example.org", false},
		"a changed one": {func(r *Registration) { r.Signature = append([]byte{r.Signature[0] ^ 1}, r.Signature[1:]...) },
			asked, "example.org", false},
		"a second host fits": {func(*Registration) {}, asked, "", true},
	} {
		r := *good
		tt.change(&r)
		hosts := []string{tt.host}
		if tt.host == "" {
			hosts = []string{"example.com", "example.org"}
		}
		if err := r.verify(hosts, tt.challenge); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReplay: what a robot has sent once is worth nothing for another connection.
func TestReplay(t *testing.T) {
	r := newRig(t, nil)
	host := strings.TrimPrefix(r.URL, "http://")
	var recorded *Registration
	for _, want := range []string{"", "signature"} {
		socket, _, err := websocket.Dial(t.Context(), r.URL+"/robot",
			&websocket.DialOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			t.Fatal(err)
		}
		data, err := receive(t.Context(), socket)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := parseChallenge(data)
		if err != nil {
			t.Fatal(err)
		}
		if recorded == nil {
			if recorded, err = sign(newKey(t), host, "rover", asked); err != nil {
				t.Fatal(err)
			}
		}
		if err := send(t.Context(), socket, recorded); err != nil {
			t.Fatal(err)
		}
		if data, err = receive(t.Context(), socket); err != nil {
			t.Fatal(err)
		}
		if err := parseVerdict(data); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("verdict %s, want %q", data, want)
		}
		_ = socket.CloseNow()
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestHost(t *testing.T) {
	for address, want := range map[string]string{
		"https://Example.org": "example.org", "https://example.org:443/": "example.org",
		"http://example.org:80":    "example.org",
		"https://example.org:8443": "example.org:8443", "http://example.org:443": "example.org:443",
		"https://[2001:DB8::1]": "[2001:db8::1]", "https://[::1]:8443": "[::1]:8443",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := Host(u); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// TestRefusals: what a robot makes of the answers of servers and of what is none.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		header  string
		says    string
		refused bool
	}{
		"a wrong token":         {401, "", "gateway.rendezvous.token", true},
		"too fast":              {429, "2", "wait", true},
		"another server":        {404, "", "404", true},
		"a proxy of none":       {502, "", "502", false},
		"a server that is full": {503, "1", "wait", true},
		"a redirect":            {302, "", "302", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer secret" {
					t.Errorf("the token is missing: %v", r.Header)
				}
				if tt.header != "" {
					w.Header().Set("Retry-After", tt.header)
				}
				w.Header().Set("Location", "/elsewhere")
				http.Error(w, tt.says+"\x1b[2J", tt.status)
			}))
			defer s.Close()
			_, err := Dial(t.Context(), Config{URL: s.URL, Robot: "rover", Key: newKey(t), Token: "secret"})
			refused := new(RefusedError)
			if errors.As(err, &refused) != tt.refused || err == nil || !strings.Contains(err.Error(), tt.says) ||
				strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v", err)
			}
			if tt.header == "2" && refused.Wait != 2*time.Second {
				t.Errorf("it waits %s", refused.Wait)
			}
		})
	}
}
