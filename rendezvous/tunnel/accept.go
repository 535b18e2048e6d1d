package tunnel

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/coder/websocket"
)

// Server is the server's end of tunnels.
type Server struct {
	// Hosts are the server's own, as robots dial it, see [Host]. Empty: the host of each request, which keeps no other
	// server from passing a registration on.
	Hosts []string
	// MaxStreams bounds the streams that a robot may keep open, those that the server has opened included.
	MaxStreams int
	// Admit takes a robot whose key is proven, or returns why not: the robot is told. The session sends nothing before
	// Admit returns, and ends if it fails.
	Admit func(*Registration, *Session) error
	// Log is for what yamux notices; nil: none.
	Log *slog.Logger
}

// Accept makes a request of a robot a session, and registers it. The session has ended when Accept fails.
func (s *Server) Accept(w http.ResponseWriter, r *http.Request) (*Session, error) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if socket.Subprotocol() != subprotocol {
		return nil, refuse(ctx, socket, errors.New("the robot and its server have no version of the tunnel in common: "+
			"the server knows "+subprotocol))
	}
	registration, err := s.register(ctx, r, socket)
	if err != nil {
		return nil, refuse(ctx, socket, err)
	}
	return s.join(ctx, socket, registration)
}

// register asks the robot who it is.
func (s *Server) register(ctx context.Context, r *http.Request, socket *websocket.Conn) (*Registration, error) {
	c := newChallenge()
	if err := send(ctx, socket, challenge{c}); err != nil {
		return nil, err
	}
	data, err := receive(ctx, socket)
	if err != nil {
		return nil, err
	}
	registration, err := parseRegistration(data)
	if err != nil {
		return nil, err
	}
	hosts := s.Hosts
	if len(hosts) == 0 {
		hosts = []string{r.Host}
	}
	return registration, registration.verify(hosts, c)
}

// join makes a session of a registered robot's socket.
func (s *Server) join(ctx context.Context, socket *websocket.Conn, r *Registration) (*Session, error) {
	log := s.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	open := make(chan struct{})
	session, err := newSession(socket, r.Robot, true, s.MaxStreams, open, log)
	if err != nil {
		_ = socket.CloseNow() // the robot dials again
		return nil, err
	}
	if err := s.Admit(r, session); err != nil {
		err = refuse(ctx, socket, err)
		_ = session.Close() // it never fails
		return nil, err
	}
	if err := send(ctx, socket, verdict{}); err != nil {
		_ = session.Close() // likewise
		return nil, err
	}
	close(open)
	return session, nil
}

// refuse tells a robot why it is refused, as far as it can be reached, and returns the reason.
func refuse(ctx context.Context, socket *websocket.Conn, reason error) error {
	_ = send(ctx, socket, verdict{Refused: bounded(reason.Error())})
	_ = socket.CloseNow()
	return reason
}
