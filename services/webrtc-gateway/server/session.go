package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/access/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/playout"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
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

func (n *session) candidate(c *signalingv1.Candidate) error {
	if n.connection == nil {
		return status.Error(codes.FailedPrecondition, "candidate: send an offer first")
	}
	index := c.GetSdpMlineIndex()
	if index < 0 || index > 0xffff {
		return status.Errorf(codes.InvalidArgument, "candidate.sdp_mline_index: %d is not the index of a media section",
			index)
	}
	return n.connection.peer.AddCandidate(c.GetCandidate(), c.GetSdpMid(), uint16(index))
}

// admit answers an offer. One that comes through a rendezvous server needs a proof, and its answer is signed.
func (n *session) admit(o *signalingv1.Offer) (*signalingv1.Answer, error) {
	var offered string
	var err error
	if n.gate != nil {
		if offered, err = n.gate.check(o); err != nil {
			return nil, err
		}
	}
	answer := &signalingv1.Answer{Id: o.GetId()}
	if answer.Sdp, err = n.offer(o); err != nil {
		return nil, err
	}
	n.answered, answer.Confirm = o.GetId(), o.GetConfirms()
	answer.Connection = []byte(n.connection.secret)
	if n.gate == nil {
		return answer, nil
	}
	answer.Signature, err = n.gate.sign(offered, answer.GetSdp())
	return answer, err
}

// offer makes or changes the session's connection.
func (n *session) offer(o *signalingv1.Offer) (string, error) {
	tracks := make([]rtc.Track, len(o.GetTracks()))
	for i, t := range o.GetTracks() {
		var err error
		if tracks[i], err = n.server.track(i, t); err != nil {
			return "", err
		}
		if err := n.mayUse(tracks[i]); err != nil {
			return "", err
		}
		tracks[i].Talker = access.Named(n.visitor.User(), tracks[i].Talker)
	}
	if err := n.continues(o.GetConnection()); err != nil {
		return "", err
	}
	if n.connection != nil {
		n.connection.peer.Confirms(o.GetConfirms())
		if n.gate != nil { // what the connection carries is none of the rendezvous server's business
			tracks = n.connection.agreed()
		}
		return n.connection.answer(n.ctx, o.GetSdp(), tracks, n.trickle)
	}
	return n.connect(o.GetSdp(), tracks)
}

// continues makes the session continue another session's connection, if an offer names one.
func (n *session) continues(secret []byte) error {
	if len(secret) == 0 || n.connection != nil && n.connection.secret == string(secret) {
		return nil
	}
	c, err := n.server.adopt(secret, n.visitor)
	if err != nil {
		return err
	}
	n.letGo(false)
	n.use(c)
	return nil
}

// trickle sends a candidate of the gateway, but not before the answer that it is for.
func (n *session) trickle(c rtc.Candidate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.late = append(n.late, c)
	if !n.answering {
		n.flush()
	}
}

// holdCandidates keeps candidates until an answer is sent.
func (n *session) holdCandidates() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answering = true
}

// sendCandidates sends what was kept.
func (n *session) sendCandidates() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answering = false
	n.flush()
}

// flush sends the candidates that wait; n.mu is held.
func (n *session) flush() {
	for _, c := range n.late {
		// This fails only when the transport is closed.
		_ = n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Candidate{
			Candidate: &signalingv1.Candidate{Candidate: c.Line, SdpMid: c.MID},
		}})
	}
	n.late = nil
}

// maxTalker bounds the name of a talker, in characters.
const maxTalker = 64

// track parses the purpose of a media section.
func (s *Server) track(i int, t *signalingv1.Track) (rtc.Track, error) {
	none := rtc.Track{}
	if err := s.directory.Check(t.GetDevice()); err != nil {
		return none, err
	}
	name := t.GetStream()
	switch name {
	case "":
		name = rtc.Video
	case rtc.Video, rtc.Audio:
	case rtc.Speaker, rtc.Camera, rtc.Microphone:
		if err := s.directory.CheckAccepts(t.GetDevice(), name); err != nil {
			return none, err
		}
	default:
		return none, status.Errorf(codes.InvalidArgument,
			"tracks[%d].stream: %q is not a stream for a media section: use %q, %q, %q, %q or %q",
			i, name, rtc.Video, rtc.Audio, rtc.Speaker, rtc.Camera, rtc.Microphone)
	}
	if utf8.RuneCountInString(t.GetTalker()) > maxTalker || !text.IsPrintable(t.GetTalker()) {
		return none, status.Errorf(codes.InvalidArgument,
			"tracks[%d].talker: use at most %d characters, all of them printable", i, maxTalker)
	}
	return rtc.Track{MID: t.GetMid(), Stream: tracks.Stream{Device: t.GetDevice(), Name: name}, Talker: t.GetTalker(),
		Take: t.GetTake()}, nil
}

// mayUse checks that the visitor may have a section for what it is for: to see and hear, or to speak and to send.
func (n *session) mayUse(t rtc.Track) error {
	need, what := roles.ReadStream, "to see or hear "+t.Stream.Device
	switch t.Stream.Name {
	case rtc.Speaker:
		need, what = roles.WriteStream, "to talk through "+t.Stream.Device
	case rtc.Camera, rtc.Microphone:
		need, what = roles.WriteStream, "to send to "+t.Stream.Device
	}
	return n.visitor.Require(need, t.Stream.Device, what)
}

// connect makes the connection of the session.
func (n *session) connect(sdp string, tracks []rtc.Track) (string, error) {
	c, err := n.server.newConnection(n.visitor, n.from)
	if err != nil {
		return "", err
	}
	c.peer.Playout(n.playout)
	if n.gate != nil {
		c.peer.AwaitOutside()
	}
	answer, err := c.answer(n.ctx, sdp, tracks, n.trickle)
	if err != nil {
		c.release(false)
		return "", err
	}
	n.use(c)
	return answer, nil
}

// use gives the session a connection that is held for it.
func (n *session) use(c *connection) {
	n.connection = c
	n.current.Store(c)
	n.hungUp = make(chan struct{})
	if n.watched {
		hungUp := n.hungUp
		n.others.Go(func() { n.watch(c, hungUp) })
	}
}

// watch ends the session when its connection is lost: the peer starts over.
func (n *session) watch(c *connection, hungUp <-chan struct{}) {
	select {
	case <-n.ctx.Done():
	case <-hungUp:
	case <-c.peer.Done():
		select {
		case <-hungUp:
			return
		default:
		}
		if c.visitor.Ended() != nil {
			return // it ended with the visitor's token, of which the session is told by itself
		}
		n.transport.End(lost, "the WebRTC connection was lost: open a new session")
	}
}

// hangUp ends the connection, if there is one; the session goes on, and may have another. A rendezvous server can end
// only one that nobody else holds.
func (n *session) hangUp() {
	if c := n.connection; c != nil {
		n.letGo(false)
		if n.gate == nil {
			c.peer.Close()
		}
	}
}

// letGo ends the session's hold on its connection. Lost tells that the far end did not want that.
func (n *session) letGo(lost bool) {
	if n.connection == nil {
		return
	}
	close(n.hungUp)
	n.connection.release(lost)
	n.connection = nil
	n.current.Store(nil)
}
