package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/foxglove"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

// whoami says to clients of Foxglove's protocol who they are, until their visit ends.
type whoami struct{}

func (whoami) Serve(of *visitors.Visitor, socket *websocket.Conn) {
	_ = socket.Write(of.Context(), websocket.MessageText, []byte(of.Grant().Name+" is "+of.Grant().Role.String()))
	<-of.Context().Done()
	_ = socket.CloseNow()
}

// foxgloveAt opens a WebSocket of a program that knows an address and nothing else, from a page elsewhere.
func foxgloveAt(t *testing.T, address string, protocols ...string) (socket *websocket.Conn, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	socket, answer, err := websocket.Dial(ctx, address, &websocket.DialOptions{Subprotocols: protocols,
		HTTPHeader: http.Header{"Origin": {"https://app.example"}}})
	if err == nil {
		t.Cleanup(func() { _ = socket.CloseNow() })
	}
	if answer == nil {
		t.Fatal(err)
	}
	return socket, answer.StatusCode
}

// says reads what [whoami] says.
func says(t *testing.T, socket *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	_, data, err := socket.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// passIn finds the pass in the page.
func passIn(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`data-pass="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("there is no pass in %s", page)
	}
	return html.UnescapeString(found[1])
}

const wantsPage = "Accept: text/html,*/*"

// TestPass: who may open the page gets a pass, which is good for this route and no other, for as long as their login.
func TestPass(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer}, tokens.Request{Name: "ben", Role: roles.Driver})
	g.server.config.Foxglove = whoami{}
	address := func(pass string) string { return g.URL + "/foxglove?pass=" + pass }
	if answer, _ := g.do(request{path: "/foxglove", headers: []string{wantsPage}}); answer.StatusCode != 401 {
		t.Errorf("without a token: %s", answer.Status)
	}
	if answer, _ := g.do(request{path: "/foxglove",
		headers: []string{bearer(g.tokens["anna"])}}); answer.StatusCode != 426 {
		t.Errorf("a program that asks for no WebSocket: %s", answer.Status)
	}
	_, page := g.do(request{path: "/foxglove", headers: []string{wantsPage, bearer(g.tokens["ben"])}})
	pass := passIn(t, page)
	logins, now := g.server.guard.logins, time.Now()
	issue := func(purpose string, now time.Time) string {
		return logins.issuePass(tokens.Grant{}, newLogin(), purpose, now)
	}
	for name, tt := range map[string]struct {
		address string
		want    int
	}{
		"none":               {g.URL + "/foxglove", 403},
		"empty":              {address(""), 403},
		"changed":            {address(pass[:len(pass)-2] + "AA"), 403},
		"for another route":  {g.URL + "/signal?pass=" + pass, 403},
		"as a token":         {g.URL + "/foxglove?token=" + pass, 403},
		"of another robot":   {address(issue("foxglove at another", now)), 403},
		"that is over":       {address(issue(foxglovePass("demo"), now.Add(-passLife))), 403},
		"of nobody":          {address(issue(foxglovePass("demo"), now)), 403},
		"a cookie":           {address(logins.named.issue(newLogin(), "", now)), 403},
		"another folder":     {g.URL + "/foxglove/?pass=" + pass, 101},
		"a pass that is one": {address(pass), 101},
	} {
		if _, code := foxgloveAt(t, tt.address, foxglove.SDK); code != tt.want {
			t.Errorf("%s: %d, want %d", name, code, tt.want)
		}
	}
	if answer, _ := g.do(request{path: "/devices", headers: []string{"Cookie: waldo=" + pass}}); answer.StatusCode != 401 {
		t.Errorf("a pass as a cookie: %s", answer.Status)
	}
	socket, _ := foxgloveAt(t, address(pass), foxglove.Legacy, foxglove.SDK)
	if got := says(t, socket); got != "ben is driver" || socket.Subprotocol() != foxglove.SDK {
		t.Errorf("%s, %s", got, socket.Subprotocol())
	}
	if _, code := foxgloveAt(t, address(pass), "another"); code != 400 {
		t.Errorf("another sub-protocol: %d", code)
	}
	g.revoke("ben")
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	if _, _, err := socket.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("after the token was revoked: %v", err)
	}
	if _, code := foxgloveAt(t, address(pass), foxglove.SDK); code != 403 {
		t.Errorf("after the token was revoked: %d", code)
	}
}

// TestPassEndsWithLogin: who signs out takes their passes back.
func TestPassEndsWithLogin(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer})
	g.server.config.Foxglove = whoami{}
	_, cookie := g.open("/?token="+g.tokens["anna"], "Accept: text/html")
	header := "Cookie: " + cookie.Name + "=" + cookie.Value
	_, page := g.do(request{path: "/foxglove", headers: []string{wantsPage, header}})
	address := g.URL + "/foxglove?pass=" + passIn(t, page)
	socket, _ := foxgloveAt(t, address, foxglove.SDK)
	if got := says(t, socket); got != "anna is viewer" {
		t.Error(got)
	}
	g.do(request{method: "POST", path: "/logout", headers: []string{header, "Origin: " + g.URL}})
	ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
	defer cancel()
	if _, _, err := socket.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("after she has signed out: %v", err)
	}
	if _, code := foxgloveAt(t, address, foxglove.SDK); code != 403 {
		t.Errorf("after she has signed out: %d", code)
	}
}

// TestPassWithoutToken: where no token is needed, a page elsewhere still needs one, or to be allowed by name.
func TestPassWithoutToken(t *testing.T) {
	s := newSite(t, Config{Foxglove: whoami{}, Origins: []string{"https://friend.example"}}, 0)
	_, page := s.do(request{path: "/foxglove", headers: []string{wantsPage}})
	if _, code := foxgloveAt(t, s.URL+"/foxglove", foxglove.SDK); code != 403 {
		t.Errorf("without a pass: %d", code)
	}
	if socket, code := foxgloveAt(t, s.URL+"/foxglove?pass="+passIn(t, page), foxglove.SDK); code != 101 ||
		says(t, socket) != " is admin" {
		t.Errorf("with a pass: %d", code)
	}
	// The key of a server without any token is not empty.
	forged := sessions{}.forPurpose(foxglovePass("demo")).issue(newLogin(), "", time.Now())
	if _, code := foxgloveAt(t, s.URL+"/foxglove?pass="+forged, foxglove.SDK); code != 403 {
		t.Errorf("with a forged one: %d", code)
	}
}

// TestFoxglovePage: its script and style are what its policy allows, and nothing that the robot is called becomes
// markup.
func TestFoxglovePage(t *testing.T) {
	s := newSite(t, Config{Foxglove: whoami{}, Token: "secret"}, 0)
	answer, page := s.do(request{path: "/foxglove", headers: []string{wantsPage, bearer("secret")}})
	policy := answer.Header.Get("Content-Security-Policy")
	for _, tag := range []string{"script", "style"} {
		_, rest, _ := strings.Cut(page, "<"+tag+">")
		text, _, _ := strings.Cut(rest, "</"+tag+">")
		sum := sha256.Sum256([]byte(text))
		allowed := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if text == "" || !strings.Contains(policy, allowed) {
			t.Errorf("%s: %s", tag, policy)
		}
	}
	if answer.Header.Get("Cache-Control") != "no-store" || strings.Contains(page, "secret") {
		t.Errorf("%v", answer.Header)
	}
	if _, code := foxgloveAt(t, s.URL+"/foxglove?pass="+passIn(t, page), foxglove.SDK); code != 101 {
		t.Errorf("the pass of the shared token: %d", code)
	}
}

// TestPassAtAFleet: a pass opens its robot, also when nobody is there yet, and no other.
func TestPassAtAFleet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	token, grant, err := tokens.Create(path, tokens.Request{Name: "anna", Role: roles.Viewer})
	if err != nil || token == "" {
		t.Fatal(err)
	}
	logins, err := NewLogins("fleet", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	fleet := &twoRobots{}
	f, err := NewFront(FrontConfig{Config: Config{Authority: tokens.NewAuthority("", tokens.Open(path)), Logins: logins,
		Metrics: prometheus.NewRegistry(), BusConnected: func() bool { return true },
		Page: fstest.MapFS{"fleet.html": {Data: []byte("<p>")}, "index.html": {Data: []byte("<p>")}}},
		Robots: fleet, Instances: fleet, Gatherer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pass := logins.issuePass(tokens.Grant{ID: grant.ID, Name: grant.Name}, newLogin(), foxglovePass("rover"), time.Now())
	for address, want := range map[string]int{
		"/r/rover/foxglove?pass=" + pass: 503, // it is passed on
		"/r/arm/foxglove?pass=" + pass:   403,
		"/r/rover/devices?pass=" + pass:  403,
		"/robots?pass=" + pass:           403,
		"/r/rover/foxglove":              403,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("Origin", "https://app.example")
		f.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", address, w.Code, w.Body, want)
		}
	}
}
