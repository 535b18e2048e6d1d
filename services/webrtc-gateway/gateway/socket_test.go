package gateway_test

import (
	"context"
	"testing"

	"github.com/coder/websocket"
)

// socket is a WebSocket that is read all the time, as a browser does: only so are pings answered while a test is busy
// with something else.
type socket struct {
	*websocket.Conn
	arrived chan arrival
}

type arrival struct {
	kind websocket.MessageType
	data []byte
	err  error
}

// maxArrived is how many messages a test may leave unread.
const maxArrived = 100_000

// read begins to read a WebSocket, until the test ends.
func read(t *testing.T, conn *websocket.Conn) *socket {
	conn.SetReadLimit(1 << 20)
	s := &socket{conn, make(chan arrival, maxArrived)}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-ended
	})
	go func() {
		defer close(ended)
		for {
			kind, data, err := conn.Read(context.Background())
			s.arrived <- arrival{kind, data, err}
			if err != nil {
				return
			}
		}
	}()
	return s
}

// Read returns the next message, or the error with which reading ended, as often as it is called.
func (s *socket) Read(ctx context.Context) (websocket.MessageType, []byte, error) {
	select {
	case a := <-s.arrived:
		if a.err != nil {
			s.arrived <- a
		}
		return a.kind, a.data, a.err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}
