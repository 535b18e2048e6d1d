package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/config"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/watcher"
)

const h264, h265, vp8, vp9 = "video/H264", "video/H265", "video/VP8", "video/VP9"

// vp8Clip is one group of real pictures.
func vp8Clip(t *testing.T) *fakecam.Clip {
	t.Helper()
	file, err := os.Open("../../../pkg/rtp/codecs/testdata/vp8.ivf")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r, _, err := ivfreader.NewWith(file)
	if err != nil {
		t.Fatal(err)
	}
	clip := &fakecam.Clip{MediaType: vp8}
	for {
		frame, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) || err == nil && frame[0]&1 == 0 && len(clip.Pictures) > 0 {
			return clip
		}
		if err != nil {
			t.Fatal(err)
		}
		clip.Pictures = append(clip.Pictures, frame)
	}
}

// player is a far end that takes some codecs, before it has asked for anything.
func (w *world) player(take ...string) *watcher.Watcher {
	w.t.Helper()
	peer, err := watcher.New(1, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = peer.Close() })
	if err := peer.Take(take...); err != nil {
		w.t.Fatal(err)
	}
	return peer
}

// show asks for the video of the camera.
func (w *world) show(peer *watcher.Watcher) error {
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	return peer.WHEP(ctx, w.base, "front")
}

// shown is a far end that is shown what it takes.
func (w *world) shown(take ...string) stream {
	w.t.Helper()
	peer := w.player(take...)
	if err := w.show(peer); err != nil {
		w.t.Fatal(err)
	}
	return stream{t: w.t, peer: peer}
}

// picture returns the next whole VP8 picture of a stream; nil for one that it came into the middle of.
func (s *stream) picture() (data []byte) {
	s.t.Helper()
	whole := false
	for {
		p := s.next()
		var part codecs.VP8Packet
		payload, err := part.Unmarshal(p.Payload)
		if err != nil {
			s.t.Fatalf("not VP8: % x: %v", p.Payload[:min(len(p.Payload), 8)], err)
		}
		whole = whole || part.S == 1
		data = append(data, payload...)
		if p.Marker && whole {
			return data
		}
		if p.Marker {
			return nil
		}
	}
}

// TestEachPlayerGetsWhatItTakes: the camera has H.264, and VP8 as an alternative.
func TestEachPlayerGetsWhatItTakes(t *testing.T) {
	clip := vp8Clip(t)
	for _, tt := range []struct {
		name        string
		take        []string
		alternative bool
	}{
		{"both", []string{vp8, h264}, false},
		{"no H.264, as Debian's Firefox", []string{vp8, vp9}, true},
		{"H.264 alone", []string{h264}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			cam := w.camera(fakecam.Config{Alternative: clip})
			s := w.shown(tt.take...)
			if !tt.alternative {
				s.frames(5)
			} else {
				for i := range clip.Pictures {
					if got := s.picture(); !bytes.Equal(got, clip.Pictures[i]) {
						t.Fatalf("picture %d has %d bytes and is another one", i, len(got))
					}
				}
			}
			if main, other := cam.HoldersOf("video"), cam.HoldersOf("video-alternative"); main+other != 1 ||
				(other == 1) != tt.alternative {
				t.Errorf("%d hold the stream and %d the alternative", main, other)
			}
		})
	}
}

// TestPlayersGetNoJPEG: pictures that the camera has as JPEG are none that can be sent by RTP, untouched or not.
func TestPlayersGetNoJPEG(t *testing.T) {
	w := newWorld(t, nil)
	cam := w.camera(fakecam.Config{Alternative: &fakecam.Clip{MediaType: "image/jpeg", AsIs: true}})
	s := w.shown(h264, vp8)
	s.frames(5)
	if main, other := cam.HoldersOf("video"), cam.HoldersOf("video-alternative"); main != 1 || other != 0 {
		t.Errorf("%d hold the stream and %d the alternative", main, other)
	}
	err := w.show(w.player(vp9))
	if err == nil || !strings.Contains(err.Error(), "H264/90000") || strings.Contains(err.Error(), "jpeg") {
		t.Errorf("a player that nothing suits is refused with %v", err)
	}
}

// TestCameraOfJPEGAlone: players learn that it is of no use to them.
func TestCameraOfJPEGAlone(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{MediaType: "image/jpeg"})
	if err := w.show(w.player(vp8)); err == nil || !strings.Contains(err.Error(), `"video" of front is image/jpeg, and`) {
		t.Errorf("refused with %v", err)
	}
}

// TestPlayerThatNothingSuits learns what the camera has and what it has offered itself.
func TestPlayerThatNothingSuits(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{Alternative: vp8Clip(t)})
	err := w.show(w.player(vp9))
	if err == nil {
		t.Fatal("it is shown something")
	}
	for _, want := range []string{"H264/90000", "VP8/90000", "VP9/90000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %s", err, want)
		}
	}
}

// TestCameraThatHasOneCodec: a player that takes another one learns which, whether the camera describes its streams or
// not.
func TestCameraThatHasOneCodec(t *testing.T) {
	for name, c := range map[string]fakecam.Config{"described": {}, "silent": {Silent: true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.camera(c)
			err := w.show(w.player(vp8))
			if err == nil || !strings.Contains(err.Error(), "H264/90000") || !strings.Contains(err.Error(), `"video" of front`) {
				t.Errorf("refused with %v", err)
			}
		})
	}
}

// TestPlayerBeforeTheCameraIsKnown: one that does not take what most cameras have waits for the description of this
// one.
func TestPlayerBeforeTheCameraIsKnown(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Devices = []robot.Device{{Name: "front", Kind: "camera"}} })
	clip := vp8Clip(t)
	peer, connected := w.player(vp8), make(chan error, 1)
	go func() { connected <- w.show(peer) }()
	w.camera(fakecam.Config{Alternative: clip})
	if err := <-connected; err != nil {
		t.Fatal(err)
	}
	s := stream{t: t, peer: peer}
	if got := s.picture(); !bytes.Equal(got, clip.Pictures[0]) {
		t.Error("it does not begin with the key frame")
	}
}

// TestVP8PlayerIsServed: a lost picture brings a key frame, and only to the stream that has it; a missed packet comes
// again.
func TestVP8PlayerIsServed(t *testing.T) {
	w := newWorld(t, nil)
	clip := vp8Clip(t)
	cam := w.camera(fakecam.Config{Alternative: clip})
	s := w.shown(vp8)
	for range 3 {
		s.picture()
	}
	before := cam.KeyRequests()
	if err := s.peer.LosePicture(s.last.SSRC); err != nil {
		t.Fatal(err)
	}
	w.eventually("a key frame is asked for", func() bool { return cam.KeyRequests() > before })
	for !bytes.Equal(s.picture(), clip.Pictures[0]) {
	}
	missed := *s.last
	if err := s.peer.Miss(missed.SSRC, missed.SequenceNumber); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	for {
		p, err := s.peer.Packet(ctx)
		if err != nil {
			t.Fatal("the packet did not come again: ", err)
		}
		if p.SequenceNumber == missed.SequenceNumber {
			if p.String() != missed.String() {
				t.Errorf("it came again as\n%v\nbut was\n%v", p, &missed)
			}
			return
		}
	}
}

// TestCameraThatComesBackWithAnotherCodec: the connection stays, nothing of the other codec is sent under the payload
// type that was agreed on, and the picture goes on when the codec is back.
func TestCameraThatComesBackWithAnotherCodec(t *testing.T) {
	w := newWorld(t, nil)
	clip := vp8Clip(t)
	filmed := fakecam.Config{MediaType: vp8, Pictures: clip.Pictures}
	cam := w.camera(filmed)
	s := w.shown(vp8)
	s.picture()
	cam.Stop()
	cam = w.camera(fakecam.Config{})
	w.eventually("the other codec is held and sent", func() bool { return cam.Published() > 20 })
	cam.Stop()
	cam = w.camera(filmed)
	for range 3 * len(clip.Pictures) { // next checks that the packets are one stream, picture that they are VP8
		s.picture()
	}
	if cam.HoldersOf("video") != 1 {
		t.Errorf("%d hold the stream", cam.HoldersOf("video"))
	}
}

// TestPicturesOverAWebSocketInVP8: a far end that lists what it can decode gets that.
func TestPicturesOverAWebSocketInVP8(t *testing.T) {
	w := newWorld(t, nil)
	clip := vp8Clip(t)
	w.camera(fakecam.Config{Alternative: clip})
	s := w.screen("front?types=video/VP8,video/AV1")
	ctx, cancel := context.WithTimeout(context.Background(), watcher.Timeout)
	defer cancel()
	if kind, data, err := s.socket.Read(ctx); err != nil || kind != websocket.MessageText ||
		string(data) != `{"codec":"vp8"}` {
		t.Fatalf("begins with %s, %v", data, err)
	}
	if _, data, err := s.socket.Read(ctx); err != nil || !bytes.Equal(data[16:], clip.Pictures[0]) || data[1] != 1 {
		t.Errorf("goes on with %d bytes, %v", len(data), err)
	}
	_, answer, err := websocket.Dial(ctx, w.base+"picture/front?types=video/AV1", nil)
	if err == nil || answer.StatusCode != http.StatusNotAcceptable {
		t.Errorf("a far end that nothing suits: %v", err)
	}
}
