package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// startProxy runs a robot behind nginx, with a token if it is not empty, and returns the URL of nginx.
func startProxy(t *testing.T, token string) string {
	t.Helper()
	config, err := os.ReadFile("testdata/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	options := harness.Options{}
	if token != "" {
		options.Gateway = `, token: "` + token + `"`
	}
	robot := harness.StartRobot(t, options)
	robot.Device(t, "front")
	return harness.StartNginx(t, robot, string(config))
}

// withSession opens a WHEP session with only a token in its URL, patches it, and ends it.
const withSession = `(async () => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  await pc.setLocalDescription();
  const ask = (url, method, type, body) => fetch(url, { method, body, credentials: 'omit', headers: type ? { 'Content-Type': type } : {} });
  const opened = await ask('whep/front?token=' + $1, 'POST', 'application/sdp', pc.localDescription.sdp);
  pc.close();
  const session = new URL(opened.headers.get('Location'), opened.url);
  const patched = await ask(session, 'PATCH', 'application/trickle-ice-sdpfrag', 'a=end-of-candidates\r\n');
  const ended = await ask(session, 'DELETE');
  const again = await ask(session, 'DELETE');
  return [opened.status, patched.status, ended.status, again.status].join(' ') + ' ' + session.pathname.split('/').slice(0, -1).join('/');
})()`

// TestBehindNginx uses the whole page through proxies that strip a prefix.
func TestBehindNginx(t *testing.T) {
	browser := harness.StartBrowser(t)
	for _, token := range []string{"", "a-token-of-the-test"} {
		proxy := startProxy(t, token)
		for _, prefix := range []string{"/robots/7/", "/r/", "/twice/"} {
			t.Run(prefix+token, func(t *testing.T) {
				address := proxy + prefix
				if token != "" {
					address += "?token=" + token
				}
				page := browser.Open(t, address)
				page.Tile(t, "front").WaitFrames(t, 10)
				if at := harness.Eval[string](t, page, "location.href"); at != proxy+prefix {
					t.Errorf("the page is at %s", at)
				}
				if shown := harness.Eval[bool](t, page, "!document.getElementById('trouble').hidden"); shown {
					t.Error("the page reports trouble")
				}
				if status := harness.Eval[int](t, page, "fetch('snapshot/front.jpg').then((r) => r.status)"); status != 200 {
					t.Errorf("a snapshot: %d", status)
				}
				if got, want := harness.Eval[string](t, page, withSession,
					token), "201 204 200 404 "+prefix+"whep/front"; got != want {
					t.Errorf("a WHEP session: %s, want %s", got, want)
				}
			})
		}
		if token == "" {
			continue
		}
		// A folder's session is valid only there.
		if status := harness.Eval[int](t, browser.Open(t, proxy+"/plain/?token=guess"),
			"fetch('../policy/').then((r) => r.status)"); status != 401 {
			t.Errorf("another folder without a session: %d", status)
		}
	}
}

// told waits until the page reports what is wrong, and returns the text and the time since its load, in ms.
const told = `new Promise((resolve) => {
  const loaded = performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd;
  const look = () => {
    const trouble = document.getElementById('trouble');
    const after = performance.now() - loaded;
    const visible = getComputedStyle(trouble).visibility === 'visible' && !trouble.hidden;
    // Without styles, the initial text is visible until a better one replaces it.
    if (!visible || (!trouble.dataset.said && after < 2200)) return setTimeout(look, 20);
    resolve({ text: trouble.innerText, after });
  };
  look();
})`

// TestPageSaysWhy runs proxies that block parts of the page. The page has to say which, without the modules if need
// be.
func TestPageSaysWhy(t *testing.T) {
	proxy := startProxy(t, "")
	browser := harness.StartBrowser(t)
	for _, tt := range []struct {
		path string
		says []string
	}{
		{"/plain/", []string{"not a WebSocket request", "proxy_set_header Upgrade $http_upgrade;"}},
		{"/noscripts/", []string{".js is refused: HTTP 403", "A proxy has to pass on everything"}},
		{"/text/", []string{"text/html, not as JavaScript"}},
		{"/policy/", []string{"scripts of this page did not load"}},
		{"/alone/", []string{"content security policy forbids connect"}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			page := browser.Open(t, proxy+tt.path)
			got := harness.Eval[struct {
				Text  string
				After float64
			}](t, page, told)
			for _, part := range tt.says {
				if !strings.Contains(got.Text, part) {
					t.Errorf("it does not say %q: %s", part, got.Text)
				}
			}
			t.Logf("after %.0f ms: %s", got.After, got.Text)
			if got.After > 3000 {
				t.Errorf("it says so after %.0f ms", got.After)
			}
		})
	}
}
