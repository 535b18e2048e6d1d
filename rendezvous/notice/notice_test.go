package notice

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	n := Notice{Title: "Robot <b> is away", Text: "It is off.", Again: true}
	for _, tt := range []struct{ accept, contentType, says string }{
		{"text/html,*/*", "text/html; charset=utf-8", "<h1>Robot &lt;b&gt; is away</h1>"},
		{"", "text/plain; charset=utf-8", "Robot <b> is away. It is off."},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		Show(w, r, http.StatusServiceUnavailable, n)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Content-Type") != tt.contentType ||
			w.Header().Get("Retry-After") != "3" || !strings.Contains(w.Body.String(), tt.says) {
			t.Errorf("%q: %d %v %s", tt.accept, w.Code, w.Header(), w.Body)
		}
	}
}
