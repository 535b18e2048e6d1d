package server

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// TestSignOut: a login ends with all that is open by it, wherever its cookie was copied to. The token stays good, and
// so does what another browser has opened with it.
func TestSignOut(t *testing.T) {
	g := newGuarded(t, tokens.Request{Name: "anna", Role: roles.Viewer})
	browser := func() (cookie *http.Cookie, header string) {
		answer, cookie := g.open("/?token="+g.tokens["anna"], "Accept: text/html")
		if cookie == nil {
			t.Fatal(answer.Status)
		}
		return cookie, "Cookie: " + cookie.Name + "=" + cookie.Value
	}
	session := func(cookie *http.Cookie) *socket {
		ctx, cancel := context.WithTimeout(t.Context(), watcher.Timeout)
		defer cancel()
		conn, _, err := websocket.Dial(ctx, g.URL+"/signal", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {
			cookie.Name + "=" + cookie.Value}}})
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(1 << 20)
		return &socket{t, conn}
	}
	cookie, header := browser()
	other, otherHeader := browser()
	hers, others := session(cookie), session(other)
	defer hers.close()
	if hers.ask(offer(t), nil).GetAnswer() == nil {
		t.Fatal("she got no connection")
	}
	if answer, _ := g.do(request{method: "POST", path: "/logout", headers: []string{header,
		"Origin: https://evil.example"}}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign page signs her out: %s", answer.Status)
	}
	answer, _ := g.do(request{method: "POST", path: "/logout", headers: []string{header, "Origin: " + g.URL}})
	if gone := answer.Cookies(); answer.StatusCode != http.StatusNoContent || len(gone) != 1 ||
		gone[0].Name != cookie.Name || gone[0].MaxAge >= 0 || gone[0].Value != "" || gone[0].Path != cookie.Path {
		t.Errorf("%s, cookies %v", answer.Status, gone)
	}
	var err error
	for err == nil {
		_, err = hers.read()
	}
	if websocket.CloseStatus(err) != statusUnwelcome || !strings.Contains(err.Error(), "signed out") {
		t.Errorf("her session ended with %v", err)
	}
	for headers, want := range map[string]int{header: 401, otherHeader: 200, bearer(g.tokens["anna"]): 200} {
		if answer, body := g.do(request{path: "/devices", headers: []string{headers}}); answer.StatusCode != want {
			t.Errorf("%.20s: %s %s", headers, answer.Status, body)
		}
	}
	others.send(`{"ping":{"id":1}}`)
	others.await(isPong)
	for _, headers := range [][]string{nil, {header}, {"Cookie: " + cookie.Name + "=forged"}} { // nothing to end
		if answer, _ := g.do(request{method: "POST", path: "/logout", headers: headers}); answer.StatusCode != 204 {
			t.Errorf("%v: %s", headers, answer.Status)
		}
	}
	others.close()
	g.empty()
	g.audit.Close()
	if kept, err := os.ReadFile(g.log); err != nil || !strings.Contains(string(kept), `"reason":"signed out"`) {
		t.Errorf("kept %s, %v", kept, err)
	}
}

// TestEndedLogins: newer cookies of a login end with it, and what is remembered is bounded.
func TestEndedLogins(t *testing.T) {
	logins, err := NewLogins("demo", "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	now, shared, of := time.Unix(1_800_000_000, 0), tokens.Grant{Name: tokens.SharedName}, newLogin()
	old, newer := logins.issue(shared, of, now), logins.issue(shared, of, now.Add(sessionLife/2))
	var told []login
	stop := logins.follow(func(l login) { told = append(told, l) })
	logins.end("forged", now)
	logins.end(old, now)
	stop()
	for name, value := range map[string]string{"old": old, "newer": newer} {
		if _, _, left := logins.find(value, now); left > 0 {
			t.Errorf("the %s cookie is good for %v", name, left)
		}
	}
	if len(told) != 1 || told[0] != of {
		t.Errorf("told of %q", told)
	}
	for i := range maxEnded + 100 {
		logins.end(logins.issue(shared, newLogin(), now), now.Add(time.Duration(i)*time.Second))
	}
	if len(logins.ended) != maxEnded || logins.isEnded(of) {
		t.Errorf("%d logins are remembered", len(logins.ended))
	}
}
