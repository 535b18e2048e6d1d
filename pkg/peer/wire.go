package peer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const (
	// pingEvery is how often the gateway is asked whether it is there.
	pingEvery = 500 * time.Millisecond
	// silence is after what time without a message the gateway counts as silent.
	silence = 1500 * time.Millisecond
	// writeTimeout bounds the sending of one message.
	writeTimeout = 3 * time.Second
	// inboxSize is how many messages may wait to be handled; the sender waits then.
	inboxSize = 64
)

// errGone means that a wire has ended.
var errGone = errors.New("the session has ended")

// wire is one session with the gateway: messages of waldo.signaling.v1, both ways, over a WebSocket or a data channel.
// All but close is safe for concurrent use.
type wire struct {
	transport transport
	inbox     chan *signalingv1.GatewayMessage // all but results and pongs
	calls     *calls

	heard atomic.Int64 // when the last message came, in ns on the monotonic clock of born
	born  time.Time
	pings int32 // used by the owner only
	clock *clock

	pinging sync.Mutex
	pinged  sentPing // the last one

	end  sync.Once
	gone chan struct{} // closed at the end
	why  error         // set before
}

// transport carries text messages.
type transport interface {
	// Send sends a message. It is safe for concurrent use.
	Send(ctx context.Context, data []byte) error
	// Close ends the transport and waits until it calls nothing any more.
	Close()
}

func newWire(c *calls, k *clock) *wire {
	return &wire{
		inbox: make(chan *signalingv1.GatewayMessage, inboxSize), calls: c, clock: k, born: time.Now(),
		gone: make(chan struct{}),
	}
}

// send sends one message.
func (w *wire) send(m *signalingv1.PeerMessage) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return w.write(data)
}

// write sends one message as it is. It has a deadline of its own: a WebSocket whose writing is canceled is closed.
func (w *wire) write(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	select {
	case <-w.gone:
		return errGone
	default:
	}
	return w.transport.Send(ctx, data)
}

// received takes a message from the transport. It blocks while too many wait.
func (w *wire) received(data []byte) {
	w.heard.Store(int64(time.Since(w.born)))
	m, r, err := parseMessage(data)
	switch {
	case err != nil:
		return // of a newer gateway, or garbage: nothing depends on it
	case r != nil:
		w.calls.settle(w, r)
		return
	case m.GetPong() != nil:
		w.ponged(m.GetPong(), time.Now())
		return
	case m.GetBody() == nil:
		return
	}
	select {
	case w.inbox <- m:
	case <-w.gone:
	}
}

// silent is how long nothing has come.
func (w *wire) silent() time.Duration { return time.Since(w.born) - time.Duration(w.heard.Load()) }

// sentPing is a ping on its way.
type sentPing struct {
	id int32
	at time.Time
}

// ponged takes the answer to the last ping, which tells the gateway's time.
func (w *wire) ponged(m *signalingv1.Pong, now time.Time) {
	w.pinging.Lock()
	sent := w.pinged
	w.pinged = sentPing{}
	w.pinging.Unlock()
	if sent.id == m.GetId() && sent.id != 0 && m.GetGatewayTime().IsValid() {
		w.clock.sample(sent.at, now, m.GetGatewayTime().AsTime())
	}
}

// ping asks for a sign of life.
func (w *wire) ping() error {
	w.pings++
	w.pinging.Lock()
	w.pinged = sentPing{w.pings, time.Now()}
	w.pinging.Unlock()
	return w.send(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Ping{Ping: &signalingv1.Ping{Id: w.pings}}})
}

// lose ends the wire, for all that wait for it: no call on it will be answered.
func (w *wire) lose(why error) {
	w.end.Do(func() {
		w.why = why
		close(w.gone)
		w.calls.lose(w, status.Errorf(codes.Unavailable, "the connection to the robot was lost: %v", why))
	})
}

// close ends the wire and waits for its transport.
func (w *wire) close() {
	w.lose(errGone)
	w.transport.Close()
}
