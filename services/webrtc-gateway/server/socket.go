package server

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errStopping is what a closed server says until its listener is closed, too.
var errStopping = status.Error(codes.Unavailable, "the gateway is stopping")

// sockets counts the open WebSockets of one kind, or the responses that go on like them. A closed server counts no
// more; open is guarded by the server's mu.
type sockets struct {
	most, open int
	full       string           // what is said when all are open, after their number
	gauge      prometheus.Gauge // nil: not exported
}

// enter counts one, or says why there must be no more.
func (s *Server) enter(k *sockets) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errStopping
	case k.open >= k.most:
		return status.Errorf(codes.ResourceExhausted, "%d %s", k.most, k.full)
	}
	s.owned.Add(1)
	k.count(1)
	return nil
}

func (s *Server) exit(k *sockets) {
	s.mu.Lock()
	k.count(-1)
	s.mu.Unlock()
	s.owned.Done()
}

func (k *sockets) count(change int) {
	k.open += change
	if k.gauge != nil {
		k.gauge.Set(float64(k.open))
	}
}

// accept upgrades a request to a WebSocket whose messages have at most limit bytes. If it fails, it has answered.
func accept(w http.ResponseWriter, r *http.Request, limit int64) (*websocket.Conn, error) {
	return acceptAs(w, r, limit, subprotocol)
}

// acceptAs is accept for the first of some sub-protocols that the far end offers.
func acceptAs(w http.ResponseWriter, r *http.Request, limit int64, protocols ...string) (*websocket.Conn, error) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the guard has checked the origin already
		CompressionMode:    websocket.CompressionDisabled,
		Subprotocols:       protocols,
	})
	if err != nil {
		return nil, err
	}
	socket.SetReadLimit(limit)
	return socket, nil
}

// keepAlive closes a socket whose far end has vanished. It returns when ctx ends.
func keepAlive(ctx context.Context, socket *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		patience, cancel := context.WithTimeout(ctx, pingEvery)
		err := socket.Ping(patience)
		cancel()
		if err != nil {
			_ = socket.CloseNow() // the far end is gone
			return
		}
	}
}
