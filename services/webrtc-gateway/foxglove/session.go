package foxglove

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// A client may send this many messages per second, and a larger burst; what comes faster waits to be read.
	requestsPerSecond, requestsBurst = 100, 1000
	// maxWrong is how many messages that were not understood end a session.
	maxWrong = 100
)

// Close codes of the protocol's transport.
const (
	statusUnwelcome = 4003                           // the visitor's token has ended, as at /signal
	statusRestart   = websocket.StatusServiceRestart // connect again
)

// session is one client.
type session struct {
	gateway  *Gateway
	view     *view
	visitor  *visitors.Visitor
	socket   *websocket.Conn
	outbox   *outbox
	began    place // where the player was
	mayPlay  bool
	written  atomic.Int64 // messages
	buffer   []byte       // of the writer
	toldLost uint64       // how many losses; of the writer

	mu         sync.Mutex
	why        error               // the session ends
	channels   map[uint32]*channel // that the client knows of
	byID       map[uint32]*subscription
	byChannel  map[uint32]*subscription
	parameters *interest // that the client wants to be told of
	told       place     // where the client knows the player to be
}

func newSession(g *Gateway, v *view, of *visitors.Visitor, socket *websocket.Conn) *session {
	s := &session{
		gateway: g, view: v, visitor: of, socket: socket, parameters: newInterest(),
		outbox:   newOutbox(func(n int) { g.metrics.lost.WithLabelValues(lostByClient).Add(float64(n)) }),
		channels: map[uint32]*channel{}, byID: map[uint32]*subscription{}, byChannel: map[uint32]*subscription{},
	}
	s.began, _ = v.player.place(time.Now())
	s.told = s.began
	s.mayPlay = s.began.device != "" && socket.Subprotocol() == SDK && of.Grant().Allows(roles.Driver, s.began.device)
	return s
}

// run serves the client. cancel ends ctx.
func (s *session) run(ctx context.Context, cancel context.CancelFunc) {
	var others sync.WaitGroup
	defer others.Wait()
	defer s.leave()
	defer cancel()
	if !s.outbox.answer(ctx, encode(s.gateway.info(s.began, s.mayPlay))) {
		return
	}
	for _, work := range []func(context.Context) error{s.write, s.pushChannels, s.pushParameters, s.pushPlace,
		s.keepAlive} {
		others.Go(func() {
			s.end(work(ctx))
			cancel()
		})
	}
	// Reading goes on until the socket is closed, which is told to the client if it can be.
	others.Go(func() {
		<-ctx.Done()
		code, text := s.reason()
		_ = s.socket.Close(code, short(text)) // it may be closed already
	})
	s.end(s.read(ctx))
}

// end notes why the session ends; the first reason counts.
func (s *session) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why == nil {
		s.why = why
	}
}

// closing is an error that the client is told.
type closing struct {
	code websocket.StatusCode
	text string
}

func (c closing) Error() string { return c.text }

// reason is what the client is told at the end.
func (s *session) reason() (websocket.StatusCode, string) {
	s.mu.Lock()
	why := s.why
	s.mu.Unlock()
	var told closing
	switch ended := s.visitor.Ended(); {
	case errors.As(why, &told):
		return told.code, told.text
	case ended != nil:
		return statusUnwelcome, status.Convert(tokens.Status(ended)).Message()
	}
	return websocket.StatusGoingAway, "the gateway is stopping"
}

// short is as much of a text as the end of a WebSocket may have.
func short(text string) string {
	const most = 123
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// leave ends all subscriptions.
func (s *session) leave() {
	s.outbox.close()
	s.mu.Lock()
	all := s.byID
	s.byID, s.byChannel, s.channels = nil, nil, nil
	s.mu.Unlock()
	for _, one := range all {
		s.drop(one)
	}
}

// drop ends a subscription that nobody can find any more.
func (s *session) drop(one *subscription) {
	s.outbox.end(one)
	s.mu.Lock()
	leave := one.leave
	one.leave = nil
	s.mu.Unlock()
	if leave != nil {
		leave()
	}
}

// write sends what waits until something fails or ctx ends.
func (s *session) write(ctx context.Context) error {
	// What is being written when the session ends may be finished, so that the client can be told why it ends.
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(endTimeout, cancel) })()
	tell := time.NewTicker(tellEvery)
	defer tell.Stop()
	for {
		data, err := s.next(ctx, tell.C)
		if err != nil {
			return err
		}
		if err := s.send(writing, data); err != nil {
			return err
		}
	}
}

// next waits for what is to be sent: answers first, then what was lost, then messages.
func (s *session) next(ctx context.Context, tell <-chan time.Time) ([]byte, error) {
	for {
		select {
		case data := <-s.outbox.answers:
			return data, nil
		default:
		}
		select {
		case <-tell:
			if lost := s.tellLosses(); lost != nil {
				return lost, nil
			}
		default:
		}
		if to, m, there := s.outbox.next(time.Now()); there {
			s.buffer = appendMessage(s.buffer[:0], to.id, m.at, m.data)
			return s.buffer, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case data := <-s.outbox.answers:
			return data, nil
		case <-s.outbox.wake:
		case <-tell:
			if lost := s.tellLosses(); lost != nil {
				return lost, nil
			}
		}
	}
}

// tellLosses returns what to tell of losses; nil if there were none since the last time.
func (s *session) tellLosses() []byte {
	lost := s.outbox.losses()
	if lost == s.toldLost {
		return nil
	}
	s.toldLost = lost
	return statusText(warning, "waldo-lost", text.Count(lost, "message was lost", "messages were lost")+
		" because this connection is too slow: show fewer of them, or a smaller picture")
}

// send sends a message.
func (s *session) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.gateway.patience)
	defer cancel()
	kind := websocket.MessageBinary
	if data[0] == '{' {
		kind = websocket.MessageText
	}
	if err := s.socket.Write(ctx, kind, data); err != nil {
		return err
	}
	s.written.Add(1)
	if data[0] == opMessage {
		s.gateway.metrics.messages.Inc()
	}
	return nil
}

// keepAlive returns when the client has vanished: it neither answers nor takes anything. One that is slow may answer
// late, since its answer waits behind what is on the way to it.
func (s *session) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(s.gateway.patience)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		before := s.written.Load()
		patience, cancel := context.WithTimeout(ctx, s.gateway.patience)
		err := s.socket.Ping(patience)
		cancel()
		if err != nil && ctx.Err() == nil && s.written.Load() == before {
			_ = s.socket.CloseNow() // nobody is there to be told
			return err
		}
	}
}

// read serves the requests of the client until it leaves, or has to.
func (s *session) read(ctx context.Context) error {
	pace := rate.NewLimiter(requestsPerSecond, requestsBurst)
	wrong := rate.NewLimiter(1, maxWrong)
	for {
		kind, data, err := s.socket.Read(context.WithoutCancel(ctx)) // ends when the socket is closed
		if err != nil {
			return err
		}
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		r, err := parse(kind == websocket.MessageText, data)
		if err == nil {
			err = s.serve(ctx, r)
		}
		if err == nil {
			continue
		}
		if !wrong.Allow() {
			return closing{websocket.StatusPolicyViolation, "too many requests that fail; the last: " + err.Error()}
		}
		if !s.outbox.answer(ctx, statusText(failure, "waldo-"+r.op, status.Convert(err).Message())) {
			return ctx.Err()
		}
	}
}
