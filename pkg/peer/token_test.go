package peer

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWhoIsShownTheToken: the gateway of a fleet gets the token when it asks for it, and from then on at once; whatever
// may be a rendezvous server does not.
func TestWhoIsShownTheToken(t *testing.T) {
	const token, waldo = "open sesame", `Bearer realm="waldo"`
	known := filepath.Join(t.TempDir(), "known")
	var shown []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = append(shown, r.Header.Get("Authorization"))
		if r.URL.Path == "/r/proxy/signal" {
			w.Header().Set("WWW-Authenticate", `Basic realm="intranet"`)
		} else {
			w.Header().Set("WWW-Authenticate", waldo)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	if err := remember(known, server.URL+"/r/known/", someKey); err != nil {
		t.Fatal(err)
	}
	none, given := "", "Bearer "+token
	for _, tt := range []struct {
		url, token string
		want       []string // what is shown in two attempts
		says       string
	}{
		{"/", token, []string{given, given}, "401"},
		{"/r/rover/", token, []string{none, given, given}, "401"},
		{"/r/rover/?token=open+sesame", "", []string{none, given, given}, "401"},
		{"/r/rover/", "", []string{none, none}, "a token is needed"},
		{"/r/rover/#key=" + someKey, token, []string{none, none}, "known robots"},
		{"/r/known/", token, []string{none, none}, "known robots"},
		{"/r/proxy/", token, []string{none, none}, "401"},
	} {
		shown = nil
		a, err := parseAddress(server.URL+tt.url, Options{Token: tt.token})
		if err != nil {
			t.Fatal(err)
		}
		r := &Robot{address: a, options: Options{Known: known}, client: server.Client()}
		for range 2 {
			if _, err := r.open(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", tt.url, err)
			}
		}
		if !slices.Equal(shown, tt.want) {
			t.Errorf("%s with %q: shown are %q, want %q", tt.url, tt.token, shown, tt.want)
		}
	}
}
