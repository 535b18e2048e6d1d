package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

const (
	// maxMessage bounds a message of a peer: an offer, with room for its JSON escapes.
	maxMessage = 256 << 10
	// A socket is pinged this often; one that does not answer as fast is closed.
	pingEvery    = 5 * time.Second
	writeTimeout = 5 * time.Second
	closeTimeout = 500 * time.Millisecond
	// maxCalls is how many calls of one session may be in flight.
	maxCalls = 32
	// maxGarbage is how many invalid messages end a session.
	maxGarbage = 16
)

// session is one signalling WebSocket. Its reader runs in the request's goroutine, everything else in goroutines that
// end with ctx.
type session struct {
	server *Server
	socket *websocket.Conn
	ctx    context.Context
	others sync.WaitGroup
	calls  chan struct{} // holds a token for each call in flight

	// Used by the reader only.
	peer    *rtc.Peer     // nil before the first offer that was answered, and after a hang-up
	hungUp  chan struct{} // closed when the session gives the peer up
	garbage int
}

// whyNot answers POST /signal. A browser does not report why it could not open a WebSocket, so the page sends a POST,
// which passes the same checks, and shows the answer or tries again with the ticket that comes with it.
func (s *Server) whyNot(w http.ResponseWriter, r *http.Request) {
	s.tickets.offer(w, r)
	notUpgraded(w, r)
}

// notUpgraded answers requests that are not for a WebSocket.
func notUpgraded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	http.Error(w, "the gateway is reachable, but this is not a WebSocket request: a proxy in between must pass "+
		"WebSockets through. In nginx: "+
		"proxy_http_version 1.1; "+
		`proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`, http.StatusUpgradeRequired)
}

// signal answers GET /signal.
func (s *Server) signal(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		if r.Header.Get("Sec-Websocket-Key") != "" {
			s.unpassed.Do(func() {
				s.log.Warn("a WebSocket request came without its Upgrade header: the proxy in front of the gateway must pass " +
					"Upgrade and Connection through")
			})
		}
		notUpgraded(w, r)
		return
	}
	if !s.enter(&s.signalSockets) {
		fail(w, status.Errorf(codes.ResourceExhausted, "%d signalling sessions are open already: try again when one has "+
			"ended", maxSessions))
		return
	}
	defer s.exit(&s.signalSockets)
	socket, err := accept(w, r, maxMessage)
	if err != nil {
		return
	}
	defer func() { _ = socket.CloseNow() }() // closed already, unless something failed
	ctx, cancel := context.WithCancel(s.ctx)
	session := &session{server: s, socket: socket, ctx: ctx, calls: make(chan struct{}, maxCalls)}
	defer session.others.Wait()
	defer cancel()
	session.run()
}

// run serves the session until either side ends it.
func (n *session) run() {
	s := n.server
	stop := context.AfterFunc(n.ctx, func() { n.end(websocket.StatusGoingAway, "the gateway is stopping") })
	defer stop()
	err := n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Welcome{Welcome: &signalingv1.Welcome{
		Robot: s.config.Robot, Version: s.config.Version, Epoch: s.config.Epoch, IceServers: s.config.ICEServers,
		Drive: s.config.Drive,
	}}})
	if err != nil {
		return
	}
	n.others.Go(n.push)
	n.others.Go(n.ping)
	n.read()
	if n.peer != nil {
		n.peer.Close()
	}
}

// end closes the socket with a reason, which ends the reader. The far end has little time to agree.
func (n *session) end(code websocket.StatusCode, reason string) {
	hurry := time.AfterFunc(closeTimeout, func() { _ = n.socket.CloseNow() })
	defer hurry.Stop()
	_ = n.socket.Close(code, reason) // it is closed in any case
}

// send writes one message. It is safe for concurrent use.
func (n *session) send(m *signalingv1.GatewayMessage) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	return n.write(data)
}

func (n *session) write(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	return n.socket.Write(ctx, websocket.MessageText, data)
}

// push sends the list of devices now and whenever it changes. Changes during a send are sent together.
func (n *session) push() {
	for {
		list, changed := n.server.directory.List()
		err := n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Devices{Devices: list}})
		if err != nil {
			return // the socket is closed now
		}
		select {
		case <-n.ctx.Done():
			return
		case <-changed:
		}
	}
}

// ping finds out whether the far end is still there.
func (n *session) ping() { keepAlive(n.ctx, n.socket) }

// read handles the peer's messages one by one until the socket is closed.
func (n *session) read() {
	for {
		kind, data, err := n.socket.Read(context.Background()) // ends when the socket is closed
		if err != nil {
			return
		}
		if err := n.take(kind, data); err != nil {
			n.end(websocket.StatusPolicyViolation, err.Error())
			return
		}
	}
}

// take handles one message as it came. An error ends the session.
func (n *session) take(kind websocket.MessageType, data []byte) error {
	if kind != websocket.MessageText {
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
		err = status.Error(codes.InvalidArgument, "message: set one of offer, candidate, ping, call, hang_up")
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
	case *signalingv1.PeerMessage_HangUp:
		n.hangUp()
		return nil
	case *signalingv1.PeerMessage_Offer:
		answer, err := n.offer(body.Offer)
		if err != nil {
			return n.fail(body.Offer.GetId(), err)
		}
		return n.send(&signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Answer{
			Answer: &signalingv1.Answer{Id: body.Offer.GetId(), Sdp: answer},
		}})
	default:
		return n.refuse(status.Error(codes.Unimplemented, "message: this gateway does not support it"))
	}
}

// call calls a device, on a goroutine of its own: the next message need not wait for the answer.
func (n *session) call(call *calls.Call) error {
	var refused error
	if n.server.config.Caller == nil {
		refused = status.Error(codes.Unimplemented, "this gateway does not forward calls")
	} else {
		select {
		case n.calls <- struct{}{}:
			n.others.Go(func() {
				defer func() { <-n.calls }()
				_ = n.result(n.server.config.Caller.Call(n.ctx, call)) // fails only when the socket is closed
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

// result sends the peer the result of a call.
func (n *session) result(r *calls.Result) error {
	return n.write(slices.Concat([]byte(`{"result":`), r.JSON(), []byte("}")))
}

func (n *session) candidate(c *signalingv1.Candidate) error {
	if n.peer == nil {
		return status.Error(codes.FailedPrecondition, "candidate: send an offer first")
	}
	index := c.GetSdpMlineIndex()
	if index < 0 || index > 0xffff {
		return status.Errorf(codes.InvalidArgument, "candidate.sdp_mline_index: %d is not the index of a media section",
			index)
	}
	return n.peer.AddCandidate(c.GetCandidate(), c.GetSdpMid(), uint16(index))
}

// offer makes or changes the session's connection.
func (n *session) offer(o *signalingv1.Offer) (string, error) {
	tracks := make([]rtc.Track, len(o.GetTracks()))
	for i, t := range o.GetTracks() {
		var err error
		if tracks[i], err = n.server.track(i, t); err != nil {
			return "", err
		}
	}
	if n.peer == nil {
		return n.connect(o.GetSdp(), tracks)
	}
	return n.peer.Answer(n.ctx, o.GetSdp(), tracks)
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
	case rtc.Speaker:
		if err := s.directory.CheckAccepts(t.GetDevice(), name); err != nil {
			return none, err
		}
	default:
		return none, status.Errorf(codes.InvalidArgument,
			"tracks[%d].stream: %q is not a stream for a media section: use %q, %q or %q",
			i, name, rtc.Video, rtc.Audio, rtc.Speaker)
	}
	if utf8.RuneCountInString(t.GetTalker()) > maxTalker || !text.IsPrintable(t.GetTalker()) {
		return none, status.Errorf(codes.InvalidArgument,
			"tracks[%d].talker: use at most %d characters, all of them printable", i, maxTalker)
	}
	return rtc.Track{MID: t.GetMid(), Stream: tracks.Stream{Device: t.GetDevice(), Name: name}, Talker: t.GetTalker()}, nil
}

// connect makes the connection of the session. The session ends with it: a peer whose connection was lost starts over.
func (n *session) connect(sdp string, tracks []rtc.Track) (string, error) {
	peer, err := n.server.engine.NewPeer(n.server.config.Channels)
	if err != nil {
		return "", err
	}
	answer, err := peer.Answer(n.ctx, sdp, tracks)
	if err != nil {
		peer.Close()
		return "", err
	}
	n.peer = peer
	hungUp := make(chan struct{})
	n.hungUp = hungUp
	n.others.Go(func() {
		select {
		case <-n.ctx.Done():
		case <-hungUp:
		case <-peer.Done():
			select {
			case <-hungUp:
				return
			default:
			}
			n.end(websocket.StatusTryAgainLater, "the WebRTC connection was lost: open a new session")
		}
	})
	return answer, nil
}

// hangUp ends the connection, if there is one; the session goes on, and may have another.
func (n *session) hangUp() {
	if n.peer == nil {
		return
	}
	close(n.hungUp)
	n.peer.Close()
	n.peer = nil
}
