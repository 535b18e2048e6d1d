package harness

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// What people do with a page: keys, clicks, fingers, and gamepads; and what happens to it when they switch tabs.

// Press presses a key and holds it. The code is a KeyboardEvent.code, such as KeyW.
func (p *Page) Press(tb testing.TB, code string) { p.key(tb, input.KeyDown, code) }

// Release releases a key.
func (p *Page) Release(tb testing.TB, code string) { p.key(tb, input.KeyUp, code) }

func (p *Page) key(tb testing.TB, kind input.KeyType, code string) {
	tb.Helper()
	e := input.DispatchKeyEvent(kind).WithCode(code).WithKey(keyOf(code)).WithWindowsVirtualKeyCode(virtualOf(code))
	if err := chromedp.Run(p.ctx, e); err != nil {
		tb.Fatal(err)
	}
}

// keyOf is the KeyboardEvent.key of letters, and the code itself for named keys.
func keyOf(code string) string {
	if len(code) == 4 && code[:3] == "Key" {
		return string(code[3] - 'A' + 'a')
	}
	if key, ok := map[string]string{"Space": " ", "Equal": "="}[code]; ok {
		return key
	}
	return code
}

func virtualOf(code string) int64 {
	switch {
	case len(code) == 4 && code[:3] == "Key":
		return int64(code[3])
	case code == "Escape":
		return 27
	case code == "Space":
		return 32
	}
	return 0
}

// Touch puts a finger on the page, or moves the finger that is there.
func (p *Page) Touch(tb testing.TB, begin bool, x, y float64) {
	tb.Helper()
	kind := input.TouchMove
	if begin {
		kind = input.TouchStart
	}
	if err := chromedp.Run(p.ctx, input.DispatchTouchEvent(kind, []*input.TouchPoint{{X: x, Y: y}})); err != nil {
		tb.Fatal(err)
	}
}

// Lift lifts the finger.
func (p *Page) Lift(tb testing.TB) {
	tb.Helper()
	if err := chromedp.Run(p.ctx, input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{})); err != nil {
		tb.Fatal(err)
	}
}

// gamepads simulates a gamepad inside the browser. A real one needs a kernel with uinput, and is tested in the
// hardware lab. As in Chromium, getGamepads returns a snapshot, and an unplugged pad leaves null in its place.
const gamepads = `(() => {
  let pad = null;
  navigator.getGamepads = () => [pad && { ...pad, axes: [...pad.axes], buttons: pad.buttons.map((b) => ({ ...b })) }];
  const tell = (type, gamepad) => dispatchEvent(Object.assign(new Event(type), { gamepad }));
  window.testPad = {
    plug() {
      pad = { id: 'pad of the test', index: 0, connected: true, mapping: 'standard', timestamp: performance.now(),
        axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ pressed: false, touched: false, value: 0 })) };
      tell('gamepadconnected', pad);
    },
    axis(i, value) { pad.axes[i] = value; pad.timestamp = performance.now(); },
    button(i, value) { pad.buttons[i] = { pressed: value > 0.5, touched: value > 0, value }; pad.timestamp = performance.now(); },
    unplug() { const gone = { ...pad, connected: false }; pad = null; tell('gamepaddisconnected', gone); },
  };
})()`

// FakeGamepad gives the page window.testPad, with plug, axis, button, and unplug.
func (p *Page) FakeGamepad(tb testing.TB) { Eval[any](tb, p, gamepads) }

// Cover opens a tab in front of the page, in the same window, so that the page is hidden; uncover closes it, and
// returns when the page is visible.
func (p *Page) Cover(tb testing.TB) (uncover func()) {
	tb.Helper()
	browser := cdp.WithExecutor(p.ctx, chromedp.FromContext(p.ctx).Browser)
	if err := chromedp.Run(p.ctx, cdppage.BringToFront()); err != nil {
		tb.Fatal(err)
	}
	id, err := target.CreateTarget("about:blank").Do(browser)
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		tb.Helper()
		if err := target.CloseTarget(id).Do(browser); err != nil {
			tb.Fatal(err)
		}
		p.Until(tb, "!document.hidden")
	}
}

// Suspend freezes the page as Chromium does with tabs in the background; its scripts stop until resume.
func (p *Page) Suspend(tb testing.TB) (resume func()) {
	tb.Helper()
	set := func(state cdppage.SetWebLifecycleStateState) {
		tb.Helper()
		if err := chromedp.Run(p.ctx, cdppage.SetWebLifecycleState(state)); err != nil {
			tb.Fatal(err)
		}
	}
	set(cdppage.SetWebLifecycleStateStateFrozen)
	return func() {
		tb.Helper()
		set(cdppage.SetWebLifecycleStateStateActive)
		p.Cover(tb)() // it is still hidden; only another tab in front of it changes that
	}
}

// Renderers are the processes that run the pages of the browser.
func (b *Browser) Renderers(tb testing.TB) (pids []int) {
	tb.Helper()
	all, err := systeminfo.GetProcessInfo().Do(cdp.WithExecutor(b.ctx, chromedp.FromContext(b.ctx).Browser))
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range all {
		if p.Type == "renderer" {
			pids = append(pids, int(p.ID))
		}
	}
	return pids
}

// Kill ends the browser and all its processes as a crash of the machine would, and returns the time of the first kill.
func (b *Browser) Kill(tb testing.TB) (began time.Time) {
	tb.Helper()
	main := chromedp.FromContext(b.ctx).Browser.Process()
	pids := append([]int{main.Pid}, descendants(tb, main.Pid)...)
	began = time.Now()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended with its parent
	}
	Until(tb, "the browser has ended", func() error {
		if syscall.Kill(main.Pid, 0) == nil {
			return errors.New("it still runs")
		}
		return nil
	})
	return began
}

// descendants returns the descendants of a process, oldest first.
func descendants(tb testing.TB, pid int) (all []int) {
	tb.Helper()
	for _, child := range Children(tb, pid, "") {
		all = append(append(all, child), descendants(tb, child)...)
	}
	return all
}
