package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"
)

const (
	// Silence is noticed after a heart-beat and its patience.
	beatEvery    = 3 * time.Second
	beatPatience = 6 * time.Second
	// backlog bounds the streams that wait to be accepted, and those that wait to be accepted by the far end.
	backlog = 32
	// openPatience bounds how long the far end may take to accept a stream.
	openPatience  = 10 * time.Second
	writePatience = 10 * time.Second
	// closePatience is how long the far end has to agree to the end of a session.
	closePatience = 500 * time.Millisecond

	statusReplaced websocket.StatusCode = 4001
)

var (
	// ErrReplaced is the reason of a session that ended because the same robot has connected again.
	ErrReplaced = errors.New("the same robot has connected again, so this connection was ended: if it runs once only, " +
		"another machine has a copy of its key")
	// ErrStopping is the reason of a session whose far end stops.
	ErrStopping = errors.New("the far end is stopping")
	// ErrSilent is the reason of a session whose far end was not heard of.
	ErrSilent = fmt.Errorf("the far end has been silent for %s", beatEvery+beatPatience)
)

// Session is one end of a tunnel. It is a [net.Listener] for the streams that the far end opens.
type Session struct {
	wire    *wire
	mux     *yamux.Session
	most    int
	ctx     context.Context // ends with the session
	cancel  context.CancelCauseFunc
	beating sync.WaitGroup
}

// newSession returns a session over a socket on which the registration is over. It sends nothing until open is closed.
func newSession(socket *websocket.Conn, far string, server bool, most int, open chan struct{},
	log *slog.Logger) (*Session, error) {
	socket.SetReadLimit(maxMessage)
	s := &Session{wire: newWire(socket, addr(far), open), most: most}
	config := yamux.DefaultConfig()
	config.AcceptBacklog, config.EnableKeepAlive = backlog, false // our own heart-beat does not queue behind data
	config.StreamOpenTimeout, config.ConnectionWriteTimeout = openPatience, writePatience
	config.StreamCloseTimeout = openPatience
	config.LogOutput, config.Logger = nil, slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	join := yamux.Client
	if server {
		join = yamux.Server
	}
	var err error
	if s.mux, err = join(s.wire, config); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.beating.Go(s.beat)
	s.beating.Go(func() {
		<-s.mux.CloseChan()
		_ = s.mux.Close() // it is closed, but is still being read: returns when the reason is known
		s.cancel(s.wire.reason())
	})
	return s, nil
}

// beat ends the session when nothing is heard of the far end.
func (s *Session) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		before := s.wire.heard.Load()
		ctx, cancel := context.WithTimeout(s.ctx, beatPatience)
		err := s.wire.socket.Ping(ctx)
		cancel()
		// An answer may be late because data is in its way.
		if err != nil && s.wire.heard.Load() == before {
			s.cancel(ErrSilent)
			_ = s.wire.Close() // which ends everything else
			return
		}
	}
}

// Accept returns the next stream that the far end has opened. Streams beyond the limit are closed.
func (s *Session) Accept() (net.Conn, error) {
	for {
		conn, err := s.mux.AcceptStream()
		if err != nil {
			return nil, net.ErrClosed
		}
		if s.mux.NumStreams() <= s.most {
			return conn, nil
		}
		_ = conn.Close() // the far end ignores its limit
	}
}

// Addr names the far end.
func (s *Session) Addr() net.Addr { return s.wire.addr }

// Open opens a stream to the far end.
func (s *Session) Open() (net.Conn, error) { return s.mux.Open() }

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err is why the session has ended; nil before.
func (s *Session) Err() error {
	select {
	case <-s.ctx.Done():
	default:
		return nil
	}
	cause := context.Cause(s.ctx)
	switch status := websocket.CloseStatus(cause); {
	case status == statusReplaced:
		return ErrReplaced
	case status == websocket.StatusGoingAway:
		return ErrStopping
	case errors.Is(cause, io.EOF), errors.Is(cause, net.ErrClosed), errors.Is(cause, syscall.ECONNRESET):
		return errLost
	}
	return cause
}

// Close ends the session, as an end that stops.
func (s *Session) Close() error {
	s.end(ErrStopping, websocket.StatusGoingAway)
	return nil
}

// Replace ends the session and tells the far end that another one has taken its place.
func (s *Session) Replace() { s.end(ErrReplaced, statusReplaced) }

func (s *Session) end(reason error, code websocket.StatusCode) {
	if s.ctx.Err() == nil && !s.mux.IsClosed() { // otherwise there is another reason
		s.cancel(reason)
		hurry := time.AfterFunc(closePatience, s.wire.cut)
		_ = s.wire.socket.Close(code, "") // it is closed in any case
		hurry.Stop()
	}
	_ = s.mux.Close() // likewise
	s.beating.Wait()
}
