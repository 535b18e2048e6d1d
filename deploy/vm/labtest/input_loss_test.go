package labtest

import (
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/deploy/vm/padsim"
)

// The fastest pads report 1,000 times a second. A machine that is too slow for that may lose reports, but never
// silently, and there is a rate at which it loses none.
func TestManyReports(t *testing.T) {
	requireLab(t)
	pad, _ := plugPad(t, padsim.Xbox())
	p := startInput(t, firstAddress)
	p.awaitReady()
	const lowest = 30 // reports a second
	for rate := 1000; ; rate /= 2 {
		losses, reached := flood(t, pad, p.read(), rate)
		if losses == 0 {
			t.Logf("no loss in %v at %.0f reports a second, of %d wanted", floodTime, reached, rate)
			return
		}
		t.Logf("%d losses in %v at %.0f reports a second, all announced: this machine is too slow for that", losses,
			floodTime, reached)
		if rate < lowest {
			t.Fatal("reports were lost at every rate")
		}
	}
}

const floodTime = 4 * time.Second

// flood makes the pad report a new position at a fixed rate, and reads along. It returns how often the service
// announced a loss, and the rate it reached. A silent loss fails the test.
func flood(t *testing.T, pad *padsim.Device, r *reports, rate int) (losses int, reached float64) {
	t.Helper()
	count := int32(floodTime.Seconds() * float64(rate))
	var took time.Duration
	var sendErr error
	var sending sync.WaitGroup
	sending.Go(func() { took, sendErr = sendPositions(pad, count, time.Second/time.Duration(rate)) })
	t.Cleanup(sending.Wait)
	last, resynced := int32(0), false
	for last < count {
		report, err := r.receive()
		if status.Code(err) == codes.ResourceExhausted { // the test itself reads too slowly, and is told
			losses++
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		x := find(report.GetEvents(), "ABS_X").GetValue()
		switch {
		case report.GetResync():
			losses++
		case find(report.GetEvents(), "ABS_Y").GetValue() != -x || len(report.GetEvents()) != 2:
			t.Fatalf("position %d is torn: %v", x, report)
		case x != last+1 && (!resynced || x > last+1): // reports that waited during the resync may repeat
			t.Fatalf("position %d came after %d, without an announced loss", x, last)
		}
		if resynced = report.GetResync(); r.axes["ABS_X"] != last {
			last = r.axes["ABS_X"]
		}
	}
	if sending.Wait(); sendErr != nil {
		t.Fatal(sendErr)
	}
	return losses, float64(count) / took.Seconds()
}

// sendPositions reports the positions from 1 to count, one every period, and returns how long that took. It does not
// catch up after a delay: bursts are not under test.
func sendPositions(pad *padsim.Device, count int32, period time.Duration) (took time.Duration, err error) {
	start := time.Now()
	due := start
	for i := range count {
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		} else if -wait > 20*period {
			due = time.Now()
		}
		due = due.Add(period)
		if err := pad.Report(padsim.Position(padsim.AbsX, i+1), padsim.Position(padsim.AbsY, -i-1)); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// While the process cannot run, more happens than the kernel buffers. Afterwards the process learns the whole state,
// including that a button was released meanwhile.
func TestLostReportsAreMadeGood(t *testing.T) {
	requireLab(t)
	pad, _ := plugPad(t, padsim.Xbox())
	p := startInput(t, firstAddress)
	p.awaitReady()
	r := p.read()
	for round := range int32(3) {
		report(t, pad, padsim.Press(padsim.BtnSouth), padsim.Position(padsim.AbsX, -100-round))
		r.until("BTN_SOUTH", 1)

		thaw := p.freeze()
		report(t, pad, padsim.Release(padsim.BtnSouth), padsim.Position(padsim.AbsZ, 77+round))
		for i := range int32(500) {
			report(t, pad, padsim.Position(padsim.AbsY, i+round), padsim.Position(padsim.AbsRX, -i))
		}
		report(t, pad, padsim.Press(padsim.BtnEast), padsim.Position(padsim.AbsX, 12345+round))
		thaw()
		var resync *inputv1.Report
		for resync = r.next(); !resync.GetResync(); resync = r.next() {
			checkOneOf(t, resync, "BTN_SOUTH", "ABS_RX") // reports from before the loss arrive unchanged
		}
		if r.keys["BTN_SOUTH"] || !r.keys["BTN_EAST"] || r.axes["ABS_X"] != 12345+round || r.axes["ABS_Z"] != 77+round {
			t.Errorf("after the loss the state is %v %v", r.keys, r.axes)
		}
		report(t, pad, padsim.Release(padsim.BtnEast))
		if older := r.countOlder("ABS_Y", 499+round); older != 0 {
			t.Errorf("%d older positions came after it", older)
		}
		r.checkState(p)
	}
}

// countOlder reads up to the report that releases BTN_EAST, and counts earlier reports with an outdated axis position.
func (r *reports) countOlder(axis string, now int32) (older int) {
	r.t.Helper()
	for {
		report := r.next()
		if e := find(report.GetEvents(), "BTN_EAST"); e != nil && e.GetValue() == 0 {
			return older
		}
		if e := find(report.GetEvents(), axis); e != nil && e.GetValue() != now {
			older++
		}
	}
}

// checkOneOf checks that a report has an event of one of the names.
func checkOneOf(t *testing.T, report *inputv1.Report, names ...string) {
	t.Helper()
	for _, name := range names {
		if find(report.GetEvents(), name) != nil {
			return
		}
	}
	t.Errorf("report %v has none of %q", report, names)
}
