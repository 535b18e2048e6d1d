package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
)

// guarded is a robot at a hub, both with a certificate and with tokens, and a client that trusts their authority.
type guarded struct {
	users
	hub     *harness.Hub
	ca      string
	client  *http.Client
	secrets []string // what must not be in any log
}

// startGuarded runs a robot with a recorder and the gateway of a fleet, which know the same people.
func startGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{hub: harness.StartHub(t, "rover"), users: users{file: filepath.Join(t.TempDir(), "access.json")}}
	authority := certstest.NewAuthority(t)
	cert, key := authority.Issue([]string{"localhost", "127.0.0.1"})
	g.ca = authority.File()
	pem, err := os.ReadFile(g.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	g.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	g.secret(t, "anna", "viewer") // before anything asks for tokens
	g.hub.Gateway.Stop(t)
	g.hub.RestartGateway(t, "--access-file", g.file, "--tls-cert", cert, "--tls-key", key)
	g.Robot = harness.StartRobot(t, harness.Options{
		Name: "rover", Fleet: g.hub.Fleet("rover"), TLS: fmt.Sprintf("{cert: %q, key: %q}", cert, key),
		Env: []string{"WALDO_ACCESS_FILE=" + g.file, "WALDO_TOKEN=" + harness.Token},
		Devices: `front: {kind: camera, source: test, width: 320, height: 240, fps: 30}
		recorder: {kind: recorder}
		` + uplink,
	})
	g.secrets = append(g.secrets, harness.Token)
	return g
}

// secret makes a token that must not be in any log.
func (g *guarded) secret(t *testing.T, name, role string, more ...string) (token string) {
	t.Helper()
	out := g.run(t, append([]string{"create", name, "--role", role}, more...)...)
	token = regexp.MustCompile(`(?m)^\s*(waldo_\S+)`).FindString(out)
	if token = strings.TrimSpace(token); token == "" {
		t.Fatalf("no token was printed: %s", out)
	}
	_, secret, _ := strings.Cut(strings.TrimPrefix(token, "waldo_"), "_")
	if len(secret) < 16 {
		t.Fatalf("%s is no token", token)
	}
	g.secrets = append(g.secrets, secret)
	return token
}

// get asks for a path, and checks that no answer leads the browser to tell others where it was.
func (g *guarded) get(t *testing.T, at string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("%s: the answer has Referrer-Policy %q", answer.Request.URL.Path, got)
	}
	return answer, string(body)
}

// call calls a method of the recorder as a page does, over the socket for signalling. It returns the answer, or the
// code of the error and its text.
func (g *guarded) call(t *testing.T, site, token, method string, request any) (r json.RawMessage, refused string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, strings.Replace(site, "https:", "wss:", 1)+"signal", &websocket.DialOptions{
		HTTPClient: g.client, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(1 << 20)
	text, err := json.Marshal(map[string]any{"call": map[string]any{"id": 1, "device": "recorder",
		"method": "waldo.recorder.v1.RecorderService/" + method, "request": request}})
	if err == nil {
		err = socket.Write(ctx, websocket.MessageText, text)
	}
	for err == nil {
		var text []byte
		if _, text, err = socket.Read(ctx); err != nil {
			break
		}
		var m struct {
			Result *struct {
				Response json.RawMessage
				Error    *struct{ Code, Message string }
			}
		}
		if err = json.Unmarshal(text, &m); err != nil || m.Result == nil {
			continue
		}
		if e := m.Result.Error; e != nil {
			return nil, e.Code + " " + e.Message
		}
		return m.Result.Response, ""
	}
	t.Fatalf("%s: %v", method, err)
	return nil, ""
}

// state is what is read of a RecorderState.
type state struct {
	State struct{ Recording struct{ Name string } }
}

// pictures makes a recording of a few pictures, and returns its name.
func (g *guarded) pictures(t *testing.T, site, admin string) (name string) {
	t.Helper()
	harness.Until(t, "a recording begins", func() error {
		answer, refused := g.call(t, site, admin, "StartRecording", struct{}{})
		if refused != "" {
			return errors.New(refused)
		}
		name = value[state](t, string(answer)).State.Recording.Name
		return nil
	})
	harness.Until(t, "pictures are recorded", func() error {
		answer, body := g.get(t, site+"recordings/segment/recorder/"+name+"/front/video", "Authorization: Bearer "+admin)
		if answer.StatusCode != http.StatusOK || body == "" {
			return errors.New(answer.Status)
		}
		return nil
	})
	if _, refused := g.call(t, site, admin, "StopRecording", struct{}{}); refused != "" {
		t.Fatal(refused)
	}
	return name
}

// TestGuardedRecordings: what is recorded and what Foxglove shows is for those with a token, on the robot's own page
// and below a fleet's prefix: over https and wss, with the rights of the token, and without a trace of it in addresses
// or logs.
func TestGuardedRecordings(t *testing.T) {
	g := startGuarded(t)
	people := map[string]string{}
	for _, role := range []string{"viewer", "operator", "admin"} {
		people[role] = g.secret(t, "some-"+role, role)
	}
	own := strings.Replace(g.URL, "http:", "https:", 1) + "/"
	fleet := strings.Replace(g.hub.URL, "http:", "https:", 1) + "/r/rover/"
	name := g.pictures(t, own, people["admin"])
	other := g.secret(t, "elsewhere", "admin", "--robot", "arm")
	for at, site := range map[string]string{"robot": own, "fleet": fleet} {
		t.Run(at, func(t *testing.T) {
			g.routes(t, site, name, people["viewer"])
			g.socket(t, site, people["viewer"])
			answer, body := g.get(t, site+"recordings/file/recorder/"+name, "Authorization: Bearer "+other)
			if answer.StatusCode < 401 || answer.StatusCode > 404 {
				t.Errorf("a token for another robot: %s, %d bytes", answer.Status, len(body))
			}
			for _, role := range []string{"viewer", "operator"} {
				_, refused := g.call(t, site, people[role], "DeleteRecording", map[string]string{"name": name})
				if !strings.HasPrefix(refused, "PERMISSION_DENIED ") || !strings.Contains(refused, "needs the role admin") {
					t.Errorf("the role %s deletes: %q", role, refused)
				}
			}
		})
	}
	if _, refused := g.call(t, fleet, people["admin"], "DeleteRecording", map[string]string{"name": name}); refused != "" {
		t.Errorf("an admin does not delete: %s", refused)
	}
	for of, log := range map[string]string{"robot": g.Output(), "gateway of the fleet": g.hub.Gateway.Output()} {
		for _, secret := range g.secrets {
			if strings.Contains(log, secret) {
				t.Errorf("the log of the %s has the secret %s", of, secret)
			}
		}
	}
}

// routes asks for everything that is recorded, as a stranger, as a viewer, and with a pass of Foxglove.
func (g *guarded) routes(t *testing.T, site, name, viewer string) {
	t.Helper()
	bearer := "Authorization: Bearer " + viewer
	pass := g.pass(t, site, bearer)
	for _, tt := range []struct {
		path   string
		header string
		code   int
		kind   string
		length int // at least
	}{
		{"recordings", "Accept: text/html", 200, "text/html", 100},
		{"recordings/file/recorder/" + name, "Range: bytes=1-4", 206, "application/octet-stream", 4},
		{"recordings/segment/recorder/" + name + "/front/video?offset=0&init=1", "Accept: */*", 200, "video/mp4", 1000},
		{"foxglove", "Accept: text/html", 200, "text/html", 100},
	} {
		answer, body := g.get(t, site+tt.path, tt.header, bearer)
		kind := answer.Header.Get("Content-Type")
		if answer.StatusCode != tt.code || !strings.HasPrefix(kind, tt.kind) || len(body) < tt.length {
			t.Errorf("%s: a viewer gets %s, %s, %.100q", tt.path, answer.Status, kind, body)
		}
		if strings.Contains(tt.path, "/file/") && body != "MCAP" {
			t.Errorf("a range of the file is %q", body)
		}
		if answer, body := g.get(t, site+tt.path, tt.header); answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: a stranger gets %s, %.100q", tt.path, answer.Status, body)
		}
		if tt.path == "foxglove" {
			continue // where the pass is good
		}
		separator := "?"
		if strings.Contains(tt.path, "?") {
			separator = "&"
		}
		answer, body = g.get(t, site+tt.path+separator+"pass="+pass, tt.header)
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: the pass of Foxglove gives %s, %.100q", tt.path, answer.Status, body)
		}
	}
	// A browser that comes with the token in the address is sent to one without it, and has a cookie from then on.
	answer, _ := g.get(t, site+"recordings?token="+viewer, "Accept: text/html")
	if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || to != "./recordings" {
		t.Fatalf("with the token in the address: %s, to %q", answer.Status, to)
	}
	cookie := answer.Cookies()[0]
	if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		!strings.HasPrefix(cookie.Name, "__Host-") {
		t.Errorf("the cookie is %s", cookie)
	}
	g.secrets = append(g.secrets, cookie.Value)
	if answer, body := g.get(t, site+"recordings/file/recorder/"+name, "Range: bytes=1-4", "Cookie: "+cookie.Name+"="+
		cookie.Value); answer.StatusCode != http.StatusPartialContent || body != "MCAP" {
		t.Errorf("with the cookie: %s, %.100q", answer.Status, body)
	}
}

// pass returns the pass in the address that the robot's page shows for Foxglove.
func (g *guarded) pass(t *testing.T, site, bearer string) string {
	t.Helper()
	answer, body := g.get(t, site+"foxglove", "Accept: text/html", bearer)
	found := regexp.MustCompile(`data-pass="([^"]+)"`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no pass is shown: %s, %.300q", answer.Status, body)
	}
	pass := html.UnescapeString(found[1])
	g.secrets = append(g.secrets, pass)
	return url.QueryEscape(pass)
}

// socket connects as Foxglove does: over wss, with each of the protocol's names, by a token and by a pass.
func (g *guarded) socket(t *testing.T, site, viewer string) {
	t.Helper()
	bearer := "Authorization: Bearer " + viewer
	at := strings.Replace(site, "https:", "wss:", 1) + "foxglove"
	for _, protocol := range []string{"foxglove.sdk.v1", "foxglove.websocket.v1"} {
		for _, tt := range []struct {
			name, address, token string
			code                 int
		}{
			{"a token", at, viewer, http.StatusSwitchingProtocols},
			{"a pass", at + "?pass=" + g.pass(t, site, bearer), "", http.StatusSwitchingProtocols},
			{"nothing", at, "", http.StatusUnauthorized},
			{"half a pass", at + "?pass=" + g.pass(t, site, bearer)[5:], "", http.StatusUnauthorized},
		} {
			header := http.Header{}
			if tt.token != "" {
				header.Set("Authorization", "Bearer "+tt.token)
			}
			socket, answer, err := websocket.Dial(t.Context(), tt.address, &websocket.DialOptions{HTTPClient: g.client,
				HTTPHeader: header, Subprotocols: []string{protocol}})
			if answer == nil || answer.StatusCode != tt.code {
				t.Errorf("%s with %s: %v", protocol, tt.name, err)
			}
			if err != nil {
				continue
			}
			_, first, err := socket.Read(t.Context())
			var info struct{ Op, Name string }
			if failed := json.Unmarshal(first, &info); err != nil || failed != nil || info.Op != "serverInfo" ||
				info.Name != "rover" || socket.Subprotocol() != protocol {
				t.Errorf("%s with %s: %v, %s", protocol, tt.name, err, first)
			}
			_ = socket.CloseNow()
		}
	}
}
