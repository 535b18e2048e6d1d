package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// Clients of Motion JPEG that know nothing of each other.

// TestMotionJPEGPlayers: ffmpeg and curl, which can be given an address and nothing else, so the token is its password.
func TestMotionJPEGPlayers(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Env: []string{"WALDO_TOKEN=" + harness.Token}, Devices: cameraAlone})
	host := strings.TrimPrefix(robot.URL, "http://")
	address := "http://:" + harness.Token + "@" + host + "/mjpeg/front"
	sums := map[string]bool{}
	played := harness.Run(t, nil, "ffmpeg", "-v", "error", "-i", address, "-frames:v", "60", "-f", "framemd5", "-")
	for line := range strings.Lines(played) {
		if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") && strings.TrimSpace(fields[4]) == "460800" {
			sums[strings.TrimSpace(fields[5])] = true
		}
	}
	if len(sums) < 50 { // the test card moves all the time
		t.Errorf("ffmpeg saw %d different pictures of 640x480, want 60:\n%s", len(sums), played)
	}
	file := filepath.Join(t.TempDir(), "pictures")
	harness.Run(t, nil, "sh", "-c", `curl -sSN "$1?fps=10" | head -c 300000 >"$2"`, "sh", address, file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, picture, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if _, err := jpeg.Decode(bytes.NewReader(picture)); !found || err != nil {
		t.Errorf("curl got %d bytes, whose first picture cannot be read: %v", len(data), err)
	}
	if head := harness.Run(t, nil, "curl", "-sSI", address); !strings.Contains(head, "200 OK") ||
		!strings.Contains(head, "Content-Type: multipart/x-mixed-replace; boundary=") {
		t.Errorf("HEAD: %s", head)
	}
	answer, err := http.Get(robot.URL + "/mjpeg/front")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: %s", answer.Status)
	}
}

// showsMotion adds an image to the page, whose picture is compared with the last one that was seen.
const showsMotion = `(() => {
  const img = document.createElement('img');
  img.src = '/mjpeg/front';
  document.body.append(img);
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  window.motion = { img, errors: 0, last: '',
    moved() {
      if (!img.naturalWidth) return false;
      context.drawImage(img, 0, 0, 64, 48);
      const now = Array.from(context.getImageData(0, 0, 64, 48).data).join();
      const moved = this.last !== '' && now !== this.last;
      this.last = now;
      return moved;
    },
  };
  img.addEventListener('error', () => window.motion.errors++);
})()`

// TestMotionJPEGInABrowser: an <img> moves, and moves on in the same response when the camera's
// process has been killed.
func TestMotionJPEGInABrowser(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	front := robot.Device(t, "front")
	page := harness.StartBrowser(t).Open(t, robot.URL+"/healthz")
	harness.Eval[any](t, page, showsMotion)
	for life := range 2 {
		for range 3 {
			page.Until(t, "motion.moved()")
		}
		if life == 0 {
			harness.Crash(t, front.PID)
			harness.Until(t, "the camera is back", func() error {
				if now := robot.Device(t, "front"); now.Epoch == front.Epoch || now.State != "ready" {
					return fmt.Errorf("it is %+v", now)
				}
				return nil
			})
			harness.Eval[any](t, page, "void motion.moved()") // what was on its way
		}
	}
	state := harness.Eval[json.RawMessage](t, page,
		"({ width: motion.img.naturalWidth, height: motion.img.naturalHeight, errors: motion.errors })")
	if string(state) != `{"errors":0,"height":480,"width":640}` &&
		string(state) != `{"width":640,"height":480,"errors":0}` {
		t.Errorf("the image is %s", state)
	}
}
