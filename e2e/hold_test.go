package e2e

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// What a person does who drives with the keyboard: they press Drive, hold keys, look at the page, and do what it says
// when driving has ended.

// starved are the ends of driving that are the machine's doing: its page, its browser, or the robot's processes did not
// run for a second, as happens when both cores are busy. The robot stands still then, and goes on only when the driver
// presses Drive again.
var starved = []string{"frozen", "lapsed", "lost", "no-way"}

// driveKeys are the keys of harness.RoverDrive.
var driveKeys = []string{"KeyW", "KeyA", "KeyS", "KeyD"}

// driving is the state of a page's drive, and why it is not driving.
func driving(tb testing.TB, page *harness.Page) (state, why string) {
	tb.Helper()
	both := harness.Eval[[2]string](tb, page, "[waldo.drive.state, waldo.drive.why]")
	return both[0], both[1]
}

// begin makes a page drive, with everything at rest; it clicks the button if needed. A page that was frozen may notice
// only now that its last drive is over, and the lease of a killed driver has to expire.
func begin(tb testing.TB, page *harness.Page) {
	tb.Helper()
	const ready = "waldo.robot.state === 'live' && document.querySelector('#drive-button').textContent === 'Drive'"
	harness.Until(tb, "the page drives", func() error {
		state, why := driving(tb, page)
		if state == "driving" {
			return nil
		}
		if state == "off" && harness.Eval[bool](tb, page, ready) {
			page.Click(tb, "#drive-button")
		}
		motors := harness.Eval[string](tb, page, `((d) => d ? d.state + " " + d.reason : "not listed")(
		  waldo.robot.devices.find((d) => d.name === 'motors'))`)
		return fmt.Errorf("the drive is %s: %s; the motors are %s", state, why, motors)
	})
}

// end makes a page stop driving, if it has not stopped by itself.
func end(tb testing.TB, page *harness.Page) {
	tb.Helper()
	harness.Until(tb, "the page drives no more", func() error {
		if state, _ := driving(tb, page); state != "off" {
			page.Click(tb, "#drive-button")
			return errors.New("the button was clicked")
		}
		return nil
	})
}

// hold holds a key until the page shows the wanted value of the motors; wanted is a JavaScript expression of v. It
// presses the key repeatedly: a page that was frozen for a moment releases all keys.
func hold(tb testing.TB, page *harness.Page, code, key, wanted string) {
	tb.Helper()
	holdUntil(tb, page, page, code, key, wanted)
}

// holdUntil is hold, but watches another page.
func holdUntil(tb testing.TB, page, seen *harness.Page, code, key, wanted string) {
	tb.Helper()
	harness.Until(tb, code+" until "+wanted, func() error {
		goOn(tb, page)
		page.Press(tb, code)
		v := harness.Eval[*float64](tb, seen, "((shown) => shown && Number(shown.textContent))("+
			"document.querySelector('[data-device=motors][data-key=' + $1 + ']'))", key)
		switch {
		case v == nil:
			return fmt.Errorf("%s is not shown", key)
		case !harness.Eval[bool](tb, page, "((v) => "+wanted+")($1)", *v):
			says := "waldo.drive.state + ' ' + waldo.drive.why + ', ' + waldo.drive.refusal + ', link ' + waldo.robot.state"
			return fmt.Errorf("%s is %v; the page: %s", key, *v, harness.Eval[string](tb, page, says))
		}
		return nil
	})
}

// goOn does what the page asks of its driver when the robot has stopped because something did not run for a while: they
// release all keys, and press Drive again if driving is over. It fails if driving has ended for another reason.
func goOn(tb testing.TB, page *harness.Page) {
	tb.Helper()
	is := harness.Eval[[3]string](tb, page, "[waldo.drive.state, waldo.drive.reason, waldo.drive.why]")
	switch state, reason, why := is[0], is[1], is[2]; {
	case state == "driving":
		return
	case state == "off" && !slices.Contains(starved, reason):
		tb.Fatalf("driving has ended, with %q: %s", reason, why)
	default:
		tb.Logf("the driver has to begin again: %s %s", state, why)
	}
	for _, code := range driveKeys {
		page.Release(tb, code)
	}
	begin(tb, page)
}

// TestDriversGoOn holds a key while the page stands still for longer than a lease lasts, and while the gateway crashes.
// The robot stops; it goes on when its driver has released the keys and, if the page says that driving has ended, has
// pressed Drive again.
func TestDriversGoOn(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: harness.BoardAt("sim"), Drive: harness.RoverDrive})
	browser := harness.StartBrowser(t)
	page := browser.Open(t, robot.URL)
	awaitReading(t, page, "battery", "v > 6000")
	harness.Eval[any](t, page, "waldo.drive.addEventListener('state', "+
		"() => { window.stopped ||= waldo.drive.state !== 'driving'; })")
	board := watchBoard(t, robot, "motors")
	motors := robot.Device(t, "motors")
	lapsed := func() float64 { return robot.Metric(t, motors, "waldo_control_stops_total", `"lease_lapsed"`) }
	for name, interrupt := range map[string]func(){
		"the page stands still": func() {
			before := lapsed()
			for _, pid := range browser.Renderers(t) {
				defer harness.Freeze(t, pid)()
			}
			board.says(t, `"left":0,"right":0`)
			harness.Until(t, "the lease has expired", func() error {
				if lapsed() == before {
					return errors.New("not yet")
				}
				return nil
			})
		},
		"the gateway crashes": func() {
			harness.Crash(t, robot.Gateway(t))
			board.says(t, `"left":0,"right":0`)
			robot.WaitServing(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			begin(t, page)
			hold(t, page, "KeyW", "left", "v === 200")
			board.says(t, `"left":200,"right":200`)
			harness.Eval[any](t, page, "window.stopped = false")
			interrupt()
			page.Until(t, "window.stopped")
			hold(t, page, "KeyW", "left", "v === 200")
			board.says(t, `"left":200,"right":200`)
			page.Release(t, "KeyW")
			end(t, page)
		})
	}
}
