package server

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// connection is a WebRTC connection, and how many sessions hold it. It ends with the last of them, so a peer whose
// session goes on over the connection itself can do without the WebSocket.
type connection struct {
	peer    *rtc.Peer
	sharing sharing

	mu      sync.Mutex
	holders int
}

// newConnection returns a connection that is held once.
func (s *Server) newConnection(from string) (*connection, error) {
	c := &connection{holders: 1, sharing: sharing{publishers: s.config.Publishers, from: from}}
	var err error
	if c.peer, err = s.engine.NewPeer(channels{s, c}); err != nil {
		return nil, err
	}
	if !s.own(func() { c.finish() }) {
		c.peer.Close()
		return nil, status.Error(codes.Unavailable, "the gateway is stopping")
	}
	return c, nil
}

// finish ends what the connection sends to devices, once it has ended.
func (c *connection) finish() {
	<-c.peer.Done()
	c.sharing.close()
}

// hold keeps the connection; false if it has ended.
func (c *connection) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holders == 0 {
		return false
	}
	c.holders++
	return true
}

// release undoes a hold.
func (c *connection) release() {
	c.mu.Lock()
	c.holders--
	last := c.holders == 0
	c.mu.Unlock()
	if last {
		c.peer.Close()
	}
}

// answer answers an offer, see [rtc.Peer.Answer].
func (c *connection) answer(ctx context.Context, sdp string, tracks []rtc.Track) (string, error) {
	return c.sharing.answer(ctx, c.peer, sdp, tracks)
}
