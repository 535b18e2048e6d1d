package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Browser is a headless Chromium that belongs to the test.
type Browser struct {
	ctx context.Context
}

// StartBrowser starts Chromium. A machine without it fails the test: `make test` installs it.
func StartBrowser(tb testing.TB, more ...chromedp.ExecAllocatorOption) *Browser {
	tb.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		tb.Fatalf("%v: run `make deps`", err)
	}
	// Not tb.TempDir: Chromium's helpers may write into it for a moment after they were reported to have ended.
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		tb.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.WindowSize(1280, 800),
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	tb.Cleanup(func() {
		cancel()
		stop()
		_ = os.RemoveAll(profile) // the system cleans up after a late helper
	})
	if err := chromedp.Run(ctx); err != nil {
		tb.Fatalf("start Chromium: %v", err)
	}
	return &Browser{ctx}
}

// WithMicrophone gives Chromium a microphone that plays a WAV file in a loop, and that every page may use.
func WithMicrophone(path string) chromedp.ExecAllocatorOption {
	return func(a *chromedp.ExecAllocator) {
		chromedp.Flag("use-fake-device-for-media-stream", true)(a)
		chromedp.Flag("use-fake-ui-for-media-stream", true)(a)
		chromedp.Flag("use-file-for-fake-audio-capture", path)(a)
	}
}

// Page is one tab.
type Page struct {
	ctx   context.Context
	close context.CancelFunc
}

// probe runs before the scripts of every page: it records each RTCPeerConnection in the order of creation.
const probe = `(() => {
  const peers = (window.peers = []);
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...args) { super(...args); peers.push(this); }
  };
})()`

// Open opens a tab in its own window. window.peers lists all RTCPeerConnections that the page ever makes.
func (b *Browser) Open(tb testing.TB, url string) *Page {
	tb.Helper()
	// A covered tab presents no frames.
	window, err := target.CreateTarget("about:blank").WithNewWindow(true).Do(cdp.WithExecutor(b.ctx,
		chromedp.FromContext(b.ctx).Browser))
	if err != nil {
		tb.Fatalf("open a window: %v", err)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(window))
	tb.Cleanup(cancel)
	p := &Page{ctx, cancel}
	install := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(probe).Do(ctx)
		return err
	})
	if err := chromedp.Run(ctx, install); err != nil {
		tb.Fatalf("prepare a window: %v", err)
	}
	loading, stop := context.WithTimeout(ctx, 2*Patience)
	defer stop()
	if err := chromedp.Run(loading, chromedp.Navigate(url)); err != nil {
		tb.Fatalf("open %s: %v", url, err)
	}
	return p
}

// Close closes the tab.
func (p *Page) Close() { p.close() }

// Eval evaluates JavaScript, awaits a promise, and returns the result.
func Eval[T any](tb testing.TB, p *Page, js string, args ...any) T {
	tb.Helper()
	v, err := TryEval[T](p, js, args...)
	if err != nil {
		tb.Fatalf("%v in %s with %v", err, js, args)
	}
	return v
}

// TryEval is Eval, but returns its error. In js, $1 stands for the first of args as JSON, $2 for the second, up to $9.
func TryEval[T any](p *Page, js string, args ...any) (v T, err error) {
	for i, a := range args {
		text, err := json.Marshal(a)
		if err != nil {
			return v, err
		}
		js = strings.ReplaceAll(js, "$"+strconv.Itoa(i+1), string(text))
	}
	ctx, cancel := context.WithTimeout(p.ctx, 2*Patience)
	defer cancel()
	await := func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }
	err = chromedp.Run(ctx, chromedp.Evaluate(js, &v, await))
	return v, err
}

// condition is empty once an expression is true. Until then it tells what somebody would see who looks at the page, and
// its console: where it is, what Waldo's page says, of its link and its pictures too, and what it could not load.
const condition = `(() => {
  if (%s) return '';
  const failed = performance.getEntriesByType('resource').filter((e) => e.responseStatus === 0 || e.responseStatus >= 400);
  const data = (selector) => [...document.querySelectorAll(selector)].map((e) => ({ ...e.dataset }));
  return JSON.stringify({
    at: location.origin + location.pathname, ready: document.readyState, hidden: document.hidden, body: data('body')[0],
    pictures: data('[data-picture]'), said: [...document.querySelectorAll('[role=status], [role=alert]')]
      .filter((e) => e.checkVisibility()).map((e) => e.innerText.slice(0, 200)).filter(Boolean), trouble: document.querySelector('#trouble-text')?.textContent,
    robot: window.waldo?.robot?.state, peers: window.peers?.map((p) => p.connectionState + '/' + p.signalingState),
    failed: failed.map((e) => e.name.split('?')[0] + ' ' + e.responseStatus),
  });
})()`

// Until waits until a JavaScript expression is true.
func (p *Page) Until(tb testing.TB, js string, args ...any) {
	tb.Helper()
	Until(tb, "the page", func() error {
		page, err := TryEval[string](p, fmt.Sprintf(condition, js), args...)
		if err == nil && page != "" {
			err = fmt.Errorf("not yet: %s with %v; the page: %s", js, args, page)
		}
		return err
	})
}

// Screenshot writes a PNG of the page.
func (p *Page) Screenshot(tb testing.TB, path string) {
	tb.Helper()
	var png []byte
	if err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&png)); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Resize sets the size of the visible part of the page.
func (p *Page) Resize(tb testing.TB, width, height int64) {
	tb.Helper()
	if err := chromedp.Run(p.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		tb.Fatal(err)
	}
}
