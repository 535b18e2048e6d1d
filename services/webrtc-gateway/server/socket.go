package server

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// sockets counts the open WebSockets of one kind. A closed server counts no more; open is guarded by the server's mu.
type sockets struct {
	most, open int
	gauge      prometheus.Gauge // nil: not exported
}

// enter counts a WebSocket; false if there are too many or the server is closed.
func (s *Server) enter(k *sockets) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || k.open >= k.most {
		return false
	}
	s.owned.Add(1)
	k.count(1)
	return true
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
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the guard has checked the origin already
		CompressionMode:    websocket.CompressionDisabled,
		Subprotocols:       []string{subprotocol},
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
