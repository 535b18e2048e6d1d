package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/lease"
)

const (
	frontCard = "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}"
	// seeFront makes the driver see the camera, with more patience than usual: both cores may be busy. The launcher
	// replaces a camera that stands still after 5 s.
	seeFront = `{device: motors, see: front, blind: {slow: 1s, stop: 1500ms}, ` +
		`keys: {left: {forward: 200, turn: 60}, right: {forward: 200, turn: -60}}}`
)

// TestBlindDriverOfThePage drives in Chromium, and has the picture get old: the motors stop, on the wire, the page says
// why, and the drive goes on when the picture is back.
func TestBlindDriverOfThePage(t *testing.T) {
	r := startSeeing(t)
	front, motors := r.robot.Device(t, "front"), r.robot.Device(t, "motors")
	r.page.Tile(t, "front").WaitFrames(t, 30)
	r.goFull(t, byKey)

	for range 2 {
		harness.Eval[any](t, r.page, recordSaid)
		began := time.Now()
		resume := harness.Freeze(t, front.PID)
		stopped := r.wire.AwaitStill(t, began, quiet)
		r.page.Until(t, `said.some(({ sight, text }) => sight === 'blind'
		  && /^The picture of front is [\d.]+ s old: standing still/.test(text))`)
		r.page.Until(t, "said.some(({ motors, cause }) => motors === 'stopped' && cause === 'BLIND')")
		t.Logf("stopped %v after the camera did", stopped.Sub(began).Round(time.Millisecond))
		resumed := time.Now()
		resume()
		r.goOn(t, resumed)
		r.page.Until(t, "document.querySelector('#drive').dataset.sight === 'clear' && "+
			"document.querySelector('#drive-picture').textContent === ''")
	}
	if n := harness.Metric(t, motors.MetricsAddress, "waldo_control_stops_total", `"blind"`); n < 2 {
		t.Errorf("the motors were stopped %v times because the driver was blind", n)
	}
	if r.wire.Broken() > 0 {
		t.Errorf("%d bytes on the wire belong to no command", r.wire.Broken())
	}
}

// recordSaid records in the page all that the drive panel says from now on.
const recordSaid = `(() => {
  window.said = [];
  const panel = document.querySelector('#drive');
  new MutationObserver(() => said.push({
    sight: panel.dataset.sight, motors: panel.dataset.motors, cause: waldo.drive.control.state?.cause,
    text: document.querySelector('#drive-picture').textContent,
  })).observe(panel, { attributes: true, childList: true, characterData: true, subtree: true });
})()`

// goOn waits until the drive goes on at full speed after a moment, by itself. Only a page that was frozen for a second,
// as happens on a busy machine, has to begin again.
func (r *ride) goOn(t *testing.T, since time.Time) {
	t.Helper()
	harness.Until(t, "full speed again", func() error {
		end := harness.Eval[string](t, r.page, "waldo.drive.state === 'off' ? waldo.drive.reason : ''")
		if end == "frozen" {
			byKey.rest(t, r.page)
			begin(t, r.page)
		} else if end != "" {
			t.Fatalf("the drive has ended: %s", end)
		}
		byKey.push(t, r.page) // a page that was frozen for a moment releases all keys
		if m := r.wire.Motions(since); len(m) == 0 || !full(m[len(m)-1]) {
			return fmt.Errorf("%v", m)
		}
		return nil
	})
}

// TestPictureOffTheScreen: a picture that is not on the screen is not seen.
func TestPictureOffTheScreen(t *testing.T) {
	r := startSeeing(t)
	r.page.Tile(t, "front").WaitFrames(t, 30)
	r.goFull(t, byKey)
	harness.Eval[any](t, r.page, "document.querySelector('#cameras').style.marginTop = '-5000px'")
	r.wire.AwaitStill(t, time.Now(), quiet)
	r.page.Until(t, "document.querySelector('#drive').dataset.sight === 'blind'")
	began := time.Now()
	harness.Eval[any](t, r.page, "document.querySelector('#cameras').style.marginTop = ''")
	r.goOn(t, began)
}

// seer is a Go program elsewhere that drives by what it sees.
type seer struct {
	mu       sync.Mutex
	verdicts []controlv1.CommandVerdict
}

// note notes what became of a command.
func (s *seer) note(report *controlv1.CommandReport, err error) {
	if err != nil {
		report = lease.Report(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts = append(s.verdicts, report.GetVerdict())
}

// last is the last verdict.
func (s *seer) last() controlv1.CommandVerdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.verdicts) == 0 {
		return controlv1.CommandVerdict_COMMAND_VERDICT_UNSPECIFIED
	}
	return s.verdicts[len(s.verdicts)-1]
}

// TestBlindGoPeer: the same for a Go program elsewhere.
func TestBlindGoPeer(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: frontCard + "\n" + wire.Device(), Drive: seeFront})
	front := robot.Device(t, "front")
	robot.Device(t, "motors")
	p := startGoPeer(t, robot)
	l, err := lease.Acquire(p.ctx, p.Device("motors"), "e2e")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Camera() != "front" {
		t.Fatalf("the driver must see %q: %v", l.Camera(), l.Sight())
	}
	var s seer
	ended := make(chan struct{})
	var driving sync.WaitGroup
	driving.Go(func() {
		for frame, err := range p.Camera(l.Camera()).Frames(p.ctx, 8) {
			select {
			case <-ended:
				return
			default:
			}
			if err == nil {
				l.Saw(frame.GetCaptureTime())
			}
		}
	})
	driving.Go(func() { p.push(t, l, &s, ended) })
	defer driving.Wait()
	defer close(ended)

	fast := func(m harness.Motion) bool { return m.Left == 100 && m.Right == 90 }
	wire.AwaitMotion(t, time.Now(), "full speed", fast)
	began := time.Now()
	resume := harness.Freeze(t, front.PID)
	stopped := wire.AwaitStill(t, began, quiet)
	harness.Until(t, "commands are refused", func() error {
		if v := s.last(); v != controlv1.CommandVerdict_COMMAND_VERDICT_BLIND {
			return errors.New(v.String())
		}
		return nil
	})
	if sight := l.Sight(); sight.GetSpeed() != 0 {
		t.Errorf("it stands still, and may move: %v", sight)
	}
	t.Logf("stopped %v after the camera did", stopped.Sub(began).Round(time.Millisecond))
	resumed := time.Now()
	resume()
	wire.AwaitMotion(t, resumed, "full speed again", fast)
}

// push sends commands under a lease until the end.
func (p *goPeer) push(t *testing.T, l *lease.Lease, s *seer, ended <-chan struct{}) {
	motors := serialv1.NewSerialServiceClient(p.Device("motors"))
	tick := time.NewTicker(33 * time.Millisecond)
	defer tick.Stop()
	for command := l.Neutral(); ; {
		header, err := l.Header(p.ctx)
		if errors.Is(err, lease.ErrLost) {
			t.Errorf("the lease was lost: %v", err)
			return
		}
		if err == nil {
			r, err := motors.WriteMessage(p.ctx, &serialv1.WriteMessageRequest{
				Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
			l.Heard(r.GetReport(), err)
			s.note(r.GetReport(), err)
			if err == nil {
				command = `{"left": 100, "right": 90}`
			}
		}
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

// TestBlindPython: the same for a program in Python.
func TestBlindPython(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: frontCard + "\n" + wire.Device(), Drive: seeFront})
	front := robot.Device(t, "front")
	robot.Device(t, "motors")
	program := harness.Start(t, []string{"WALDO_NATS=" + robot.NATS}, python(t), "testdata/blind.py")
	fast := func(m harness.Motion) bool { return m.Left == 100 && m.Right == 90 }
	wire.AwaitMotion(t, time.Now(), "full speed", fast)
	began := time.Now()
	resume := harness.Freeze(t, front.PID)
	stopped := wire.AwaitStill(t, began, quiet)
	harness.Until(t, "commands are refused", func() error {
		if !strings.Contains(program.Output(), "BLIND") {
			return errors.New(program.Output())
		}
		return nil
	})
	t.Logf("stopped %v after the camera did", stopped.Sub(began).Round(time.Millisecond))
	resumed := time.Now()
	resume()
	wire.AwaitMotion(t, resumed, "full speed again", fast)
	program.Stop(t)
	wire.AwaitStill(t, time.Now(), quiet)
}

// startSeeing starts a robot whose driver must see the camera, and a page that drives it.
func startSeeing(tb testing.TB) *ride {
	tb.Helper()
	r := &ride{tb: tb, wire: harness.StartWire(tb)}
	r.robot = harness.StartRobot(tb, harness.Options{Devices: frontCard + "\n" + r.wire.Device(), Drive: seeFront})
	r.url = r.robot.URL
	r.robot.Device(tb, "motors")
	r.browser = harness.StartBrowser(tb)
	r.open()
	return r
}

// knowsAll drives for 200 pictures and checks that the motors know each that the page says was seen.
func (r *ride) knowsAll(t *testing.T) {
	t.Helper()
	tile := r.page.Tile(t, "front")
	tile.WaitFrames(t, 30)
	r.goFull(t, byKey)
	motors := r.robot.Device(t, "motors")
	count := func(name string) float64 { return r.robot.Metric(t, motors, "waldo_control_"+name, "") }
	unseen, judged := count("unseen_total"), count("sight_age_seconds_count")
	for range 20 {
		tile.WaitFrames(t, 10)
		r.page.Press(t, "KeyW") // a page that was frozen for a moment releases all keys
	}
	unseen, judged = count("unseen_total")-unseen, count("sight_age_seconds_count")-judged
	if judged < 50 || unseen > 0 {
		t.Errorf("of %.0f commands %.0f named a picture that the motors do not know", judged+unseen, unseen)
	}
	sum := count("sight_age_seconds_sum") / count("sight_age_seconds_count")
	t.Logf("%.0f commands; pictures were %.0f ms old on average", judged, 1000*sum)
}

// TestPicturesShownAreKnown: what the page says that was seen is a picture that the camera has announced.
func TestPicturesShownAreKnown(t *testing.T) { startSeeing(t).knowsAll(t) }

// TestPicturesShownWithoutNetwork: likewise where pictures come by a WebSocket.
func TestPicturesShownWithoutNetwork(t *testing.T) {
	if !harness.Alone(t) {
		return
	}
	r := startSeeing(t)
	r.page.Until(t, "document.querySelector('#way').textContent.includes('no network interface')")
	r.knowsAll(t)
}
