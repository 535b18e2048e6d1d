package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// socket is a signalling WebSocket as a peer has it.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (s *site) dial() *socket {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.URL+"/signal", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	return &socket{s.t, conn}
}

func (k *socket) close() { _ = k.conn.CloseNow() }

func (k *socket) send(text string) {
	k.t.Helper()
	if err := k.conn.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *socket) read() (*signalingv1.GatewayMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	_, data, err := k.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var m signalingv1.GatewayMessage
	return &m, protojson.Unmarshal(data, &m)
}

// await reads until a message is of the wanted sort.
func (k *socket) await(wanted func(*signalingv1.GatewayMessage) bool) *signalingv1.GatewayMessage {
	k.t.Helper()
	for {
		m, err := k.read()
		if err != nil {
			k.t.Fatal(err)
		}
		if wanted(m) {
			return m
		}
	}
}

func isError(m *signalingv1.GatewayMessage) bool   { return m.GetError() != nil }
func isDevices(m *signalingv1.GatewayMessage) bool { return m.GetDevices() != nil }
func isPong(m *signalingv1.GatewayMessage) bool    { return m.GetPong() != nil }

func TestSignalGreets(t *testing.T) {
	s := newSite(t, Config{Epoch: 42, ICEServers: fixed(&signalingv1.IceServer{Urls: []string{"stun:x"}})}, 0)
	k := s.dial()
	defer k.close()
	m, err := k.read()
	if w := m.GetWelcome(); err != nil || w.GetRobot() != "demo" || w.GetVersion() != "test" || w.GetEpoch() != 42 ||
		len(w.GetIceServers()) != 1 {
		t.Fatalf("first message: %v %v", m, err)
	}
	if list := k.await(isDevices).GetDevices().GetDevices(); len(list) != 2 || list[0].GetGone() {
		t.Errorf("devices: %v", list)
	}
	s.directory.change()
	if list := k.await(isDevices).GetDevices().GetDevices(); !list[0].GetGone() {
		t.Errorf("devices after the change: %v", list)
	}
	k.send(`{"ping":{"id":7}}`)
	if p := k.await(isPong).GetPong(); p.GetId() != 7 || !p.GetGatewayTime().IsValid() {
		t.Errorf("pong: %v", p)
	}
}

// badMessages are what a peer should not send, and the code and part of the text it is answered with.
var badMessages = []struct{ name, text, code, says string }{
	{"no JSON", `hello`, "INVALID_ARGUMENT", "PeerMessage"},
	{"nothing", ``, "INVALID_ARGUMENT", "PeerMessage"},
	{"empty", `{}`, "INVALID_ARGUMENT", "one of"},
	{"an array", `[]`, "INVALID_ARGUMENT", "PeerMessage"},
	{"two at once", `{"ping":{},"offer":{}}`, "INVALID_ARGUMENT", "PeerMessage"},
	{"message of a newer version", `{"dance":{"id":1}}`, "INVALID_ARGUMENT", "one of"},
	{"wrong type", `{"ping":{"id":"seven"}}`, "INVALID_ARGUMENT", "PeerMessage"},
	{"empty offer", `{"offer":{"id":3}}`, "INVALID_ARGUMENT", "sdp"},
	{"garbage offer", `{"offer":{"id":3,"sdp":"v=1"}}`, "INVALID_ARGUMENT", "sdp"},
	{"unknown device", `{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"tail"}]}}`, "NOT_FOUND",
		"front, rear"},
	{"unknown stream", `{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"smell"}]}}`,
		"INVALID_ARGUMENT", "tracks[0].stream"},
	{"a speaker that is none", `{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"speaker"}]}}`,
		"FAILED_PRECONDITION", "accepts no stream"},
	{"unknown device to talk at",
		`{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"tail","stream":"speaker"}]}}`, "NOT_FOUND",
		"front, rear"},
	{"a talker of two lines",
		`{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"front","stream":"audio","talker":"a\nb"}]}}`,
		"INVALID_ARGUMENT", "tracks[0].talker"},
	{"a talker with too long a name", `{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"front","talker":"` +
		strings.Repeat("é", maxTalker+1) + `"}]}}`, "INVALID_ARGUMENT", "at most 64"},
	{"a talker from right to left",
		`{"offer":{"id":3,"sdp":"v=0","tracks":[{"mid":"0","device":"front","talker":"\u202enna"}]}}`, "INVALID_ARGUMENT",
		"printable"},
	{"candidate before an offer", `{"candidate":{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host"}}`,
		"FAILED_PRECONDITION", "offer"},
}

func TestSignalRefuses(t *testing.T) {
	s := newSite(t, Config{}, 0)
	k := s.dial()
	defer k.close()
	for _, tt := range badMessages {
		k.send(tt.text)
		e := k.await(isError).GetError()
		if e.GetCode() != tt.code || !strings.Contains(e.GetMessage(), tt.says) {
			t.Errorf("%s: %v, want %s naming %q", tt.name, e, tt.code, tt.says)
		}
		if strings.Contains(tt.text, `"id":3`) && e.GetId() != 3 {
			t.Errorf("%s: the error is of offer %d, want 3", tt.name, e.GetId())
		}
	}
	k.send(`{"ping":{"id":1}}`)
	k.await(isPong) // the session goes on
}

func TestSignalOfferErrors(t *testing.T) {
	s := newSite(t, Config{}, 0)
	k := s.dial()
	defer k.close()
	sdp := offer(t)
	say := func(sdp, tracks string) string {
		m, err := protojson.Marshal(&signalingv1.PeerMessage{Body: &signalingv1.PeerMessage_Offer{Offer: &signalingv1.Offer{Id: 5, Sdp: sdp}}})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(m), `"sdp"`, `"tracks":`+tracks+`,"sdp"`, 1)
	}
	tests := []struct{ name, text, code, says string }{
		{"no such section", say(sdp, `[{"mid":"9","device":"front"}]`), "INVALID_ARGUMENT", "a=mid:9"},
		{"one section twice", say(sdp, `[{"mid":"0","device":"front"},{"mid":"0","device":"rear"}]`), "INVALID_ARGUMENT",
			"twice"},
		{"no common codec", say(strings.ReplaceAll(sdp, "H264", "H266"), `[{"mid":"0","device":"front"}]`),
			"FAILED_PRECONDITION", "H264"},
		{"too large", say(sdp+strings.Repeat("a=x\r\n", 20_000), `[{"mid":"0","device":"front"}]`), "INVALID_ARGUMENT",
			"65536"},
	}
	for _, tt := range tests {
		k.send(tt.text)
		if e := k.await(isError).GetError(); e.GetId() != 5 || e.GetCode() != tt.code ||
			!strings.Contains(e.GetMessage(), tt.says) {
			t.Errorf("%s: %v, want %s naming %q", tt.name, e, tt.code, tt.says)
		}
	}
	k.send(say(sdp, `[{"mid":"0","device":"front"}]`))
	// the session is none the worse
	k.await(func(m *signalingv1.GatewayMessage) bool { return m.GetAnswer().GetId() == 5 })
}

func TestSignalEndsFlood(t *testing.T) {
	s := newSite(t, Config{}, 0)
	for name, kind := range map[string]websocket.MessageType{"garbage": websocket.MessageText,
		"binary": websocket.MessageBinary} {
		k := s.dial()
		for range maxGarbage {
			if err := k.conn.Write(context.Background(), kind, []byte("hello")); err != nil {
				t.Fatal(name, err)
			}
		}
		for {
			if _, err := k.read(); err != nil {
				if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
					t.Errorf("%s: %v, want a policy violation", name, err)
				}
				break
			}
		}
		k.close()
	}
	k := s.dial()
	defer k.close()
	_ = k.conn.Write(context.Background(), websocket.MessageText, make([]byte, maxMessage+1)) // may fail half way
	for {
		if _, err := k.read(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("too large a message did not end the session")
			}
			return
		}
	}
}

func TestSignalFromAFriend(t *testing.T) {
	s := newSite(t, Config{Origins: []string{"https://friend.example"}}, 0)
	for origin, want := range map[string]bool{"https://friend.example": true, "https://evil.example": false, s.URL: true} {
		conn, answer, err := websocket.Dial(context.Background(), s.URL+"/signal",
			&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
		if conn != nil {
			_ = conn.CloseNow()
		}
		if answer != nil && answer.Body != nil {
			_ = answer.Body.Close()
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range badMessages {
		f.Add([]byte(m.text))
	}
	f.Add([]byte(`{"offer":{"id":1,"sdp":"v=0","tracks":[{"mid":"0","device":"front"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, _, err := parseMessage(data); err == nil && m.GetBody() == nil {
			t.Fatal("a message without a body was accepted")
		}
	})
}
