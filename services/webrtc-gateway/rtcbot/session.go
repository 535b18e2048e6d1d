package rtcbot

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/rtc"
)

// defaultLabel is the channel that every client has; its end is that of the session.
const defaultLabel = "default"

// errGuest refuses clients that come through a rendezvous server: the server knows the token that let them in.
var errGuest = status.Error(codes.PermissionDenied,
	"label: the guest token opens topics only, which have 1 to 64 letters, "+
		"digits, hyphens and underscores: to call devices and to drive, use the robot's own token with the page or pkg/peer")

// Session is the connection of one client. It must be closed.
type Session struct {
	gateway *Gateway
	client  Client
	peer    *rtc.Peer
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	voice   voice

	hangUp sync.Once
	hungUp chan struct{} // closed when the client has closed its default channel
}

// Wait returns when the session should be closed: the connection has ended, the client has hung up, or ctx has ended.
func (s *Session) Wait(ctx context.Context) {
	select {
	case <-s.peer.Done():
	case <-s.hungUp:
	case <-ctx.Done():
	}
}

// Close ends the session and returns when it has ended.
func (s *Session) Close() {
	s.cancel()
	s.peer.Close()
	s.work.Wait()
	s.voice.close()
}

// Open implements [rtc.Channels].
func (s *Session) Open(c *rtc.Channel) {
	label := c.Label()
	member, err := s.gateway.Join(label, c.Peer(), s.client.Raw)
	switch {
	case err != nil && s.client.Remote:
		s.gateway.bridge.Refuse(c, errGuest)
		return
	case err != nil:
		s.gateway.bridge.Open(c, s.client.Visitor) // a channel of Waldo's own, or one to be refused with the reason
		return
	}
	c.OnMessage(member.Say)
	listens := c.Go(func(ctx context.Context) {
		if label == defaultLabel {
			defer s.hangUp.Do(func() { close(s.hungUp) })
		}
		defer c.Close()
		_ = member.Listen(ctx, c.Send) // it ends with the channel, or with the bus
	})
	if !listens {
		member.Close()
	}
}
