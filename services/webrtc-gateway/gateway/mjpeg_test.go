package gateway_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/services/webrtc-gateway/internal/fakecam"
)

// jpegClip is a camera that has made-up H.264, and JPEG as an alternative. Its pictures have these many bytes.
func jpegClip(sizes ...int) *fakecam.Clip {
	clip := &fakecam.Clip{MediaType: "image/jpeg"}
	for _, n := range sizes {
		clip.Pictures = append(clip.Pictures, append([]byte("\xff\xd8\xff"), make([]byte, n-3)...))
	}
	return clip
}

// motion is an open response with Motion JPEG.
type motion struct {
	t      *testing.T
	answer *http.Response
	parts  *multipart.Reader
}

func openMotion(t *testing.T, url, token string) *motion {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	_, params, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	return &motion{t, answer, multipart.NewReader(answer.Body, params["boundary"])}
}

// next returns the next picture.
func (m *motion) next() []byte {
	m.t.Helper()
	part, err := m.parts.NextRawPart()
	if err != nil {
		m.t.Fatal(err)
	}
	data, err := io.ReadAll(part)
	if err != nil || !bytes.HasPrefix(data, []byte("\xff\xd8\xff")) {
		m.t.Fatalf("%d bytes, %v", len(data), err)
	}
	return data
}

// TestMotionJPEGOfACamera: clients share one hold, others that watch the camera are not disturbed, and a camera that
// dies goes on in its next life.
func TestMotionJPEGOfACamera(t *testing.T) {
	w := newWorld(t, nil)
	config := fakecam.Config{Alternative: jpegClip(1000, 20_000)}
	cam := w.camera(config)
	viewer := stream{t: t, peer: w.watch()}
	viewer.frames(1)
	a, b := openMotion(t, w.base+"mjpeg/front", ""), openMotion(t, w.base+"mjpeg/front?fps=20", "")
	for range 5 {
		a.next()
		b.next()
	}
	if main, jpeg := cam.HoldersOf("video"), cam.HoldersOf("video-alternative"); main != 1 || jpeg != 1 {
		t.Errorf("the gateway holds the stream %d times, and that of JPEG %d times", main, jpeg)
	}
	for range 2 {
		cam.Stop()
		cam = w.camera(config)
		w.eventually("the camera is held again", func() bool { return cam.HoldersOf("video-alternative") == 1 })
		for range 30 { // more than what was on its way
			a.next()
			b.next()
		}
	}
	viewer.frames(1)
	w.eventually("all is counted", func() bool {
		metrics := w.get("metrics")
		return strings.Contains(metrics, `waldo_gateway_mjpeg_viewers{device="front"} 2`) &&
			strings.Contains(metrics, `waldo_gateway_mjpeg_lost_total{device="front",where="slow_viewer"}`)
	})
	_ = a.answer.Body.Close()
	_ = b.answer.Body.Close()
	w.eventually("the camera is let go of", func() bool { return cam.HoldersOf("video-alternative") == 0 })
	if cam.HoldersOf("video") != 1 {
		t.Error("the stream of the other viewer is not held any more")
	}
}

// TestMotionJPEGOfASlowClient: it loses pictures, what it gets is new, and nobody else notices.
func TestMotionJPEGOfASlowClient(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{Alternative: jpegClip(1 << 20)})
	slow, fast := openMotion(t, w.base+"mjpeg/front", ""), openMotion(t, w.base+"mjpeg/front", "")
	slow.next()
	turns := 0
	w.eventually("the slow one loses pictures", func() bool {
		fast.next()
		if turns++; turns%10 == 0 {
			slow.next() // one that takes nothing at all is disconnected
		}
		for line := range strings.Lines(w.get("metrics")) {
			if lost, ok := strings.CutPrefix(line, `waldo_gateway_mjpeg_lost_total{device="front",where="slow_viewer"} `); ok {
				return strings.TrimSpace(lost) != "0"
			}
		}
		return false
	})
	for range 3 {
		slow.next()
	}
}

// TestMotionJPEGOfNoCamera says what the device is, and what else there is.
func TestMotionJPEGOfNoCamera(t *testing.T) {
	w := newWorld(t, nil)
	w.camera(fakecam.Config{}) // without JPEG
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"mjpeg/front": {http.StatusNotAcceptable, "front has no JPEG at present, but video/H264: use WHEP"},
		"mjpeg/rear":  {http.StatusNotFound, `there is no device "rear"; there are: front`},
	} {
		answer, err := http.Get(w.base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != want.code || !strings.Contains(string(body), want.says) {
			t.Errorf("%s: %s, %s", path, answer.Status, body)
		}
	}
}

// TestGuestWatchesMotionJPEG: through the rendezvous server it is there for guests, and for nobody else.
func TestGuestWatchesMotionJPEG(t *testing.T) {
	f := newFarWith(t, guestsMayCome)
	cam, err := fakecam.Start(f.bus.URL(), bus.Address{Robot: "demo", Device: "front"},
		fakecam.Config{Alternative: jpegClip(5000)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.Stop)
	f.knows("video-alternative")
	for _, token := range []string{"", "wrong", secret} {
		if a := f.ask(http.MethodGet, "mjpeg/front", token, "", ""); a.status != http.StatusForbidden {
			t.Errorf("with the token %q: %d, %s", token, a.status, a.body)
		}
	}
	f.leaked.Store(false) // that was the test
	guest := openMotion(t, f.link+"mjpeg/front", guestToken)
	for range 10 {
		guest.next()
	}
	_ = guest.answer.Body.Close()
	f.eventually("the camera is let go of", func() bool { return cam.HoldersOf("video-alternative") == 0 })
}
