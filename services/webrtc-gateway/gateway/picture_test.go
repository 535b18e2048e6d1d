package gateway_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

// screen is the far end of a WebSocket that carries pictures.
type screen struct {
	t      *testing.T
	socket *socket
	codec  string // as the gateway named it last
}

func (w *world) screen(device string) *screen {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, w.base+"picture/"+device, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &screen{t: w.t, socket: read(w.t, socket)}
}

// next returns the next picture: whether it is a key frame, its number, and how old it is.
func (s *screen) next() (key bool, number uint32, age time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	kind, data, err := s.socket.Read(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if kind == websocket.MessageText {
		var word struct{ Codec string }
		if err := json.Unmarshal(data, &word); err != nil || word.Codec == "" {
			s.t.Fatalf("not a word: %s", data)
		}
		s.codec = word.Codec
		return s.next()
	}
	if kind != websocket.MessageBinary || len(data) < 20 || data[0] != 1 || data[1] > 1 ||
		binary.BigEndian.Uint32(data[16:]) != 1 {
		s.t.Fatalf("not a picture: %v, %d bytes, % x", kind, len(data), data[:min(len(data), 20)])
	}
	capture := time.UnixMicro(int64(binary.BigEndian.Uint64(data[8:])))
	return data[1] == 1, binary.BigEndian.Uint32(data[4:]), time.Since(capture)
}

func (s *screen) say(format string, args ...any) {
	s.t.Helper()
	if err := s.socket.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		s.t.Fatal(err)
	}
}

// closed waits for the end of the socket and returns its code.
func (s *screen) closed() websocket.StatusCode {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		if _, _, err := s.socket.Read(ctx); err != nil {
			if ctx.Err() != nil {
				s.t.Fatal("the socket stays open")
			}
			return websocket.CloseStatus(err)
		}
	}
}

func TestPicturesOverAWebSocket(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{})
	s := w.screen("front")
	for i := range uint32(20) {
		key, number, age := s.next()
		if key != (i == 0) || number != i+1 || age > watcher.Timeout {
			t.Fatalf("picture %d: key %v, number %d, %v old", i, key, number, age)
		}
		s.say(`{"got": %d}`, number)
	}
	if s.codec != "avc1.42e01f" {
		t.Errorf("the codec is called %q", s.codec)
	}
	other := w.screen("front")
	if key, _, _ := other.next(); !key {
		t.Error("the second one does not begin with a key frame")
	}
	if n := cam.Holders(); n != 1 {
		t.Errorf("%d hold the stream, want 1 for both", n)
	}
	requests := cam.KeyRequests()
	s.say(`{"keyFrame": true}`)
	w.eventually("a key frame is asked for", func() bool { return cam.KeyRequests() > requests })
	_ = s.socket.Close(websocket.StatusGoingAway, "")
	_ = other.socket.Close(websocket.StatusGoingAway, "")
	w.eventually("the camera is let go of", func() bool { return cam.Holders() == 0 })
}

// A page that confirms nothing gets few pictures; when it does again, what it gets is new and begins with a key frame.
func TestPicturesThatAreNotConfirmed(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{FrameRate: 60})
	s := w.screen("front")
	var last uint32
	for range 6 {
		_, last, _ = s.next()
	}
	before := cam.Published()
	w.eventually("many more are published", func() bool { return cam.Published() > before+120 })
	s.say(`{"got": %d}`, last)
	key, number, age := s.next()
	if !key || number != last+1 || age > time.Second {
		t.Errorf("after the pause: key %v, number %d after %d, %v old", key, number, last, age)
	}
}

func TestPicturesThatAreRefused(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Gateway.Token = "a-token-of-this-test" })
	cam, err := fakecam.Start(w.bus.URL(), bus.Address{Robot: "demo", Device: "front"}, fakecam.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Stop)
	dial := func(path, token, origin string) (int, *websocket.Conn) {
		header := http.Header{}
		if token != "" {
			header.Set("Authorization", "Bearer "+token)
		}
		if origin != "" {
			header.Set("Origin", origin)
		}
		socket, answer, err := websocket.Dial(context.Background(), w.base+path, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			t.Cleanup(func() { _ = socket.CloseNow() })
		}
		return answer.StatusCode, socket
	}
	const token = "a-token-of-this-test"
	w.eventually("the camera is known", func() bool {
		code, _ := dial("picture/front", token, "")
		return code == http.StatusSwitchingProtocols
	})
	for _, c := range []struct {
		path, token, origin string
		want                int
	}{
		{"picture/front", "", "", http.StatusUnauthorized},
		{"picture/front", token, "https://elsewhere.example", http.StatusForbidden},
		{"picture/rear", token, "", http.StatusNotFound},
	} {
		if code, _ := dial(c.path, c.token, c.origin); code != c.want {
			t.Errorf("%+v: %d", c, code)
		}
	}
	for _, nonsense := range []string{"", "no", `{"got": -1}`, `{"got": 4000000000}`, `[]`} {
		_, socket := dial("picture/front", token, "")
		s := &screen{t: t, socket: read(t, socket)}
		s.say("%s", nonsense)
		if code := s.closed(); code != websocket.StatusPolicyViolation {
			t.Errorf("%q: the socket is closed with %d", nonsense, code)
		}
	}
}

// A session that gives its connection up goes on, and may make another.
func TestHangUp(t *testing.T) {
	w := newWorld(t, nil)
	w.cameras("front")
	s := w.session(1)
	s.negotiate(nil, map[string]string{"0": "front"})
	s.sources(1)
	for range 2 { // the second time there is nothing to give up
		if err := s.socket.Write(context.Background(), websocket.MessageText, []byte(`{"hangUp": {}}`)); err != nil {
			t.Fatal(err)
		}
	}
	peer, err := watcher.New(1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	s.peer, s.secret = peer, nil
	s.negotiate(nil, map[string]string{"0": "front"})
	s.sources(1)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for {
		if _, _, err := s.socket.Read(ctx); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the session ended: %v", err)
			}
			return
		}
	}
}
