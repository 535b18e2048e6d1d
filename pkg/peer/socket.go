package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/text"
)

const (
	// openTimeout bounds the opening of a WebSocket, up to the Welcome.
	openTimeout = 4 * time.Second
	// maxMessage bounds a message of the gateway; a list of devices may be long, and so may a response.
	maxMessage = 16 << 20
	// maxReason bounds what is shown of an answer by something that is no gateway.
	maxReason = 500
)

// socket is a WebSocket as a transport.
type socket struct {
	conn    *websocket.Conn
	reading context.Context
	cut     context.CancelFunc // closes the WebSocket, also while Close waits for the gateway
	ended   sync.WaitGroup
}

func newSocket(conn *websocket.Conn) *socket {
	reading, cut := context.WithCancel(context.Background())
	return &socket{conn: conn, reading: reading, cut: cut}
}

// Send implements transport.
func (s *socket) Send(ctx context.Context, data []byte) error {
	return s.conn.Write(ctx, websocket.MessageText, data)
}

// Close implements transport. The gateway is told, so that it need not wait for us to return.
func (s *socket) Close() {
	hurry := time.AfterFunc(time.Second, s.cut)
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // it is closed in any case
	hurry.Stop()
	s.ended.Wait()
	s.cut()
}

// greeted is a session whose Welcome has come.
type greeted struct {
	wire    *wire
	welcome *signalingv1.Welcome
	trust   *trust // nil without a rendezvous server
}

// open opens a WebSocket and waits for the Welcome. The error is a refusal if trying again will hardly help.
func (r *Robot) open(ctx context.Context) (*greeted, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	key, err := r.knownKey()
	if err != nil {
		return nil, err
	}
	conn, err := r.dial(ctx, key)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxMessage)
	w, s := newWire(r.calls, &r.clock), newSocket(conn)
	w.transport = s
	s.ended.Go(func() { w.lose(s.read(w)) })
	g, err := r.greet(ctx, w, key)
	if err != nil {
		w.close()
		return nil, err
	}
	return g, nil
}

// dial opens a WebSocket to the robot with a key. A rendezvous server must not learn the token: it is shown where there
// is certainly none, and at an address where there may be one when a gateway asks for it, which a robot behind a
// rendezvous server never does.
func (r *Robot) dial(ctx context.Context, key string) (*websocket.Conn, error) {
	if !r.address.shared || key == "" && r.asked {
		return r.dialWith(ctx, r.address.token)
	}
	conn, err := r.dialWith(ctx, "")
	var no *refusal
	switch {
	case !errors.As(err, &no) || !no.token || r.address.token == "":
		return conn, err
	case key != "":
		return nil, refused("%s asks for the token, which is not shown where the robot has a key (%s): if this is the "+
			"gateway of a fleet now, use its address without a key, and take its line out of the file of known robots",
			r.address.base, key)
	}
	r.asked = true
	return r.dialWith(ctx, r.address.token)
}

// dialWith opens a WebSocket with a token, or says why it cannot be opened.
func (r *Robot) dialWith(ctx context.Context, token string) (*websocket.Conn, error) {
	header := http.Header{"User-Agent": {"waldo-peer"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, response, err := websocket.Dial(ctx, r.address.signal(),
		&websocket.DialOptions{HTTPClient: r.client, HTTPHeader: header})
	if err == nil {
		return conn, nil // which is the body of the response
	}
	if response != nil && response.Body != nil {
		defer response.Body.Close()
	}
	return nil, dialError(ctx, response, err)
}

// greet waits for the Welcome and checks that it is that of the robot with a key.
func (r *Robot) greet(ctx context.Context, w *wire, key string) (*greeted, error) {
	select {
	case m := <-w.inbox:
		if m.GetWelcome() == nil {
			return nil, errors.New("the gateway began without a welcome")
		}
		t, err := r.recognize(m.GetWelcome(), key)
		if err != nil {
			return nil, err
		}
		return &greeted{w, m.GetWelcome(), t}, nil
	case <-w.gone:
		return nil, w.why
	case <-ctx.Done():
		return nil, errors.New("the gateway does not answer")
	}
}

// read passes on messages until the WebSocket ends.
func (s *socket) read(w *wire) error {
	for {
		kind, data, err := s.conn.Read(s.reading)
		var closed websocket.CloseError
		switch {
		case errors.As(err, &closed) && closed.Reason != "":
			return errors.New(text.Printable(closed.Reason))
		case err != nil:
			return errors.New("the gateway has closed the session, or died")
		case kind == websocket.MessageText:
			w.received(data)
		}
	}
}

// dialError tells why a WebSocket could not be opened.
func dialError(ctx context.Context, response *http.Response, err error) error {
	if ctx.Err() != nil {
		return errors.New("the gateway does not answer")
	}
	if response == nil {
		return err
	}
	said := ""
	if response.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxReason)) // the beginning is enough
		said = text.Printable(strings.TrimSpace(string(body)))
	}
	switch code := response.StatusCode; {
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return fmt.Errorf("HTTP %d: the robot is not connected", code)
	case code == http.StatusServiceUnavailable && said != "": // for now only: the gateway is stopping, or has no room
		return fmt.Errorf("HTTP %d: %s", code, said)
	case code == http.StatusUnauthorized && said == "":
		said = "a token is needed: set Options.Token"
	case said == "":
		said = "something that is no gateway answers"
	}
	return &refusal{why: fmt.Sprintf("HTTP %d: %s", response.StatusCode, said), token: asksForToken(response)}
}

// asksForToken reports whether a gateway has answered that it wants a token, and not something before it.
func asksForToken(r *http.Response) bool {
	return r.StatusCode == http.StatusUnauthorized &&
		slices.Contains(r.Header.Values("WWW-Authenticate"), `Bearer realm="waldo"`)
}
