package server

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtcbot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// guarded is a site with a store of tokens.
type guarded struct {
	*site
	path   string            // of the store
	tokens map[string]string // by name
	log    string            // the audit log, complete when the site has ended
	audit  *audit.Log
}

func newGuarded(t *testing.T, requests ...tokens.Request) *guarded {
	t.Helper()
	folder := t.TempDir()
	g := &guarded{path: filepath.Join(folder, "access.json"), tokens: map[string]string{},
		log: audit.Path(folder, "demo", "gateway")}
	for _, r := range requests {
		token, _, err := tokens.Create(g.path, r)
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[r.Name] = token
	}
	g.audit = audit.Open(g.log, nil)
	t.Cleanup(g.audit.Close)
	g.site = newSite(t, Config{Authority: tokens.NewAuthority("", tokens.Open(g.path)).Of("demo"), Audit: g.audit,
		RTCBot: rtcbot.New(rtcbot.Config{})}, 0)
	return g
}

func (g *guarded) revoke(name string) {
	g.t.Helper()
	if _, err := tokens.Revoke(g.path, name); err != nil {
		g.t.Fatal(err)
	}
}

func bearer(token string) string { return "Authorization: Bearer " + token }

// dialAs opens a session with a token.
func (g *guarded) dialAs(name string) *socket {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, g.URL+"/signal",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + g.tokens[name]}}})
	if err != nil {
		g.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	return &socket{g.t, conn}
}

// TestRoutesNeedRoles: who may ask for what, and how a refusal reads.
func TestRoutesNeedRoles(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer}, tokens.Request{Name: "ben", Role: roles.Driver},
		tokens.Request{Name: "cam", Role: roles.Service, Device: "front"},
		tokens.Request{Name: "eve", Role: roles.Admin, Robot: "another"}, tokens.Request{Name: "old", Role: roles.Admin})
	g.revoke("old")
	for _, tt := range []struct {
		name, method, path string
		code               int
		says               string
	}{
		{"", "GET", "/healthz", 200, ""},
		{"", "GET", "/devices", 401, "a token is needed"},
		{"anna", "GET", "/", 200, ""},
		{"anna", "GET", "/devices", 200, ""},
		{"anna", "GET", "/metrics", 200, ""},
		{"anna", "GET", "/snapshot/front.jpg", 200, ""},
		{"anna", "POST", "/whep/front", 415, ""}, // and not refused
		{"anna", "POST", "/whip/front", 403, "POST /whip/front needs the role driver; anna is viewer"},
		{"anna", "GET", "/ws/chat", 403, "needs the role driver"},
		{"anna", "POST", "/connect", 403, "needs the role driver"},
		{"ben", "POST", "/whip/front", 415, ""},
		{"cam", "POST", "/whip/front", 415, ""},
		{"cam", "POST", "/whip/rear", 403, "cam is the service of front"},
		{"cam", "GET", "/snapshot/front.jpg", 200, ""},
		{"cam", "GET", "/snapshot/rear.jpg", 403, "cam is the service of front"},
		{"cam", "GET", "/devices", 403, ""},
		{"cam", "GET", "/signal", 403, ""},
		{"eve", "GET", "/devices", 401, "not known here"},
		{"old", "GET", "/devices", 401, "the token was revoked: ask for a new one"},
	} {
		var headers []string
		if tt.name != "" {
			headers = []string{bearer(g.tokens[tt.name])}
		}
		answer, body := g.do(request{method: tt.method, path: tt.path, headers: headers})
		if answer.StatusCode != tt.code || !strings.Contains(body, tt.says) {
			t.Errorf("%s %s %s: %s %s, want %d %q", tt.name, tt.method, tt.path, answer.Status, body, tt.code, tt.says)
		}
	}
	_, metrics := g.do(request{path: "/metrics", headers: []string{bearer(g.tokens["anna"])}})
	for _, want := range []string{`reason="role"} 7`, `reason="missing"} 1`, `reason="revoked"} 1`,
		`reason="unknown"} 1`} {
		if !strings.Contains(metrics, "waldo_gateway_refused_total{"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	g.audit.Close()
	kept, err := os.ReadFile(g.log)
	for _, want := range []string{`"event":"refused","who":"anna"`, `"what":"POST /whip/front","reason":"role"`,
		`"who":"old"`, `"reason":"revoked"`} {
		if err != nil || !strings.Contains(string(kept), want) {
			t.Errorf("%s is not in the audit log: %s, %v", want, kept, err)
		}
	}
}

// TestLogin: a browser keeps a cookie, not the token. It is good in another process with the same key, and ends with
// the token.
func TestLogin(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer}, tokens.Request{Name: "ben", Role: roles.Driver})
	answer, cookie := g.open("/?token="+g.tokens["anna"], "Accept: text/html")
	if answer.StatusCode != http.StatusSeeOther || cookie == nil || strings.Contains(cookie.Value, g.tokens["anna"]) {
		t.Fatalf("%s, %v", answer.Status, cookie)
	}
	with := "Cookie: " + cookie.Name + "=" + cookie.Value
	if answer, body := g.do(request{path: "/devices", headers: []string{with}}); answer.StatusCode != 200 {
		t.Errorf("with the cookie: %s %s", answer.Status, body)
	}
	if answer, _ := g.do(request{method: "POST", path: "/whip/front", headers: []string{with}}); answer.StatusCode != 403 {
		t.Errorf("the cookie of a viewer sends: %s", answer.Status)
	}
	// A better token beside the cookie of another one counts.
	both := []string{with, bearer(g.tokens["ben"])}
	if answer, _ := g.do(request{method: "POST", path: "/whip/front", headers: both}); answer.StatusCode != 415 {
		t.Errorf("the token of a driver beside it: %s", answer.Status)
	}
	g.revoke("anna")
	if answer, body := g.do(request{path: "/devices", headers: []string{with}}); answer.StatusCode != 401 ||
		!strings.Contains(body, "was revoked") {
		t.Errorf("revoked: %s %s", answer.Status, body)
	}
}

func TestLogins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logins", "demo.key")
	key, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadKey(path)
	if about, _ := os.Stat(path); err != nil || !slices.Equal(key, again) || about.Mode() != 0o600 {
		t.Errorf("the key: %v", err)
	}
	anna := tokens.Grant{ID: "abcdefghij", Name: "anna"}
	shared := tokens.Grant{Name: tokens.SharedName}
	logins := func(token string, key []byte) *Logins {
		l, err := NewLogins("demo", token, key)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	now := time.Unix(1_800_000_000, 0)
	first := logins("secret", key)
	for name, tt := range map[string]struct {
		logins *Logins
		value  string
		want   tokens.Grant
		good   bool
	}{
		"anna":                 {first, first.issue(anna, newLogin(), now), tokens.Grant{ID: anna.ID}, true},
		"shared":               {first, first.issue(shared, newLogin(), now), shared, true},
		"anna, restarted":      {logins("secret", key), first.issue(anna, newLogin(), now), tokens.Grant{ID: anna.ID}, true},
		"shared, restarted":    {logins("secret", nil), first.issue(shared, newLogin(), now), shared, true},
		"anna, other key":      {logins("secret", nil), first.issue(anna, newLogin(), now), tokens.Grant{}, false},
		"shared, other token":  {logins("other", key), first.issue(shared, newLogin(), now), tokens.Grant{}, false},
		"shared, no token":     {logins("", key), first.issue(shared, newLogin(), now), tokens.Grant{}, false},
		"old":                  {first, first.issue(anna, newLogin(), now.Add(-sessionLife)), tokens.Grant{}, false},
		"nothing":              {first, "", tokens.Grant{}, false},
		"cut":                  {first, first.issue(anna, newLogin(), now)[:60], tokens.Grant{}, false},
		"signed for something": {logins("", nil), logins("", nil).issue(anna, newLogin(), now), tokens.Grant{}, false},
	} {
		got, _, left := tt.logins.find(tt.value, now)
		if (left > 0) != tt.good || tt.good && got != tt.want {
			t.Errorf("%s: %+v for %v", name, got, left)
		}
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken key: %v", err)
	}
}

// TestSessionsEndWithTheirToken: the session is told why, its connection ends, and others go on.
func TestSessionsEndWithTheirToken(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer}, tokens.Request{Name: "ben", Role: roles.Driver})
	anna, ben := g.dialAs("anna"), g.dialAs("ben")
	defer anna.close()
	defer ben.close()
	welcome := anna.await(isWelcome).GetWelcome()
	if v := welcome.GetVisitor(); v.GetName() != "anna" || v.GetRole() != accessv1.Role_ROLE_VIEWER {
		t.Errorf("she is %v", v)
	}
	made := anna.ask(offer(t), nil).GetAnswer()
	if made == nil {
		t.Fatal("she got no connection")
	}
	if got := ben.ask(offer(t), made.GetConnection()).GetError(); got.GetCode() != "NOT_FOUND" {
		t.Errorf("he continues her connection: %v", got)
	}
	g.revoke("anna")
	var err error
	for err == nil {
		_, err = anna.read()
	}
	if websocket.CloseStatus(err) != statusUnwelcome || !strings.Contains(err.Error(), "was revoked") {
		t.Errorf("her session ended with %v", err)
	}
	g.empty()
	ben.send(`{"ping":{"id":1}}`)
	ben.await(isPong)
	g.audit.Close()
	kept, err := os.ReadFile(g.log)
	if err != nil || !strings.Contains(string(kept), `"event":"login","who":"anna"`) ||
		!strings.Contains(string(kept), `"event":"session_ended","who":"anna"`) {
		t.Errorf("kept %s, %v", kept, err)
	}
}

// TestViewersDoNotSend: a session may have no section that sends.
func TestViewersDoNotSend(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer})
	for stream, want := range map[string]roles.Role{"video": roles.Viewer, "audio": roles.Viewer,
		"speaker": roles.Driver, "camera": roles.Driver, "microphone": roles.Driver} {
		for _, role := range []roles.Role{roles.Viewer, roles.Driver} {
			visitor := g.server.guard.visitors.EnterGuest(t.Context(), tokens.Grant{Name: "x", Role: role}, "")
			n := &session{visitor: visitor}
			if err := n.mayUse(rtc.Track{Stream: tracks.Stream{Device: "front",
				Name: stream}}); (err == nil) != role.Allows(want) {
				t.Errorf("a %v, %s: %v", role, stream, err)
			}
			visitor.Leave()
		}
	}
}

// TestAllRoutesSayWhatTheyNeed: none is left to the default.
func TestAllRoutesSayWhatTheyNeed(t *testing.T) {
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	registered := []string{pagePattern, signOutPattern}
	for _, m := range regexp.MustCompile(`mux\.Handle(?:Func)?\("([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		registered = append(registered, m[1])
	}
	slices.Sort(registered)
	if got := slices.Sorted(maps.Keys(routeNeeds)); !slices.Equal(got, registered) {
		t.Errorf("the table has\n%s\nand the server\n%s", strings.Join(got, "\n"), strings.Join(registered, "\n"))
	}
	if need, _ := needed("GET /new", httptest.NewRequest(http.MethodGet, "/new", nil)); need != roles.Admin {
		t.Errorf("a route that is not in the table needs %v", need)
	}
}
