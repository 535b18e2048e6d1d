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

// restless is a page with a button that moves until half a second has passed, and once more when somebody aims at it;
// in its place comes another.
const restless = `<button id=right>right</button><button id=wrong>wrong</button><script>
  const [right, wrong] = document.querySelectorAll('button');
  const clicked = [];
  for (const button of [right, wrong]) {
    button.style.position = 'fixed';
    button.onclick = () => clicked.push(button.id);
  }
  const end = performance.now() + 500;
  let aimedAt = false;
  const move = () => {
    aimedAt ||= Boolean(window.aimed);
    right.style.top = aimedAt ? '200px' : performance.now() < end ? 100 * Math.random() + 'px' : '50px';
    wrong.style.top = aimedAt ? '50px' : '300px';
    setTimeout(move);
  };
  move();
</script>`

func TestClickMeetsWhatMoves(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(restless))
	}))
	defer server.Close()
	page := harness.StartBrowser(t).Open(t, server.URL)
	page.Click(t, "#right")
	if clicked := harness.Eval[[]string](t, page, "clicked"); len(clicked) != 1 || clicked[0] != "right" {
		t.Errorf("clicked were %v", clicked)
	}
}
