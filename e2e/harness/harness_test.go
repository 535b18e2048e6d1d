package harness_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

func TestBrowserEvaluates(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>hello</title>"))
	}))
	defer server.Close()
	page := harness.StartBrowser(t).Open(t, server.URL)
	if got := harness.Eval[string](t, page, "document.title"); got != "hello" {
		t.Errorf("title %q", got)
	}
	if got := harness.Eval[int](t, page, "(async () => { new RTCPeerConnection(); return peers.length + $1 })()",
		41); got != 42 {
		t.Errorf("got %d", got)
	}
	page.Until(t, "document.readyState === 'complete'")
}
