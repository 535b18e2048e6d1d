package vital_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/device/vital"
)

// TestServes: only a gateway that repeats the word of its launcher is that launcher's.
func TestServes(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   bool
	}{
		"its own":        {200, `{"status":"ok","instance":"mine"}`, true},
		"degraded":       {200, `{"status":"degraded","reason":"no bus","instance":"mine"}`, true},
		"of another":     {200, `{"status":"ok","instance":"yours"}`, false},
		"of no launcher": {200, `{"status":"ok"}`, false},
		"no gateway":     {200, "<!doctype html>", false},
		"refused":        {403, `{"instance":"mine"}`, false},
		"endless":        {200, `{"instance":"` + strings.Repeat("m", 1<<20), false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				t.Errorf("%s is asked for", r.URL)
			}
			w.WriteHeader(tt.status)
			_, _ = fmt.Fprint(w, tt.body) // who asks may have heard enough
		}))
		page := vital.NewPage(s.URL + "/")
		if got := page.Serves(t.Context(), "mine"); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		page.Close()
		s.Close()
		if page.Serves(t.Context(), "mine") {
			t.Errorf("%s: it serves after its end", name)
		}
	}
}
