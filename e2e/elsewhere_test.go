package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// ownPage is the page from the README: a page of your own that imports the gateway's modules.
const ownPage = `<!doctype html>
<video id="front" muted playsinline></video>
<script type="module">
  import * as waldo from '%s/waldo.js';
  const robot = window.robot = waldo.connect(%s);
  const video = window.video = robot.video('front');
  video.attach(document.getElementById('front'));
</script>
`

// countTries counts the sessions that a page tries to open.
const countTries = `<!doctype html>
<script>
  window.tries = 0;
  window.WebSocket = class extends WebSocket {
    constructor(...args) { super(...args); tries++; }
  };
</script>
`

// closeSite does not wait for connections that a browser holds open.
func closeSite(site *httptest.Server) {
	site.CloseClientConnections()
	site.Close()
}

// openOwnPage opens a page of another origin, which the gateway allows. The arguments are those of waldo.connect.
func openOwnPage(t *testing.T, browser *harness.Browser, token, arguments string) (*harness.Robot, *harness.Page) {
	t.Helper()
	var html string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(html)) // fails only if Chromium has left
	}))
	t.Cleanup(func() { closeSite(site) })
	gateway := fmt.Sprintf(", origins: [%q]", site.URL)
	if token != "" {
		gateway += fmt.Sprintf(", token: %q", token)
	}
	robot := harness.StartRobot(t, harness.Options{Gateway: gateway})
	robot.Device(t, "front")
	html = countTries + fmt.Sprintf(ownPage, robot.URL, arguments)
	return robot, browser.Open(t, site.URL)
}

// TestYourOwnPage opens the README's page on another port, which is another origin.
func TestYourOwnPage(t *testing.T) {
	const token = "a-token-of-the-test"
	browser := harness.StartBrowser(t)
	for _, tt := range []struct {
		name, token, arguments string
	}{
		{"without a token", "", ""},
		{"with a token", token, "undefined, { token: '" + token + "' }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, page := openOwnPage(t, browser, tt.token, tt.arguments)
			page.Until(t, "window.video?.picture.state === 'live'")
			page.Until(t, "document.getElementById('front').videoWidth === 640")
		})
	}
	t.Run("finds a gateway that restarted", func(t *testing.T) {
		robot, page := openOwnPage(t, browser, "", "")
		page.Until(t, "window.video?.picture.state === 'live'")
		harness.Crash(t, robot.Gateway(t))
		page.Until(t, "robot.reconnects > 0 && video.picture.state === 'live'")
	})
	t.Run("with a token it does not have", func(t *testing.T) {
		_, page := openOwnPage(t, browser, token, "") // it loads, but shows no picture
		page.Until(t, "robot.refusal.includes('a token is needed')")
		// It asks after the first try, and again after the second if a busy machine has not answered by then.
		if tries := harness.Eval[int](t, page, "tries"); tries > 3 {
			t.Errorf("the page knows why there is no session after it has tried %d times", tries)
		}
	})
	t.Run("of an origin that is not allowed", func(t *testing.T) {
		robot := harness.StartRobot(t, harness.Options{})
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, "<script type=module>import('%s/waldo.js').then(() => (window.got = 'it'), () => "+
				"(window.got = 'nothing'))</script>", robot.URL)
		}))
		defer closeSite(site)
		page := browser.Open(t, site.URL)
		page.Until(t, "window.got")
		if got := harness.Eval[string](t, page, "window.got"); got != "nothing" {
			t.Errorf("the page got %s", got)
		}
	})
}

// TestGRPCFromAnotherMachine calls a device over a network with the README's command.
func TestGRPCFromAnotherMachine(t *testing.T) {
	network := harness.StartNetwork(t)
	robot := harness.StartRobot(t,
		harness.Options{Network: network, Devices: `front: {kind: camera, source: test, grpc: ":7101"}`})
	address := robot.Device(t, "front").GRPCAddress
	if host, port, err := net.SplitHostPort(address); err != nil || net.ParseIP(host).IsLoopback() ||
		net.ParseIP(host).IsUnspecified() || port != "7101" {
		t.Fatalf("`waldo ls` prints the address %s", address)
	}
	grpcurl := harness.Bin(t, "tools/grpcurl")
	out := harness.Run(t, nil, grpcurl, "-plaintext", "-max-time", "20", "-H", "authorization: Bearer "+harness.Token,
		address, "waldo.camera.v1.CameraService/ListFormats")
	if !strings.Contains(out, "video/H264") {
		t.Errorf("the formats are\n%s", out)
	}
	for header, want := range map[string]string{"x: y": "a token is needed",
		"authorization: Bearer guess": "not known here"} {
		out, err := exec.Command(grpcurl, "-plaintext", "-max-time", "20", "-H", header, address, "list").CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("with %q: %v, %s", header, err, out)
		}
	}
}
