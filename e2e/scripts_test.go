package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestPageStartsAgain: connections break while a page loads its scripts, as they do when the network of its machine
// changes. It starts without its user, once they can be loaded.
func TestPageStartsAgain(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	to, err := url.Parse(robot.URL)
	if err != nil {
		t.Fatal(err)
	}
	var broken atomic.Bool
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() && strings.HasSuffix(r.URL.Path, ".js") {
			panic(http.ErrAbortHandler)
		}
		pass.ServeHTTP(w, r)
	}))
	defer between.Close()
	browser := harness.StartBrowser(t)
	broken.Store(true)
	page := browser.Open(t, between.URL+"/")
	page.Until(t, "document.querySelector('#trouble-text').textContent.includes('cannot be loaded')")
	broken.Store(false)
	page.Tile(t, "front").WaitFrames(t, 5)
	if !harness.Eval[bool](t, page, "document.querySelector('#trouble').hidden") {
		t.Error("the page shows a picture, and still says that its scripts did not load")
	}
}
