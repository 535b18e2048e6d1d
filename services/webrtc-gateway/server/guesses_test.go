package server

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// guesses are requests and what becomes of them; a token is named by who has it, or is a guess.
var guesses = []struct {
	name      string
	inAddress string
	header    string
	protocols []string
	cookie    string // of whom
	broken    bool   // the store is
	code      int
	slow      bool
}{
	{name: "good", protocols: []string{"anna"}, code: 200},
	{name: "a guess after it is not tried", header: "anna", protocols: []string{"guess"}, code: 200},
	{name: "the second is good", protocols: []string{"guess", "anna"}, code: 200, slow: true},
	{name: "the third is", protocols: []string{"guess", "guess", "anna"}, code: 401, slow: true},
	{name: "the second after a header", header: "guess", protocols: []string{"anna"}, code: 200, slow: true},
	{name: "the third after a header", header: "guess", protocols: []string{"guess", "anna"}, code: 401, slow: true},
	{name: "the second after the address", inAddress: "guess", header: "anna", code: 200, slow: true},
	{name: "the third after the address", inAddress: "guess", header: "guess", protocols: []string{"anna"}, code: 401,
		slow: true},
	{name: "hundreds", protocols: append(slices.Repeat([]string{"guess"}, 300), "anna"), code: 401, slow: true},
	{name: "revoked", protocols: []string{"ben"}, code: 401},
	{name: "a guess before it", protocols: []string{"guess", "ben"}, code: 401, slow: true},
	{name: "a guess in the address before it", inAddress: "guess", header: "ben", code: 401, slow: true},
	{name: "a guess after it", header: "ben", protocols: []string{"guess"}, code: 401, slow: true},
	{name: "a cookie", cookie: "anna", code: 200},
	{name: "a guess beside a cookie", header: "guess", cookie: "anna", code: 200, slow: true},
	{name: "a cookie, of which the token was revoked", cookie: "ben", code: 401},
	{name: "the shared token, with a store that cannot be read", header: "shared", broken: true, code: 200},
	{name: "a guess then", header: "guess", broken: true, code: 503, slow: true},
	{name: "a token of the store then", header: "anna", broken: true, code: 503, slow: true},
	{name: "none then", broken: true, code: 401},
}

// TestGuessesOfOneRequest: a request cannot try many tokens at the price of one, nor hide a guess behind a token whose
// owner is known, or a cookie, or a store that cannot be read. What was slowed down is counted.
func TestGuessesOfOneRequest(t *testing.T) {
	path, broken := filepath.Join(t.TempDir(), "access.json"), filepath.Join(t.TempDir(), "access.json")
	known, ids := map[string]string{"guess": "guess", "shared": "sixteen-or-more!", "": ""}, map[string]string{}
	for _, name := range []string{"anna", "ben"} {
		token, made, err := tokens.Create(path, tokens.Request{Name: name, Role: roles.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		known[name], ids[name] = token, made.ID
	}
	if _, err := tokens.Revoke(path, "ben"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range guesses {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := tokens.Open(map[bool]string{false: path, true: broken}[tt.broken])
				guard, err := newGuard(t.Context(), Config{Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
					Authority: tokens.NewAuthority(known["shared"], store)}, newTickets(),
					func(*http.Request) route { return route{need: roles.Viewer} })
				if err != nil {
					t.Fatal(err)
				}
				w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/signal?token="+known[tt.inAddress], nil)
				if tt.header != "" {
					r.Header.Set("Authorization", "Bearer "+known[tt.header])
				}
				for _, name := range tt.protocols {
					r.Header.Add("Sec-WebSocket-Protocol", tokenProtocol+base64.RawURLEncoding.EncodeToString([]byte(known[name])))
				}
				if tt.cookie != "" {
					r.AddCookie(&http.Cookie{Name: cookieFor(r, ""),
						Value: guard.logins.issue(tokens.Grant{ID: ids[tt.cookie]}, newLogin(), time.Now())})
				}
				begin := time.Now()
				guard.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
				slow, n := time.Since(begin) > 0, testutil.ToFloat64(guard.wrong)
				if w.Code != tt.code || slow != tt.slow || slow != (n > 0) {
					t.Errorf("status %d, slow %v, %v wrong tokens; want %d, %v", w.Code, slow, n, tt.code, tt.slow)
				}
			})
		})
	}
}
