package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/e2e/harness/internet"
)

// roamer is a Go program on the move that watches and drives: the program roamer.
type roamer struct {
	*harness.Process
	t    *testing.T
	wire *harness.Wire
}

// startRoamer runs the program on a host, and waits until it sees the robot. Cert is the authority of the rendezvous
// server; empty: there is none.
func startRoamer(t *testing.T, h *internet.Host, wire *harness.Wire, url, cert string) *roamer {
	t.Helper()
	program, args := h.Command(harness.Build(t, "e2e", "./roamer"), url)
	env := []string{"XDG_CONFIG_HOME=" + t.TempDir()}
	if cert != "" {
		env = append(env, "SSL_CERT_FILE="+cert)
	}
	r := &roamer{harness.Start(t, env, program, args...), t, wire}
	r.awaitFrames(0)
	return r
}

// lines are those that the program has printed since there were n, and have a prefix.
func (r *roamer) lines(n int, prefix string) (found []string) {
	all := strings.Split(r.Output(), "\n")
	for _, line := range all[min(n, len(all)-1) : len(all)-1] { // the last one is not complete
		if strings.HasPrefix(line, prefix) {
			found = append(found, line)
		}
	}
	return found
}

// now is how many lines there are.
func (r *roamer) now() int { return strings.Count(r.Output(), "\n") }

// awaitFrames waits for some 30 frames more than there were after n lines.
func (r *roamer) awaitFrames(n int) {
	r.t.Helper()
	harness.Until(r.t, "30 more frames", func() error {
		if got := len(r.lines(n, "frame ")); got < 4 {
			return fmt.Errorf("%d; the state is %q", 10*got, r.states(n))
		}
		return nil
	})
}

// states are those of the connection since there were n lines.
func (r *roamer) states(n int) (states []string) {
	for _, line := range r.lines(n, "state ") {
		state, _, _ := strings.Cut(strings.TrimPrefix(line, "state "), ":")
		states = append(states, state)
	}
	return states
}

// drive has the program drive with a new lease.
func (r *roamer) drive() {
	r.t.Helper()
	begin := time.Now()
	if err := syscall.Kill(r.PID(), syscall.SIGUSR1); err != nil {
		r.t.Fatal(err)
	}
	r.wire.AwaitMotion(r.t, begin, "the motors turn",
		func(m harness.Motion) bool { return m.Left == 120 && m.Right == 120 })
}

// survive drives through a change of the path. A long one outlasts the lease, so that the program is told and the robot
// stays where it is until it is driven again.
func (r *roamer) survive(lose func() time.Time, find func(), long bool) {
	r.t.Helper()
	r.drive()
	before := r.now()
	lost := lose()
	stopped := r.wire.AwaitMotion(r.t, lost, "the motors stop", func(m harness.Motion) bool { return !m.Moves() }).At
	if long {
		r.wire.AwaitStill(r.t, lost, outlast)
		harness.Until(r.t, "the program knows", func() error {
			if states := r.states(before); !slices.Contains(states, "stale") {
				return fmt.Errorf("%q", states)
			}
			return nil
		})
	}
	back := r.now()
	find()
	r.awaitFrames(back)
	harness.Until(r.t, "the program knows", func() error {
		if states := r.states(before); len(states) > 0 && states[len(states)-1] != "live" {
			return fmt.Errorf("%q", states)
		}
		return nil
	})
	if long {
		harness.Until(r.t, "the program knows that its lease is lost", func() error {
			if len(r.lines(before, "driving ended: ")) == 0 {
				return errors.New("it does not")
			}
			return nil
		})
		r.wire.MustStayStill(r.t, stopped)
	}
	r.drive()
	if states := r.states(before); slices.Contains(states, "lost") { // before every other connection
		r.t.Errorf("the connection is another one: %q", states)
	}
}

// TestGoPeerOnTheMove: a Go program watches and drives while the path changes, on one connection.
func TestGoPeerOnTheMove(t *testing.T) {
	n := internet.Start(t, internet.Config{Delay: 20 * time.Millisecond})
	t.Run("robot with an address", func(t *testing.T) {
		wire, host, viewer := harness.StartWire(t), n.Host(t), n.Host(t)
		home, phone := n.Router(t, internet.PortRestricted), n.Router(t, internet.Symmetric)
		host.JoinBackbone(t, n)
		viewer.Join(t, home)
		robot := harness.StartRobot(t, harness.Options{Host: host,
			Devices: "front: {kind: camera, source: test, width: 640, height: 480, fps: 30}\n" + wire.Device()})
		robot.Device(t, "motors")
		r := startRoamer(t, viewer, wire, robot.URL+"/?token="+harness.Token, "")
		leave := func() time.Time {
			lost := time.Now()
			viewer.Leave(t)
			return lost
		}
		r.survive(leave, func() { viewer.Join(t, phone) }, true)
		r.survive(func() time.Time { return phone.Rebind(t) }, func() {}, false)
		r.survive(func() time.Time { return phone.RebindUDP(t) }, func() {}, false)
		r.survive(leave, func() { viewer.Join(t, home) }, true)
	})
	t.Run("by way of the relay", func(t *testing.T) {
		rendezvous, viewer := harness.StartRendezvous(t, n), n.Host(t)
		a := startAway(t, n, rendezvous, internet.Symmetric, "")
		a.robot.Device(t, "motors")
		router := connect(t, n, viewer, internet.Symmetric) // between two of these nothing but the relay works
		r := startRoamer(t, viewer, a.wire, a.link, rendezvous.Cert())
		r.survive(func() time.Time { return router.RebindUDP(t) }, func() {}, false)
		r.survive(func() time.Time { return router.Rebind(t) }, func() {}, false)
	})
}
