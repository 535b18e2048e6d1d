package server

import (
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

func isReply(m *signalingv1.GatewayMessage) bool { return m.GetAnswer() != nil || m.GetError() != nil }

// ask makes an offer, which continues a connection if one is named.
func (k *socket) ask(sdp string, connection []byte) *signalingv1.GatewayMessage {
	k.t.Helper()
	data, err := protojson.Marshal(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{
		Offer: &signalingv1.Offer{Id: 1, Sdp: sdp, Connection: connection}}})
	if err != nil {
		k.t.Fatal(err)
	}
	k.send(string(data))
	return k.await(isReply)
}

// empty waits until there are no connections.
func (s *site) empty() {
	s.t.Helper()
	left := func() int {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		return len(s.server.connections)
	}
	for deadline := time.Now().Add(watcher.Timeout); left() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%d connections are left", left())
		}
	}
}

// Whether a connection outlives its session depends on how that ended.
func TestConnectionsOfOtherSessions(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*socket)
		code string // of the refusal; empty: the connection is continued
	}{
		{"lost", (*socket).close, ""},
		{"given up", func(k *socket) { _ = k.conn.Close(statusLost, "") }, ""},
		{"still there", func(*socket) {}, ""},
		{"closed", func(k *socket) { _ = k.conn.Close(websocket.StatusNormalClosure, "") }, "NOT_FOUND"},
		{"left", func(k *socket) { _ = k.conn.Close(websocket.StatusGoingAway, "") }, "NOT_FOUND"},
		{"hung up", func(k *socket) {
			k.send(`{"hangUp":{}}`)
			k.send(`{"ping":{"id":1}}`)
			k.await(isPong)
		}, "NOT_FOUND"},
		{"misbehaved", func(k *socket) {
			for range maxGarbage {
				k.send("garbage")
			}
			for err := error(nil); err == nil; {
				_, err = k.read()
			}
		}, "NOT_FOUND"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, Config{}, 0)
			first := s.dial()
			defer first.close()
			made := first.ask(offer(t), nil).GetAnswer()
			if len(made.GetConnection()) != secretSize {
				t.Fatalf("the answer has no secret: %v", made)
			}
			tt.end(first)
			second := s.dial()
			defer second.close()
			if tt.code != "" {
				s.empty() // the end has been noticed
			}
			got := second.ask(offer(t), made.GetConnection())
			if got.GetError().GetCode() != tt.code {
				t.Fatalf("%v, want %q", got, tt.code)
			}
			if tt.code == "" && string(got.GetAnswer().GetConnection()) != string(made.GetConnection()) {
				t.Error("the secret is another")
			}
			if tt.code != "" && second.ask(offer(t), nil).GetAnswer() == nil {
				t.Error("after the refusal no connection can be made")
			}
		})
	}
}

// Secrets that are none are refused in words, and leave the session's own connection alone.
func TestUnknownConnection(t *testing.T) {
	s := newSite(t, Config{}, 0)
	k := s.dial()
	defer k.close()
	made := k.ask(offer(t), nil).GetAnswer()
	for _, secret := range []string{"x", strings.Repeat("x", secretSize), strings.Repeat("x", 10_000)} {
		got := k.ask(offer(t), []byte(secret)).GetError()
		if got.GetCode() != "NOT_FOUND" || !strings.Contains(got.GetMessage(), "offer.connection") {
			t.Errorf("%.20s: %v", secret, got)
		}
	}
	if got := k.ask("v=0", made.GetConnection()).GetError(); got.GetCode() != "INVALID_ARGUMENT" {
		t.Errorf("an offer that is none: %v", got)
	}
	got := k.ask(offer(t), made.GetConnection()).GetAnswer()
	if string(got.GetConnection()) != string(made.GetConnection()) {
		t.Errorf("the connection is another: %v", got)
	}
}

// Connections that wait for another session do not hold up the end.
func TestClosingWhileConnectionsWait(t *testing.T) {
	s := newSite(t, Config{}, 0)
	k := s.dial()
	k.ask(offer(t), nil)
	k.close()
	begin := time.Now()
	s.server.Close()
	if took := time.Since(begin); took >= lostPatience {
		t.Errorf("closing took %v", took)
	}
	if n := len(s.server.connections); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
