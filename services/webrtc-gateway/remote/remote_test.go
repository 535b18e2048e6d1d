package remote

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/identity"
	"github.com/waldo-robot/waldo/rendezvous/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = 30 * time.Second

// rig is a rendezvous server for one robot.
type rig struct {
	*httptest.Server
	sessions chan *tunnel.Session
	asked    atomic.Int64
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{sessions: make(chan *tunnel.Session, 16)}
	tunnels := tunnel.Server{MaxStreams: 64, Admit: func(*tunnel.Registration, *tunnel.Session) error { return nil }}
	ice := &http.Server{ReadHeaderTimeout: deadline, Handler: tunnel.ICEHandler(func(robot string) tunnel.ICEServers {
		return tunnel.ICEServers{LifetimeSeconds: 3600, Servers: []tunnel.ICEServer{
			{URLs: []string{"turn:example.org"}, Username: fmt.Sprint(robot, r.asked.Add(1))}}}
	})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s, err := tunnels.Accept(w, request)
		if err != nil {
			return
		}
		r.sessions <- s
		_ = ice.Serve(s)
	}))
	t.Cleanup(func() {
		_ = ice.Close()
		r.Close()
	})
	return r
}

func (r *rig) next(t *testing.T) *tunnel.Session {
	t.Helper()
	select {
	case s := <-r.sessions:
		t.Cleanup(func() { _ = s.Close() })
		return s
	case <-time.After(deadline):
		t.Fatal("the robot does not come")
		return nil
	}
}

// get sends a request through a session.
func get(t *testing.T, s *tunnel.Session) string {
	t.Helper()
	conn, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /x HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer[max(0, len(answer)-5):])
}

// TestLink: requests are served through each tunnel, and ICE servers are known, with each tunnel anew.
func TestLink(t *testing.T) {
	r := newRig(t)
	key, err := identity.New()
	if err != nil {
		t.Fatal(err)
	}
	l := New(Config{Tunnel: tunnel.Config{URL: r.URL, Robot: "rover", Key: key}, Metrics: prometheus.NewRegistry()})
	defer l.Close()
	if servers, _ := l.ICEServers(); len(servers) != 0 || l.Connected() {
		t.Error("it knows of a server that it has not dialled")
	}
	h := &http.Server{ReadHeaderTimeout: deadline, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	defer h.Close()
	_, changed := l.ICEServers()
	l.Serve(h)
	for i := range 2 {
		s := r.next(t)
		if got := get(t, s); got != "hello" {
			t.Errorf("answer %q", got)
		}
		select {
		case <-changed:
		case <-time.After(deadline):
			t.Fatal("the ICE servers are not known")
		}
		var servers []tunnel.ICEServer
		servers, changed = l.ICEServers()
		if len(servers) != 1 || servers[0].Username != fmt.Sprint("rover", i+1) || !l.Connected() {
			t.Errorf("connection %d: %v", i, servers)
		}
		_ = s.Close()
	}
}

// TestExpiry: ICE servers whose credentials have expired are forgotten.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{})
		defer l.Close()
		some := []tunnel.ICEServer{{URLs: []string{"turn:a"}, Username: "u"}}
		has := func(want []tunnel.ICEServer) {
			t.Helper()
			synctest.Wait()
			if got, _ := l.ICEServers(); !slices.EqualFunc(got, want, same) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		l.keep(some, time.Hour)
		_, changed := l.ICEServers()
		time.Sleep(50 * time.Minute)
		l.keep(some, time.Hour) // the same again
		time.Sleep(59 * time.Minute)
		has(some)
		select {
		case <-changed:
			t.Error("a change is told of that is none")
		default:
		}
		time.Sleep(2 * time.Minute)
		has(nil)
		<-changed
	})
}
