package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

const testCamera = `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}`

// far is a robot that is reached through a rendezvous server, which serves plain HTTP on loopback: a page from there
// may check keys, as one from https may.
type far struct {
	tb      testing.TB
	address string // of the server
	state   string // its file
	server  *harness.Process
	robot   *harness.Robot
	link    string // as the launcher prints it, without the token
}

func startFar(tb testing.TB, o harness.Options) *far {
	tb.Helper()
	f := &far{tb: tb, address: harness.FreeAddress(tb), state: filepath.Join(tb.TempDir(), "rendezvous.json")}
	f.start()
	o.Name = "rover"
	o.Gateway += fmt.Sprintf(`, token: %q, rendezvous: {url: "http://%s"}`, harness.Token, f.address)
	f.robot = harness.StartRobot(tb, o)
	f.robot.Device(tb, "front")
	printed := regexp.MustCompile(`from anywhere, for who knows the token: (\S+)`)
	harness.Until(tb, "the launcher prints the link", func() error {
		found := printed.FindStringSubmatch(f.robot.Output())
		if found == nil {
			return fmt.Errorf("it prints %s", f.robot.Output())
		}
		f.link = found[1]
		return nil
	})
	if strings.Contains(f.robot.Output(), harness.Token) {
		tb.Error("the token is in the log")
	}
	return f
}

// start starts the server, which knows its robots again by its file.
func (f *far) start() {
	f.tb.Helper()
	f.server = harness.Start(f.tb, nil, harness.Bin(f.tb, "waldo"), "rendezvous", "--listen", f.address, "--state",
		f.state)
}

func (f *far) linkWithToken() string {
	return f.link + "&" + url.Values{"token": {harness.Token}}.Encode()
}

// refusal waits until the page says why it does not go on, and makes sure that it does not.
func refusal(tb testing.TB, page *harness.Page) string {
	tb.Helper()
	page.Until(tb, "!document.getElementById('trouble').hidden && Boolean(window.waldo?.robot.refusal)")
	if made := harness.Eval[bool](tb, page, "peers.some((p) => p.remoteDescription !== null)"); made {
		tb.Error("a connection was made")
	}
	return harness.Eval[string](tb, page, "document.getElementById('trouble').innerText")
}

// TestPageByRendezvous uses the page through a server, which is then killed.
func TestPageByRendezvous(t *testing.T) {
	wire := harness.StartWire(t)
	f := startFar(t, harness.Options{Drive: harness.RoverDrive, Devices: wire.Device() + "\n" + testCamera})
	f.robot.Device(t, "motors")
	page := harness.StartBrowser(t).Open(t, f.linkWithToken())
	tile := page.Tile(t, "front")
	tile.WaitFrames(t, 10)
	if at, want := harness.Eval[string](t, page, "location.href"), "http://"+f.address+"/r/rover/"; at != want {
		t.Errorf("the address bar shows %s, want %s", at, want)
	}
	page.Until(t, "peers.at(-1).connectionState === 'connected' && waldo.robot.state === 'live'")
	harness.Crash(t, f.server.PID())
	tile.WaitFrames(t, 60)
	page.Click(t, "#drive-button")
	page.Until(t, "waldo.drive.state === 'driving'")
	if state := harness.Eval[string](t, page, "waldo.robot.state"); state != "live" {
		t.Errorf("without the server the robot is %s", state)
	}
	// The browser knows key and token from the first visit.
	f.start()
	page.Until(t, "fetch('healthz').then((r) => r.ok, () => false)")
	harness.Eval[bool](t, page, "location.reload(), true")
	page.Until(t, "window.waldo?.robot.state === 'live'")
	page.Tile(t, "front").WaitFrames(t, 10)
}

// TestPageElsewhereByRendezvous: a page that does not come from the server need not trust what the server serves.
func TestPageElsewhereByRendezvous(t *testing.T) {
	address := harness.FreeAddress(t)
	f := startFar(t, harness.Options{Gateway: fmt.Sprintf(`, origins: ["http://%s"]`, address)})
	elsewhere := &http.Server{Addr: address, ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, `<!doctype html><video id="front" muted playsinline></video><script type="module">
				import * as waldo from %q;
				window.robot = waldo.connect(%q);
				robot.video('front').attach(document.getElementById('front'));
			</script>`, f.robot.URL+"/waldo.js", f.linkWithToken())
		})}
	served := make(chan error, 1)
	go func() { served <- elsewhere.ListenAndServe() }()
	defer func() {
		_ = elsewhere.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	page := harness.StartBrowser(t).Open(t, "http://"+address+"/")
	page.Until(t,
		"robot.state === 'live' && document.getElementById('front').getVideoPlaybackQuality().totalVideoFrames > 10")
}

// TestRendezvousLinks: a page does not go on with a link that is not right.
func TestRendezvousLinks(t *testing.T) {
	f := startFar(t, harness.Options{})
	browser := harness.StartBrowser(t)
	base, _, _ := strings.Cut(f.link, "#")
	token := "&" + url.Values{"token": {harness.Token}}.Encode()
	if said := refusal(t, browser.Open(t, base)); !strings.Contains(said, "waldo link --token") {
		t.Errorf("without a key the page says %q", said)
	}
	if said := refusal(t, browser.Open(t, f.link)); !strings.Contains(said, "token is missing") {
		t.Errorf("without a token the page says %q", said)
	}
	wrong := browser.Open(t, f.link+"&token=a-guess-at-the-token")
	if said := refusal(t, wrong); !strings.Contains(said, "does not accept this page’s token") {
		t.Errorf("with a wrong token the page says %q", said)
	}
	// This browser trusts the robot's key by now; another profile does not.
	other := base + "#key=" + strings.Repeat("x", 43) + token
	page := browser.Open(t, other)
	page.Until(t, "document.getElementById('trouble').innerText.includes('another key')")
	if said := refusal(t, harness.StartBrowser(t).Open(t, other)); !strings.Contains(said,
		"not the robot that the link is for") {
		t.Errorf("with another key the page says %q", said)
	}
	right := browser.Open(t, f.linkWithToken())
	right.Tile(t, "front").WaitFrames(t, 10)
}
