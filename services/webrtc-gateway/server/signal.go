package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	// A socket is pinged this often; one that does not answer as fast is closed.
	pingEvery    = 5 * time.Second
	writeTimeout = 5 * time.Second
	closeTimeout = 500 * time.Millisecond
)

// whyNot answers POST /signal. A browser does not report why it could not open a WebSocket, so the page sends a POST,
// which passes the same checks, and shows the answer or tries again with the ticket that comes with it.
func (s *Server) whyNot(w http.ResponseWriter, r *http.Request) {
	s.tickets.offer(w, r)
	if _, err := fixedPlayout(r.URL.Query()); err != nil {
		fail(w, err)
		return
	}
	notUpgraded(w, r)
}

// notUpgraded answers requests that are not for a WebSocket.
func notUpgraded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	http.Error(w, "the gateway is reachable, but this is not a WebSocket request: a proxy in between must pass "+
		"WebSockets through. In nginx: "+
		"proxy_http_version 1.1; "+
		`proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`, http.StatusUpgradeRequired)
}

// signal answers GET /signal.
func (s *Server) signal(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		if r.Header.Get("Sec-Websocket-Key") != "" {
			s.unpassed.Do(func() {
				s.log.Warn("a WebSocket request came without its Upgrade header: the proxy in front of the gateway must pass " +
					"Upgrade and Connection through")
			})
		}
		notUpgraded(w, r)
		return
	}
	delay, err := fixedPlayout(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	if err := s.enter(&s.signalSockets); err != nil {
		fail(w, err)
		return
	}
	defer s.exit(&s.signalSockets)
	gate, err := s.newGate(r)
	if err != nil {
		fail(w, err)
		return
	}
	if gate != nil {
		defer gate.leave()
	}
	conn, err := accept(w, r, maxMessage)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }() // closed already, unless something failed
	socket := newSocketTransport(conn)
	defer socket.cut()
	n := s.newSession(visitorOf(r), socket)
	if gate == nil {
		n.visitor.Began("GET /signal")
	}
	n.watched, n.from, n.playout = true, r.RemoteAddr, delay
	if n.gate = gate; gate != nil {
		n.others.Go(func() {
			gate.wait(n.ctx, func() { socket.End(misbehaved, "no offer with a proof came in time") })
		})
	}
	n.others.Go(func() { keepAlive(n.ctx, conn) })
	n.run(socket.receive)
}

// socketTransport carries a session over a WebSocket.
type socketTransport struct {
	conn    *websocket.Conn
	reading context.Context
	cut     context.CancelFunc // closes the WebSocket, also while Close waits for the far end
}

func newSocketTransport(conn *websocket.Conn) *socketTransport {
	reading, cut := context.WithCancel(context.Background())
	return &socketTransport{conn, reading, cut}
}

// Send implements [transport].
func (t *socketTransport) Send(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	return t.conn.Write(ctx, websocket.MessageText, data)
}

// End implements [transport]. The far end has little time to agree.
func (t *socketTransport) End(why reason, text string) {
	hurry := time.AfterFunc(closeTimeout, t.cut)
	defer hurry.Stop()
	code := map[reason]websocket.StatusCode{
		stopping: websocket.StatusGoingAway, misbehaved: websocket.StatusPolicyViolation, lost: websocket.StatusTryAgainLater,
		unwelcome: statusUnwelcome,
	}[why]
	_ = t.conn.Close(code, text) // it is closed in any case
}

// statusUnwelcome is the code with which the gateway closes a WebSocket whose token has ended.
const statusUnwelcome = websocket.StatusCode(4003)

// statusLost is the code with which a peer closes a WebSocket that it has given up, to go on with another.
const statusLost = websocket.StatusCode(4001)

// receive returns the next message.
func (t *socketTransport) receive() (bool, []byte, error) {
	kind, data, err := t.conn.Read(t.reading)
	if code := websocket.CloseStatus(err); err != nil && (code == -1 || code == statusLost) {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return kind == websocket.MessageText, data, err
}
