package e2e

import (
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestFirmwareStopsByItself drives real firmware from Chromium through the whole chain, and kills the process that
// commands the board: only the watchdog of the firmware is left.
func TestFirmwareStopsByItself(t *testing.T) {
	board := harness.StartBoard(t)
	address, web := harness.FreeAddress(t), harness.FreeAddress(t)
	env := []string{"WALDO_NATS=nats://" + address, "XDG_STATE_HOME=" + t.TempDir()}
	file := harness.WriteFile(t, "robot.yaml",
		"robot: e2e\ndevices:\n  "+harness.BoardAt(board.Port)+"\ndrive: "+harness.RoverDrive+"\n")
	harness.StartBus(t, address)
	harness.Start(t, env, harness.Bin(t, "waldo-gateway"), "--robot-file", file, "--http", web, "--ice",
		harness.FreeAddress(t))
	startSerial := func() *harness.Process { // without a launcher, so it does not come back by itself
		return harness.Start(t, env, harness.Bin(t, "waldo-serial"), "--robot-file", file, "--device", "motors", "--grpc",
			"127.0.0.1:0")
	}
	serial := startSerial()
	robot := &harness.Robot{URL: "http://" + web, NATS: "nats://" + address}
	robot.WaitServing(t)
	robot.Device(t, "motors")
	r := &ride{tb: t, robot: robot, url: robot.URL, browser: harness.StartBrowser(t)}
	r.open()

	for range 3 {
		begin(t, r.page)
		hold(t, r.page, "KeyW", "left", "v === 200")
		board.AwaitTurn(t, 200, 200)

		killed := harness.Monotonic(t)
		serial.Kill(t)
		stop := board.AwaitTurn(t, 0, 0)
		t.Logf("the firmware stopped the motors %v after the kill", stop.At-killed)
		before := len(board.Turns())

		serial = startSerial()
		r.page.Until(t, "['off', 'arming'].includes(waldo.drive.state) && waldo.robot.devices[0].state === 'ready'")
		awaitReading(t, r.page, "flags", "v === 1") // it reports again, and that its watchdog holds the motors
		if turns := board.Turns(); slices.ContainsFunc(turns[before:],
			func(t harness.Turn) bool { return t.Left != 0 || t.Right != 0 }) {
			t.Fatalf("after the stop, the motors received %v", turns[before:])
		}
		r.page.Release(t, "KeyW")
	}
}

// awaitReading waits until the page shows the wanted reading of the motors; wanted is a JavaScript expression of v.
func awaitReading(tb testing.TB, page *harness.Page, key, wanted string) {
	tb.Helper()
	page.Until(tb, "((v) => "+wanted+")(Number(document.querySelector('[data-device=motors][data-key=' + $1 + "+
		"']')?.textContent))", key)
}

// shownReading is what the page shows of the motors.
func shownReading(tb testing.TB, page *harness.Page, key string) float64 {
	tb.Helper()
	return harness.Eval[float64](tb, page, "Number(document.querySelector('[data-device=motors][data-key=' + $1 + "+
		"']')?.textContent ?? 0)", key)
}
