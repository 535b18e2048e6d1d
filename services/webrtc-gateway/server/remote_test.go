package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRemote: what is not public is refused to a rendezvous server, also with the robot's token.
func TestRemote(t *testing.T) {
	const token = "open sesame, please"
	s := newSite(t, Config{Token: token}, 0)
	far := httptest.NewServer(Remote(s.server.Handler()))
	defer far.Close()
	for path, code := range map[string]int{
		"/healthz": 200, "/waldo.js": 200, "/devices": 403, "/metrics": 403, "/snapshot/front.jpg": 403,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, far.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != code || code == 403 && !strings.Contains(string(body), "rendezvous") {
			t.Errorf("%s: %s, %s", path, answer.Status, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestRemoteAddress: visitors are told apart by the address that the rendezvous server states.
func TestRemoteAddress(t *testing.T) {
	for forwarded, want := range map[string]string{
		"203.0.113.7": "203.0.113.7:0", "2001:db8::1": "[2001:db8::1]:0", "nonsense": "192.0.2.1:1234", "": "192.0.2.1:1234",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		var got string
		Remote(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).
			ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%q: %s, want %s", forwarded, got, want)
		}
	}
}
