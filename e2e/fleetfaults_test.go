package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// cutting is a way to a server that can be cut: then its connections end, and new ones are refused.
type cutting struct {
	address, to string

	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
	work     sync.WaitGroup
}

func startCutting(tb testing.TB, to string) *cutting {
	tb.Helper()
	r := &cutting{address: harness.FreeAddress(tb), to: to}
	r.join(tb)
	tb.Cleanup(r.cut)
	return r
}

// join accepts connections.
func (r *cutting) join(tb testing.TB) {
	tb.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		tb.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener = l
	r.work.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			r.work.Go(func() { r.carry(in) })
		}
	})
}

// carry connects one who has come.
func (r *cutting) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer out.Close()
	r.mu.Lock()
	r.open = append(r.open, in, out)
	r.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
	_, _ = io.Copy(out, in) // until either end closes
	_ = out.Close()
	back.Wait()
}

// cut ends all connections and returns when they have ended.
func (r *cutting) cut() {
	r.mu.Lock()
	_ = r.listener.Close()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
	r.mu.Unlock()
	r.work.Wait()
}

// fleetEnding ends a drive over a hub. It returns when it began, and how to undo it: what runs again then belongs to
// the ride, which outlives the part of the test.
type fleetEnding struct {
	name string
	end  func(testing.TB, *ride, *harness.Hub, *cutting) (began time.Time, mend func())
}

var fleetEndings = []fleetEnding{
	{"hub killed", func(tb testing.TB, r *ride, h *harness.Hub, _ *cutting) (time.Time, func()) {
		began := time.Now()
		h.Kill(tb)
		return began, func() { h.Restart(r.tb) }
	}},
	{"hub stands still", func(tb testing.TB, r *ride, h *harness.Hub, _ *cutting) (time.Time, func()) {
		began := time.Now()
		return began, harness.Freeze(tb, h.PID())
	}},
	{"gateway killed", func(tb testing.TB, r *ride, h *harness.Hub, _ *cutting) (time.Time, func()) {
		began := time.Now()
		h.Gateway.Kill(tb)
		return began, func() { h.RestartGateway(r.tb) }
	}},
	{"gateway stands still", func(tb testing.TB, r *ride, h *harness.Hub, _ *cutting) (time.Time, func()) {
		began := time.Now()
		return began, harness.Freeze(tb, h.Gateway.PID())
	}},
	{"leaf cut", func(_ testing.TB, r *ride, _ *harness.Hub, leaf *cutting) (time.Time, func()) {
		began := time.Now()
		leaf.cut()
		return began, func() { leaf.join(r.tb) }
	}},
	{"uplink killed", func(tb testing.TB, r *ride, _ *harness.Hub, _ *cutting) (time.Time, func()) {
		began := time.Now()
		for _, pid := range harness.Children(tb, r.robot.PID(), "waldo-uplink") {
			harness.Crash(tb, pid)
		}
		return began, func() {}
	}},
}

// TestFleetFaults drives a robot in Chromium through a nats-server that runs what `waldo hub` prints for it, and has
// one part after another fail: the robot stands still, stays so, and can be driven again without anybody's help.
func TestFleetFaults(t *testing.T) {
	hub := harness.StartNATSHub(t, "rover")
	leaf := startCutting(t, hub.Leaf())
	r := &ride{tb: t, wire: harness.StartWire(t), url: hub.URL + "/r/rover/"}
	r.robot = harness.StartRobot(t, harness.Options{Name: "rover", Drive: harness.RoverDrive,
		Fleet:   strings.Replace(hub.Fleet("rover"), hub.Leaf(), leaf.address, 1),
		Devices: strings.Join([]string{r.wire.Device(), uplink}, "\n")})
	r.browser = harness.StartBrowser(t)
	harness.Until(t, "the robot is at the hub", func() error {
		code, text, err := ask(r.url + "devices")
		if err == nil && (code != 200 || !strings.Contains(text, "motors")) {
			err = fmt.Errorf("%d: %s", code, text)
		}
		return err
	})
	r.open()
	t.Run("another driver", func(t *testing.T) {
		r.refuseAnother(t, hub)
		r.goFull(t, byKey)
		byKey.rest(t, r.page)
	})
	for _, e := range fleetEndings {
		t.Run(e.name, func(t *testing.T) {
			r.goFull(t, byKey)
			began, mend := e.end(t, r, hub, leaf)
			if e.name == "uplink killed" { // it carries no commands
				r.goFull(t, byKey)
				byKey.rest(t, r.page)
				return
			}
			stopped := r.wire.AwaitStill(t, began, outlast)
			t.Logf("stopped after %v", stopped.Sub(began).Round(time.Millisecond))
			mend()
			r.page.Until(t, "waldo.robot.state === 'live' && ("+atRest+")")
			r.wire.MustStayStill(t, stopped)
			byKey.rest(t, r.page)
		})
	}
	r.goFull(t, byKey)
	byKey.rest(t, r.page)
}

// refuseAnother tries to drive beside the page, with all that a gateway may do.
func (r *ride) refuseAnother(t *testing.T, hub *harness.Hub) {
	t.Helper()
	url, file := hub.Bus()
	seed, err := keys.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(bus.Config{URL: url, Name: "another", Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	harness.Until(t, "another driver is refused", func() error {
		r.goFull(t, byKey)
		ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
		defer cancel()
		l, err := lease.Acquire(ctx, conn.Client(bus.Address{Robot: "rover", Device: "motors"}), "another")
		switch {
		case err == nil:
			l.Close()
			return errors.New("it may drive: the page's lease has ended, or two may drive at once")
		case status.Code(err) != codes.FailedPrecondition:
			return err
		}
		return nil
	})
}
