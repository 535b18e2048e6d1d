package server

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/parts"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/calls"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

const (
	// sessionChannel is the label of a channel that carries a session.
	sessionChannel = "waldo.session"
	// maxUnread is how many frames of such a channel may wait; then the far end has to.
	maxUnread = 16
)

// channels serves the data channels of a connection: a session by itself, all others as configured.
type channels struct {
	server     *Server
	connection *connection
}

// Open implements [rtc.Channels].
func (c channels) Open(channel *rtc.Channel) {
	switch others := c.server.config.Channels; {
	case channel.Label() == sessionChannel:
		c.server.serveSession(channel, c.connection)
	case others != nil:
		others.Open(channel, c.connection.visitor)
	default:
		channel.Close()
	}
}

// serveSession serves a session on a channel. It holds the connection as long as the channel is open.
func (s *Server) serveSession(channel *rtc.Channel, c *connection) {
	t := &channelTransport{channel: channel, connection: c, frames: make(chan frame, maxUnread),
		joiner: parts.NewJoiner(maxMessage)}
	channel.OnMessage(t.arrived)
	if !c.hold() {
		channel.Close()
		return
	}
	served := s.own(func() {
		defer channel.Close()
		n := s.newSession(c.visitor, t)
		n.use(c)
		n.run(t.receive)
	})
	if !served {
		channel.Close()
		c.release(false)
	}
}

// channelTransport carries a session over a data channel.
type channelTransport struct {
	channel    *rtc.Channel
	connection *connection
	frames     chan frame
	joiner     *parts.Joiner
	sending    sync.Mutex
}

// frame is what arrives on a channel at once.
type frame struct {
	isText bool
	data   []byte
}

// arrived is called with each frame. While the session is busy the far end waits.
func (t *channelTransport) arrived(isText bool, data []byte) {
	select {
	case t.frames <- frame{isText, data}:
	case <-t.channel.Done():
	}
}

// receive returns the next message.
func (t *channelTransport) receive() (isText bool, data []byte, err error) {
	for complete := false; !complete; {
		select {
		case f := <-t.frames:
			if !f.isText {
				return false, nil, nil
			}
			if data, complete, err = t.joiner.Add(f.data); err != nil {
				t.End(misbehaved, "message: "+err.Error())
				return false, nil, err
			}
		case <-t.channel.Done():
			return false, nil, io.EOF
		}
	}
	return true, data, nil
}

// Send implements [transport].
func (t *channelTransport) Send(data []byte) error {
	t.sending.Lock()
	defer t.sending.Unlock()
	for f := range parts.Split(data, rtc.MaxMessage) {
		if err := t.sendFrame(f); err != nil {
			t.channel.Close()
			return err
		}
	}
	return nil
}

func (t *channelTransport) sendFrame(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	return t.channel.Send(ctx, true, data)
}

// codeOf are the codes of the errors with which sessions end.
var codeOf = map[reason]codes.Code{
	stopping: codes.Unavailable, misbehaved: codes.InvalidArgument, lost: codes.Unavailable,
	unwelcome: codes.Unauthenticated,
}

// End implements [transport]: the last message is an error. The connection may end with the session, so there is a
// moment for it to arrive.
func (t *channelTransport) End(why reason, text string) {
	m := &signalingv1.GatewayMessage{Body: &signalingv1.GatewayMessage_Error{
		Error: calls.Error(0, status.Error(codeOf[why], text)),
	}}
	if data, err := protojson.Marshal(m); err == nil {
		_ = t.Send(data) // the channel is closed in any case
	}
	t.channel.Close()
	if why == stopping {
		return
	}
	select {
	case <-t.connection.peer.Done():
	case <-time.After(closeTimeout):
	}
}
