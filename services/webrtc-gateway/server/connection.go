package server

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/viewing"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/visitors"
)

const (
	// secretSize is the size of the secret by which another session continues a connection.
	secretSize = 16
	// lostPatience is how long a connection waits for another session after its last one was lost. Meanwhile its far end
	// may have found another network. It is less than ICE's own patience.
	lostPatience = 8 * time.Second
)

// connection is a WebRTC connection, and how many sessions hold it. It ends with the last of them, so a peer whose
// session goes on over the connection itself can do without the WebSocket. A session that was lost, rather than closed,
// leaves time for another one to continue the connection.
type connection struct {
	server  *Server
	visitor *visitors.Visitor // who has made it; it ends with the visit
	peer    *rtc.Peer
	secret  string
	sharing sharing
	viewer  *viewing.Viewer

	mu      sync.Mutex
	holders int
	ended   bool
	tracks  []rtc.Track // of the last offer that was answered
	waiting *time.Timer // ends a connection without holders; nil: there are some
}

// newConnection returns a connection of a visitor that is held once.
func (s *Server) newConnection(of *visitors.Visitor, from string) (*connection, error) {
	c := &connection{server: s, holders: 1, secret: newSecret(), visitor: of.Join(s.ctx),
		sharing: sharing{publishers: s.config.Publishers, from: from}}
	var err error
	if c.peer, err = s.engine.NewPeer(channels{s, c}); err != nil {
		c.visitor.Leave()
		return nil, err
	}
	c.viewer = s.meters.Viewer(c.peer.ID())
	s.mu.Lock()
	s.connections[c.secret] = c
	s.mu.Unlock()
	if !s.own(c.finish) {
		c.peer.Close()
		s.forgetConnection(c)
		c.viewer.Close()
		c.visitor.Leave()
		return nil, errStopping
	}
	return c, nil
}

// finish ends what the connection has elsewhere, once it has ended.
func (c *connection) finish() {
	select {
	case <-c.peer.Done():
	case <-c.visitor.Context().Done():
		if c.visitor.Ended() != nil {
			c.peer.Close()
		}
		c.expire()
		<-c.peer.Done()
	}
	c.visitor.Leave()
	c.server.forgetConnection(c)
	c.viewer.Close()
	c.sharing.close()
}

func newSecret() string {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	return string(secret)
}

func (s *Server) forgetConnection(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, c.secret)
}

// adopt returns the connection of a visitor with a secret, held once more.
func (s *Server) adopt(secret []byte, of *visitors.Visitor) (*connection, error) {
	s.mu.Lock()
	c := s.connections[string(secret)]
	s.mu.Unlock()
	if c == nil || !c.visitor.Same(of) || !c.hold() {
		return nil, status.Error(codes.NotFound, "offer.connection: that connection has ended: make a new one")
	}
	return c, nil
}

// hold keeps the connection; false if it has ended.
func (c *connection) hold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.holders++
	if c.waiting != nil {
		c.waiting.Stop()
		c.waiting = nil
	}
	return true
}

// release undoes a hold. Lost tells that the far end did not want that.
func (c *connection) release(lost bool) {
	c.mu.Lock()
	c.holders--
	last := c.holders == 0
	wait := last && lost && c.server.ctx.Err() == nil
	if wait {
		c.waiting = time.AfterFunc(lostPatience, c.expire)
	}
	c.mu.Unlock()
	if last && !wait {
		c.expire()
	}
}

// expire ends the connection unless somebody holds it.
func (c *connection) expire() {
	c.mu.Lock()
	held := c.holders > 0
	c.ended = c.ended || !held
	if c.waiting != nil {
		c.waiting.Stop()
	}
	c.mu.Unlock()
	if !held {
		c.peer.Close()
	}
}

// answer answers an offer, see [rtc.Peer.Answer]. Candidates that become known later are sent by trickle.
func (c *connection) answer(
	ctx context.Context, sdp string, tracks []rtc.Track, trickle func(rtc.Candidate),
) (string, error) {
	c.peer.Trickle(trickle)
	answer, err := c.sharing.answer(ctx, c.peer, sdp, tracks)
	if err == nil {
		c.mu.Lock()
		c.tracks = tracks
		c.mu.Unlock()
	}
	return answer, err
}

// agreed returns the tracks of the last offer that was answered.
func (c *connection) agreed() []rtc.Track {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.tracks)
}
