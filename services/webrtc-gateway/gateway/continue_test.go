package gateway_test

import (
	"context"
	"testing"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// anew opens another WebSocket for a session, which goes on with its connection.
func (s *session) anew(w *world) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, w.base+"signal", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.socket = read(s.t, conn)
}

// A WebSocket that is lost takes nothing with it: another one continues the connection, with its tracks and channels.
func TestAnotherSessionContinuesTheConnection(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	s := w.session(1)
	channel, err := s.peer.PC.CreateDataChannel("hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan struct{})
	channel.OnOpen(func() { close(opened) })
	s.negotiate(nil, map[string]string{"0": "front"})
	<-opened
	track := stream{t: t, peer: s.peer}
	track.frames(5)
	for name, lose := range map[string]func(old *socket){
		"before it is noticed": func(*socket) {},
		"after it broke":       func(old *socket) { _ = old.CloseNow() },
		"after the peer gave it up": func(old *socket) {
			_ = old.Close(4001, "another network")
		},
	} {
		old := s.socket
		lose(old)
		s.anew(w)
		s.negotiate(&webrtc.OfferOptions{ICERestart: true}, map[string]string{"0": "front"})
		_ = old.Close(websocket.StatusNormalClosure, "") // it holds nothing any more that the new one does not
		track.repaired()
		if channel.ReadyState() != webrtc.DataChannelStateOpen {
			t.Errorf("%s: the channel is %v", name, channel.ReadyState())
		}
		if n := cam.Holders(); n != 1 {
			t.Errorf("%s: %d holds", name, n)
		}
	}
	_ = s.socket.Close(websocket.StatusGoingAway, "")
	w.eventually("a session that is closed ends its connection", func() bool { return cam.Holders() == 0 })
}
