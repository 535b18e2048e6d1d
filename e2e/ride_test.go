package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// ride is a robot with its motors on a wire, and a page that drives it.
type ride struct {
	tb      testing.TB // the ride ends with it
	wire    *harness.Wire
	network *harness.Network // nil is loopback with a separate bus; otherwise the bus is embedded
	busAt   string
	bus     *harness.Process
	robot   *harness.Robot
	url     string
	browser *harness.Browser
	page    *harness.Page
	began   time.Time // when full speed was first on the wire, in the current drive
}

// startRide starts everything, with further devices given as YAML. Nobody drives yet.
func startRide(tb testing.TB, network *harness.Network, more ...string) *ride {
	tb.Helper()
	r := &ride{tb: tb, wire: harness.StartWire(tb), network: network}
	o := harness.Options{Devices: strings.Join(append(more, r.wire.Device()), "\n"), Drive: harness.RoverDrive,
		Network: network}
	if network == nil {
		r.busAt = harness.FreeAddress(tb)
		r.bus = harness.StartBus(tb, r.busAt)
		o.NATS = "nats://" + r.busAt
	}
	r.robot = harness.StartRobot(tb, o)
	r.url = r.robot.URL
	if network != nil {
		r.url += "/?token=" + harness.Token
	}
	r.robot.Device(tb, "motors")
	r.browser = harness.StartBrowser(tb)
	r.open()
	return r
}

// open opens the page in a new tab with a gamepad.
func (r *ride) open() {
	r.tb.Helper()
	r.page = r.browser.Open(r.tb, r.url)
	awaitPage(r.tb, r.page)
	r.page.FakeGamepad(r.tb)
}

// awaitPage waits until a page runs. Chromium aborts requests when the machine's links come and go, such as a
// Network's; then the page is loaded again.
func awaitPage(tb testing.TB, page *harness.Page) {
	tb.Helper()
	harness.Until(tb, "the page runs", func() error {
		runs, err := harness.TryEval[bool](page, "Boolean(window.waldo) || document.readyState === 'complete' && "+
			"(location.reload(), false)")
		if err == nil && !runs {
			err = errors.New("the page was loaded again")
		}
		return err
	})
}

// full is the command of a driver who holds W, or pushes the pad's stick all the way.
func full(m harness.Motion) bool { return m.Left == 200 && m.Right == 200 }

// goFull goes full speed for a moment. A page that was frozen before may notice only now that driving is over, and
// begins again.
func (r *ride) goFull(tb testing.TB, h hands) {
	tb.Helper()
	h.rest(tb, r.page)
	begin(tb, r.page)
	began := time.Now()
	harness.Until(tb, "full speed", func() error {
		if state, _ := driving(tb, r.page); state == "off" {
			h.rest(tb, r.page)
			begin(tb, r.page)
		}
		h.push(tb, r.page) // repeatedly: a page that was frozen for a moment releases all keys
		motions := r.wire.Motions(began)
		if n := len(motions); n < 4 || !full(motions[n-4]) || !full(motions[n-1]) {
			return fmt.Errorf("on the wire: %v", motions)
		}
		r.began = motions[len(motions)-1].At
		return nil
	})
}

// hands are what drives.
type hands struct {
	push, rest func(testing.TB, *harness.Page)
}

var (
	byKey = hands{
		func(tb testing.TB, p *harness.Page) { tb.Helper(); p.Press(tb, "KeyW") },
		func(tb testing.TB, p *harness.Page) { tb.Helper(); p.Release(tb, "KeyW") },
	}
	byPad = hands{
		func(tb testing.TB, p *harness.Page) { tb.Helper(); harness.Eval[any](tb, p, "testPad.axis(1, -1)") },
		func(tb testing.TB, p *harness.Page) { tb.Helper(); harness.Eval[any](tb, p, "testPad.axis(1, 0)") },
	}
)

// plug plugs the gamepad in if necessary, and returns when the page has seen it at rest.
func (r *ride) plug(tb testing.TB) {
	tb.Helper()
	harness.Eval[any](tb, r.page, "testPad.plug()")
	r.page.Until(tb, "document.querySelector('#drive-pad').textContent.includes('pad of the test')")
}

// ending is a way in which driving ends although the driver has not released the controls.
type ending struct {
	name    string
	hands   hands
	network bool
	// end makes it happen, and returns when it started, and how to undo it.
	end func(testing.TB, *ride) (began time.Time, mend func())
}

// endings are all events on which the robot has to stop by itself.
var endings = []ending{
	{name: "tab closed", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		began := time.Now()
		r.page.Close()
		return began, r.open
	}},
	{name: "tab hidden", end: func(tb testing.TB, r *ride) (time.Time, func()) { return time.Now(), r.page.Cover(tb) }},
	{name: "tab frozen", end: func(tb testing.TB, r *ride) (time.Time, func()) { return time.Now(), r.page.Suspend(tb) }},
	{name: "tab stands still", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		var resume []func()
		pids, began := r.browser.Renderers(tb), time.Now()
		for _, pid := range pids {
			resume = append(resume, harness.Freeze(tb, pid))
		}
		return began, func() {
			for _, f := range resume {
				f()
			}
		}
	}},
	{name: "gamepad unplugged", hands: byPad, end: func(tb testing.TB, r *ride) (time.Time, func()) {
		began := time.Now()
		harness.Eval[any](tb, r.page, "testPad.unplug()")
		return began, func() { r.plug(tb) }
	}},
	{name: "browser killed", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		return r.browser.Kill(tb), func() {
			r.browser = harness.StartBrowser(r.tb)
			r.open()
		}
	}},
	{name: "gateway killed", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		pid, began := r.robot.Gateway(tb), time.Now()
		harness.Crash(tb, pid)
		return began, func() { r.robot.WaitServing(tb) }
	}},
	{name: "NATS killed", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		began := time.Now()
		r.bus.Kill(tb)
		return began, func() { r.bus = harness.StartBus(r.tb, r.busAt) }
	}},
	{name: "lease taken", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		conn, err := bus.Connect(bus.Config{URL: "nats://" + r.busAt, Name: "another"})
		if err != nil {
			tb.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		began := time.Now()
		l, err := lease.Take(ctx, conn.Client(bus.Address{Robot: "e2e", Device: "motors"}), "another", "")
		if err != nil {
			tb.Fatal(err)
		}
		l.Close()
		return began, func() {}
	}},
	{name: "e-stop", end: func(tb testing.TB, r *ride) (time.Time, func()) {
		began := time.Now()
		r.page.Press(tb, "Space")
		r.page.Release(tb, "Space")
		return began, func() {
			r.page.Until(tb, "document.querySelector('#estop').dataset.estop === 'latched'")
			harness.Eval[any](tb, r.page, "waldo.robot.clearEStop()")
		}
	}},
	{name: "network cut", network: true, end: func(tb testing.TB, r *ride) (time.Time, func()) {
		began := time.Now()
		r.network.Cut(tb)
		return began, func() { r.network.Join(tb) }
	}},
}

// atRest is, in the page, that nothing is to move until its driver has released the controls.
const atRest = `['off', 'arming'].includes(waldo.drive.state)
  || waldo.drive.state === 'driving' && Object.values(waldo.drive.values).every((v) => v === 0)`

// outlast is how long an ending lasts: longer than the lease of the driver, 1 s. After a shorter one, such as a radio
// gap, a driver who still holds the key keeps driving, with fresh commands.
const outlast = 1200 * time.Millisecond

// stop ends the drive and returns how long the wire kept moving. After the recovery nothing moves, although the driver
// still holds the controls.
func (r *ride) stop(tb testing.TB, e ending) time.Duration {
	tb.Helper()
	if e.hands.push == nil {
		e.hands = byKey
	} else {
		r.plug(tb)
	}
	r.goFull(tb, e.hands)
	began, mend := e.end(tb, r)
	stopped := r.wire.AwaitStill(tb, began, outlast)
	if stopped.Before(began) {
		tb.Fatalf("the motors stood still %v before the end", began.Sub(stopped))
	}
	mend()
	r.page.Until(tb, "waldo.robot.state === 'live' && ("+atRest+")")
	r.wire.MustStayStill(tb, stopped)
	e.hands.rest(tb, r.page)
	return stopped.Sub(began)
}

// TestStops ends driving in every way, one after another, on the same robot.
func TestStops(t *testing.T) {
	near := startRide(t, nil)
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			r := near
			if e.network {
				r = startRide(t, harness.StartNetwork(t))
			}
			for range 2 {
				t.Logf("stopped after %v", r.stop(t, e))
			}
		})
	}
}
