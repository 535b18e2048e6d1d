package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const (
	// lookEvery is how often a link is looked at without a cause.
	lookEvery = 100 * time.Millisecond
	// connectTimeout is how long a new connection may take; the gateway waits for 15 s.
	connectTimeout = 10 * time.Second
	// restartTimeout is how long the search for a new path may take before a new connection is made.
	// A new connection takes as many round trips, so it helps only where the search can have no success.
	restartTimeout = 6 * time.Second
	// patience is how long a connection without a session is kept; the gateway keeps it for as long.
	patience = 8 * time.Second
	// forgiveEvery is how often refused streams are asked for again.
	forgiveEvery = 5 * time.Second
)

// link is a connection, with the sessions by which it is negotiated. Without a rendezvous server, that is a WebSocket,
// which also carries the calls; with one, a data channel of the connection itself, and a WebSocket while there is no
// connection yet or its path is gone. A lost session does not end the connection: the next one goes on with it.
//
// It belongs to one goroutine.
type link struct {
	robot *Robot
	conn  *connection
	by    *negotiator // who makes offers; nil while nobody can
	main  *wire       // the session: calls, devices; nil while there is none
	path  *wire       // the WebSocket to a rendezvous server; nil without one, or while it is not needed

	began     time.Time
	lived     bool      // it was live once
	trouble   time.Time // since when it has not been live; zero while it is
	why       string    // what the trouble is
	restarted time.Time // when the search for a new path began; zero if none is under way
	forgiven  time.Time
	hurried   time.Time // when what may be our own of before was last asked for
	pinged    time.Time
	told      time.Time // when the gateway was last told what this program got
	deaf      time.Time // when the last packet came that made us look for another path

	renewing bool // the path goes by a relay and ends with its old credentials: another one is needed

	dialing bool
	retryAt time.Time
	dialed  chan dialResult
	next    *greeted // a session for the next link
}

type dialResult struct {
	*greeted
	err error
}

// negotiator is who makes offers: a session, and what is special about it.
type negotiator struct {
	wire   *wire
	trust  *trust // secures a session through a rendezvous server
	bare   bool   // its offers say nothing about tracks
	adopts bool   // it goes on with a connection of another session
}

// offer sends an offer. If that fails, the session is lost, and the next one repeats it.
func (n *negotiator) offer(m *signalingv1.Offer) error {
	if n.trust != nil {
		proof, err := n.trust.prove(m.GetSdp())
		if err != nil {
			return err
		}
		m.Proof = proof
	}
	if err := n.wire.send(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{Offer: m}}); err != nil {
		n.wire.lose(fmt.Errorf("the gateway cannot be reached: %w", err))
	}
	return nil
}

// applied tells that the answer to an offer is in effect.
func (n *negotiator) applied(offer int32) error {
	return n.wire.send(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Applied{
		Applied: &signalingv1.Applied{Id: offer}}})
}

// follow makes a connection in a session and serves it until it is lost. It returns whether it was live, why it ended,
// and the session for the next one, if there is one already.
func (r *Robot) follow(ctx context.Context, g *greeted) (lived bool, next *greeted, err error) {
	conn, err := r.newConnection(g.welcome)
	if err != nil {
		g.wire.close()
		return false, nil, err
	}
	l := &link{robot: r, conn: conn, began: time.Now(), dialed: make(chan dialResult, 1)}
	l.forgiven = l.began.Add(hearing - forgiveEvery)
	ctx, cancel := context.WithCancel(ctx)
	defer l.close()
	defer cancel()
	r.connect(conn)
	l.adopt(g)
	if g.trust != nil {
		l.openSession()
	}
	err = l.serve(ctx)
	return l.lived, l.next, err
}

// close ends everything but the session for the next link.
func (l *link) close() {
	if l.dialing {
		if d := <-l.dialed; d.err == nil {
			d.wire.close()
		}
	}
	l.robot.disconnect()
	for _, w := range []*wire{l.main, l.path} {
		if w != nil {
			w.lose(errGone)
		}
	}
	l.conn.close()
	for _, w := range []*wire{l.main, l.path} {
		if w != nil {
			w.close()
		}
	}
	l.robot.calls.lose(l.conn, errLost)
}

// adopt uses a new session.
func (l *link) adopt(g *greeted) {
	l.by = &negotiator{wire: g.wire, trust: g.trust, bare: g.trust != nil, adopts: l.conn.answered}
	l.conn.interrupt()
	if g.trust != nil {
		l.path = g.wire
		return
	}
	l.main = g.wire
	l.robot.greeted(g.welcome, g.wire)
}

// serve handles what happens until the connection is lost.
func (l *link) serve(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := l.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-inbox(l.main):
			if err := l.receive(l.main, m); err != nil {
				return err
			}
		case m := <-inbox(l.path):
			if err := l.receive(l.path, m); err != nil {
				return err
			}
		case <-gone(l.main):
			l.lost(l.main.why)
		case <-gone(l.path):
			l.leave()
		case d := <-l.dialed:
			if err := l.arrived(d); err != nil {
				return err
			}
		case <-l.conn.changed:
		case <-l.robot.stirred:
		case <-tick.C:
		}
	}
}

func inbox(w *wire) <-chan *signalingv1.GatewayMessage {
	if w == nil {
		return nil
	}
	return w.inbox
}

func gone(w *wire) <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.gone
}

// lost gives up the session.
func (l *link) lost(why error) {
	l.main.close()
	if l.by != nil && l.by.wire == l.main {
		l.by = nil
	}
	l.main = nil
	l.restarted = time.Time{} // without a session no path can be found
	l.robot.silenced()
	l.why = why.Error()
}

// leave gives up the WebSocket to the rendezvous server.
func (l *link) leave() {
	l.path.close()
	if l.by != nil && l.by.wire == l.path {
		l.by, l.restarted = nil, time.Time{}
	}
	l.path = nil
}

// receive handles a message.
func (l *link) receive(from *wire, m *signalingv1.GatewayMessage) error {
	wants := l.robot.wants()
	switch body := m.GetBody().(type) {
	case *signalingv1.GatewayMessage_Welcome:
		if from == l.main { // the channel's; a WebSocket's was read before
			l.robot.greeted(body.Welcome, from)
			l.use(body.Welcome.GetIceServers())
			l.by = &negotiator{wire: from}
		}
	case *signalingv1.GatewayMessage_Devices:
		if from == l.main { // a rendezvous server has none to tell of
			l.forgive(l.robot.list(body.Devices))
		}
	case *signalingv1.GatewayMessage_Path:
		if from == l.main {
			l.robot.notePath(body.Path, from)
		}
	case *signalingv1.GatewayMessage_Candidate:
		l.conn.candidate(body.Candidate)
	case *signalingv1.GatewayMessage_IceServers:
		l.use(body.IceServers.GetIceServers())
		l.renewing = l.conn.relayed() && len(body.IceServers.GetIceServers()) > 0
	case *signalingv1.GatewayMessage_Answer:
		if l.by == nil || l.by.wire != from {
			return nil
		}
		if err := l.conn.accept(l.by, wants, body.Answer); err != nil {
			return err
		}
		if l.by.trust != nil {
			l.robot.trusted(l.by.trust)
		}
		l.by.adopts = false
		if l.by.trust != nil && l.conn.restart { // a session by way of the server takes one offer: another one is opened
			l.leave()
		}
	case *signalingv1.GatewayMessage_Error:
		if l.by != nil && l.by.wire == from {
			return l.conn.decline(l.by, wants, body.Error)
		}
	}
	return nil
}

// use sets the ICE servers for the next search for a path.
func (l *link) use(servers []*signalingv1.IceServer) {
	c := l.conn.pc.GetConfiguration()
	c.ICEServers = iceServers(servers)
	if err := l.conn.pc.SetConfiguration(c); err != nil {
		l.robot.log.Warn("the ICE servers cannot be used", "error", err)
	}
}

// forgive lets what devices refused be asked for again: they have changed.
func (l *link) forgive(devices []string) {
	for _, d := range devices {
		l.conn.forgive(func(w *want) bool { return w.device == d })
	}
	if len(devices) > 0 {
		l.robot.channels.hurry()
	}
}

// look keeps the connection as it should be, and judges it.
func (l *link) look(ctx context.Context) error {
	now := time.Now()
	if now.Sub(l.forgiven) >= forgiveEvery {
		l.forgiven = now
		l.conn.forgive(func(*want) bool { return true })
	}
	if now.Sub(l.hurried) >= staleEvery {
		l.hurried = now
		l.conn.forgive(func(w *want) bool { return w.claim != nil && w.claim.isContested() })
	}
	l.ping(now)
	l.tellShown(now)
	l.judge(now)
	if err := l.repair(ctx, now); err != nil {
		return err
	}
	l.robot.channels.open(l.conn, now) // the first one is part of the first offer
	if l.by != nil {
		if err := l.conn.negotiate(l.by, l.robot.wants()); err != nil {
			return err
		}
	}
	l.conn.sendFound(l.by)
	return nil
}

// ping asks for signs of life, and gives up a WebSocket without.
func (l *link) ping(now time.Time) {
	if l.main == nil || now.Sub(l.pinged) < pingEvery {
		return
	}
	l.pinged = now
	l.listen(now)
	direct := l.conn.session == nil
	if direct && l.main.silent() >= silence {
		l.main.lose(errors.New("the gateway is silent"))
		return
	}
	if err := l.main.ping(); err != nil && direct {
		l.main.lose(fmt.Errorf("the gateway cannot be reached: %w", err))
	}
}

// listen looks for another path when no packets come any more, once for each time. A router that has forgotten where we
// are answers our checks of the path as before: what the gateway sends goes to where we were.
func (l *link) listen(now time.Time) {
	last := l.conn.heard()
	if l.conn.session != nil || l.by == nil { // the session itself comes by the path, or there is none
		return
	}
	if last.IsZero() || !l.conn.receives() || now.Sub(last) < silence || last.Equal(l.deaf) {
		return
	}
	l.deaf, l.conn.restart = last, true
}

// judge finds out whether the connection is live.
func (l *link) judge(now time.Time) {
	answers := l.main != nil && l.robot.isGreeted() && l.main.silent() < silence
	connected := l.conn.connected()
	switch {
	case answers && connected:
		l.trouble, l.lived = time.Time{}, true
		if !l.by.busy(l.conn) && !l.conn.restart {
			l.settled()
		}
		if l.by == nil {
			l.by = &negotiator{wire: l.main}
		}
		l.robot.become(Live, "")
		return
	case l.trouble.IsZero():
		l.trouble = now
	}
	switch {
	case !l.lived:
	case !connected:
		l.robot.become(Stale, "no packets get through")
	case l.main == nil:
		l.robot.become(Stale, l.why)
	default:
		l.robot.become(Stale, "the gateway is silent")
	}
}

// settled forgets the search for a path, and what was needed for it.
func (l *link) settled() {
	l.restarted = time.Time{}
	if l.path != nil {
		l.leave()
		l.by = &negotiator{wire: l.main}
	}
}

// busy reports whether an offer is in flight.
func (n *negotiator) busy(c *connection) bool { return n != nil && n.wire != nil && c.pending != nil }

// repair does what may help: first another session if there is none, then another path, then an error, after which
// everything is set up again.
func (l *link) repair(ctx context.Context, now time.Time) error {
	switch {
	case l.trouble.IsZero():
		l.renew(ctx, now)
		return nil
	case !l.lived && now.Sub(l.began) >= connectTimeout:
		return errors.New("no packets get through to the robot's gateway: a firewall may block its port for media")
	case !l.lived && l.by == nil && l.main == nil:
		return errors.New(l.why)
	case !l.lived:
		return nil
	case now.Sub(l.trouble) >= patience:
		return errors.New("the robot does not answer")
	case !l.restarted.IsZero() && !l.conn.connected() && now.Sub(l.restarted) >= restartTimeout:
		return errors.New("no other path was found")
	}
	remote := l.conn.session != nil
	if l.main == nil || remote && l.path == nil {
		l.dial(ctx, now)
	}
	if !l.conn.connected() && l.by != nil && (!remote || l.path != nil) && l.restarted.IsZero() {
		l.search(now)
	}
	return nil
}

// renew looks for a new path if the present one ends with the credentials of its relay. Pion gives the old one up
// first, so that the offer needs a WebSocket.
func (l *link) renew(ctx context.Context, now time.Time) {
	switch {
	case !l.renewing:
	case l.conn.session != nil && l.path == nil:
		l.dial(ctx, now) // and then restart
	case l.by != nil:
		l.search(now)
	}
}

// search makes the next offer one that finds a new path.
func (l *link) search(now time.Time) {
	l.restarted, l.conn.restart, l.renewing = now, true, false
}

// dial opens another WebSocket, in the background.
func (l *link) dial(ctx context.Context, now time.Time) {
	if l.dialing || now.Before(l.retryAt) || l.path != nil {
		return
	}
	l.dialing, l.retryAt = true, now.Add(firstPause)
	go func() { // close waits for its result
		g, err := l.robot.open(ctx)
		l.dialed <- dialResult{g, err}
	}()
}

// arrived uses the session that was opened.
func (l *link) arrived(d dialResult) error {
	l.dialing = false
	var no *refusal
	switch {
	case errors.As(d.err, &no):
		return d.err
	case d.err != nil:
		l.why = d.err.Error()
		return nil
	case d.trust == nil && d.welcome.GetEpoch() != l.conn.epoch || len(l.conn.id) == 0:
		l.next = d.greeted
		return errors.New("the gateway has restarted")
	}
	l.use(d.welcome.GetIceServers())
	l.adopt(d.greeted)
	l.search(time.Now())
	return nil
}
