package server

import (
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/text"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

// candidate takes a candidate of the peer for the connection.
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
