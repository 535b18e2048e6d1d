package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/viewing"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// maxMessage bounds a message of a peer: an offer, with room for its JSON escapes.
	maxMessage = 256 << 10
	// maxCalls is how many calls of one session may be in flight.
	maxCalls = 32
	// maxGarbage is how many invalid messages end a session.
	maxGarbage = 16
)

// transport carries the messages of one session.
type transport interface {
	// Send sends one message. It is safe for concurrent use. After an error the session is over.
	Send(data []byte) error
	// End ends the session, and tells the far end why.
	End(why reason, text string)
}

// errLost is the error of a transport that was lost rather than closed: the peer may open another session and continue
// its connection there.
var errLost = errors.New("the session was lost")

// reason is why the gateway ends a session.
type reason int

const (
	stopping reason = iota
	misbehaved
	lost      // the WebRTC connection; the peer should open another session
	unwelcome // the peer's token has ended
)

// session is one signalling session. Its reader runs in the goroutine of [session.run], everything else in goroutines
// that end with ctx.
type session struct {
	server    *Server
	visitor   *visitors.Visitor // whose session it is
	transport transport
	ctx       context.Context
	cancel    context.CancelFunc
	others    sync.WaitGroup
	calls     chan struct{} // holds a token for each call in flight
	// watched is whether the session ends with its connection: one on a channel ends with that.
	watched bool
	from    string         // where the peer is, host:port; empty if that is not known
	playout *playout.Delay // of its videos; nil: it is decided
	// gate is what a session through a rendezvous server has to pass; nil for all others, which may do everything.
	gate *gate

	// Used by the reader only.
	connection *connection   // nil before the first offer that was answered, and after a hang-up
	answered   int32         // the id of the last offer that was answered
	hungUp     chan struct{} // closed when the session lets go of the connection
	garbage    int
	viewer     *viewing.Viewer // of a peer without a connection; nil until it has told what it shows

	current atomic.Pointer[connection] // the connection, for others than the reader

	mu        sync.Mutex
	answering bool            // an offer is being answered
	late      []rtc.Candidate // those that are sent after the answer
}

func (s *Server) newSession(of *visitors.Visitor, t transport) *session {
	n := &session{server: s, visitor: of.Join(s.ctx), transport: t, calls: make(chan struct{}, maxCalls)}
	n.ctx, n.cancel = context.WithCancel(n.visitor.Context())
	return n
}

// run serves the session until either side ends it. receive returns the next message, and whether it is text.
func (n *session) run(receive func() (bool, []byte, error)) {
	defer n.visitor.Leave()
	defer n.others.Wait()
	defer n.cancel()
	stop := context.AfterFunc(n.visitor.Context(), n.end)
	defer stop()
	lost := false
	defer func() {
		n.letGo(lost)
		if n.viewer != nil {
			n.viewer.Close()
		}
	}()
	welcome, changed := n.welcome()
	if n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Welcome{Welcome: welcome}}) != nil {
		return
	}
	n.others.Go(func() { n.pushICEServers(changed) })
	if n.gate == nil {
		n.others.Go(n.pushDevices)
		n.others.Go(n.pushPath)
	}
	for {
		isText, data, err := receive()
		if err != nil {
			lost = errors.Is(err, errLost)
			return
		}
		if err := n.take(isText, data); err != nil {
			n.transport.End(misbehaved, err.Error())
			return
		}
	}
}

// end tells the peer why the session ends with the visit.
func (n *session) end() { endSocket(n.visitor, n.transport) }

// endSocket tells the far end of a transport why it ends with a visit.
func endSocket(of *visitors.Visitor, t transport) {
	if why := of.Ended(); why != nil {
		t.End(unwelcome, status.Convert(tokens.Status(why)).Message())
		return
	}
	t.End(stopping, "the gateway is stopping")
}

// welcome returns the first message, and a channel that is closed when its ICE servers are out of date.
func (n *session) welcome() (*signalingv1.Welcome, <-chan struct{}) {
	c := &n.server.config
	servers, changed := c.ICEServers()
	w := &signalingv1.Welcome{Robot: c.Robot, Version: c.Version, Epoch: c.Epoch, IceServers: servers}
	if n.gate == nil {
		w.Drive = c.Drive
		w.Visitor = &signalingv1.Visitor{Name: n.visitor.Grant().Name, Role: accessv1.Role(n.visitor.Grant().Role)}
	} else {
		w.Remote = &signalingv1.Remote{Key: n.gate.ids.key.Public(), Challenge: n.gate.challenge}
	}
	return w, changed
}

// pushICEServers sends the ICE servers whenever they change: the credentials of those before will expire.
func (n *session) pushICEServers(changed <-chan struct{}) {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-changed:
		}
		var servers []*signalingv1.IceServer
		servers, changed = n.server.config.ICEServers()
		err := n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_IceServers{
			IceServers: &signalingv1.IceServerList{IceServers: servers},
		}})
		if err != nil {
			return // the transport is closed now
		}
	}
}

// send writes one message. It is safe for concurrent use.
func (n *session) send(m *signalingv1.GatewayMessage) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return n.transport.Send(data)
}

// pushDevices sends the list of devices now and whenever it changes. Changes during a send are sent together.
func (n *session) pushDevices() {
	for {
		list, changed := n.server.directory.List()
		err := n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Devices{Devices: list}})
		if err != nil {
			return // the transport is closed now
		}
		select {
		case <-n.ctx.Done():
			return
		case <-changed:
		}
	}
}

// take handles one message as it came. An error ends the session.
func (n *session) take(isText bool, data []byte) error {
	if !isText {
		return n.refuse(status.Error(codes.InvalidArgument, "message: send text, not binary"))
	}
	m, call, err := parseMessage(data)
	switch {
	case err != nil:
		return n.refuse(err)
	case call != nil:
		return n.call(call)
	}
	return n.handle(m)
}

// parseMessage reads the JSON of a message. A call is returned beside it, since the type of its request is not known
// yet.
func parseMessage(data []byte) (*signalingv1.PeerMessage, *calls.Call, error) {
	m, call, err := calls.ParseMessage(data)
	if err == nil && m.GetBody() == nil {
		err = status.Error(codes.InvalidArgument, "message: set one of offer, candidate, ping, call, hang_up, shown, applied")
	}
	return m, call, err
}

// refuse answers an invalid message; too many of them end the session.
func (n *session) refuse(err error) error {
	if sendErr := n.fail(0, err); sendErr != nil {
		return sendErr
	}
	if n.garbage++; n.garbage >= maxGarbage {
		return errors.New("too many invalid messages")
	}
	return nil
}

// fail reports a refusal to the peer.
func (n *session) fail(id int32, err error) error {
	return n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Error{Error: calls.Error(id, err)}})
}

// handle handles one message. An error ends the session.
func (n *session) handle(m *signalingv1.PeerMessage) error {
	switch body := m.GetBody().(type) {
	case *signalingv1.PeerMessage_Ping:
		return n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Pong{
			Pong: &signalingv1.Pong{Id: body.Ping.GetId(), GatewayTime: timestamppb.Now()},
		}})
	case *signalingv1.PeerMessage_Candidate:
		if err := n.candidate(body.Candidate); err != nil {
			return n.refuse(err)
		}
		return nil
	case *signalingv1.PeerMessage_Shown:
		if err := n.shown(body.Shown); err != nil {
			return n.refuse(err)
		}
		return nil
	case *signalingv1.PeerMessage_HangUp:
		n.hangUp()
		return nil
	case *signalingv1.PeerMessage_Applied:
		n.applied(body.Applied.GetId())
		return nil
	case *signalingv1.PeerMessage_Offer:
		n.holdCandidates()
		defer n.sendCandidates()
		answer, err := n.admit(body.Offer)
		switch {
		case errors.Is(err, errWrongProofs):
			return err
		case err != nil:
			return n.fail(body.Offer.GetId(), err)
		}
		return n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Answer{Answer: answer}})
	default:
		return n.refuse(status.Error(codes.Unimplemented, "message: this gateway does not support it"))
	}
}

// call calls a device, on a goroutine of its own: the next message need not wait for the answer.
func (n *session) call(call *calls.Call) error {
	var refused error
	if n.connection != nil {
		call.Peer = n.connection.peer.ID()
	}
	call.By = n.visitor
	switch {
	case n.gate != nil:
		refused = status.Error(codes.PermissionDenied, "call: through a rendezvous server calls go over the channel "+
			sessionChannel)
	case n.server.config.Caller == nil:
		refused = status.Error(codes.Unimplemented, "this gateway does not forward calls")
	default:
		select {
		case n.calls <- struct{}{}:
			n.others.Go(func() {
				defer func() { <-n.calls }()
				_ = n.result(n.server.config.Caller.Call(n.ctx, call))
			})
		default:
			refused = status.Errorf(codes.ResourceExhausted, "%d calls are in flight: wait for one to finish", maxCalls)
		}
	}
	if refused == nil {
		return nil
	}
	return n.result(calls.Failed(call.ID, refused))
}

// applied starts what is new in the answer to an offer. A late word on an earlier one is of no interest.
func (n *session) applied(offer int32) {
	if n.connection != nil && offer == n.answered {
		n.connection.peer.Applied()
	}
}

// result sends the peer the result of a call.
func (n *session) result(r *calls.Result) error {
	return n.transport.Send(slices.Concat([]byte(`{"result":`), r.JSON(), []byte("}")))
}
