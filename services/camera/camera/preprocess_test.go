package camera

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/preprocess"
)

// black is a command that makes all pictures black.
const black = `exec perl -e '$n = 3 * $ENV{FRAME_WIDTH} * $ENV{FRAME_HEIGHT}; $| = 1; ` +
	`print "\0" x $n while read(STDIN, $_, $n)'`

// TestPreprocess has a command paint everything black, for readers of H.264 and of raw pictures, and for snapshots.
// When the command does not run, pictures go on as they are.
func TestPreprocess(t *testing.T) {
	config := small()
	config.Preprocess = preprocess.Command{Line: black}
	config.Rotate = 90
	w := start(t, Kind(), config)
	w.await(t, "ready", w.state(ready))
	raw := w.stream(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24})
	for strings.Trim(string(receive(t, raw).GetData()), "\x00") != "" {
	}
	w.await(t, "the description says so", func() bool { // on a busy machine some may be late
		says := w.process.Kit().Device().GetAttributes()[preprocess.Attribute]
		return says == "changes all pictures" || strings.HasPrefix(says, "too slow")
	})
	encoded, decoder := w.stream(t, nil), openh264.NewDecoder()
	defer decoder.Close()
	for black := false; !black; {
		img, err := decoder.Decode(receive(t, encoded).GetData())
		if err != nil || img == nil || img.Width != 240 {
			t.Fatalf("H.264: %v", err)
		}
		black = img.Y[100*img.StrideY+100] < 32 && img.Y[200*img.StrideY+50] < 32
	}
	formats, err := w.camera.ListFormats(t.Context(), &camerav1.ListFormatsRequest{})
	if err != nil || formats.GetCurrentFormat().GetWidthPx() != 240 {
		t.Errorf("formats: %v, %v", formats, err)
	}
	if n := w.metric(t, `waldo_camera_preprocess_pictures_total{result="changed"}`); n == 0 {
		t.Error("no picture is counted")
	}
}

func TestPreprocessThatDoesNotRun(t *testing.T) {
	config := small()
	config.Preprocess = preprocess.Command{Line: "exit 7"}
	w := start(t, Kind(), config)
	w.await(t, "ready", w.state(ready))
	s := w.stream(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
	checkStamp(t, receive(t, s))
	w.await(t, "the description says why", func() bool {
		says := w.process.Kit().Device().GetAttributes()[preprocess.Attribute]
		return strings.Contains(says, "pictures pass unchanged") && strings.Contains(says, "exit status 7")
	})
	checkStamp(t, receive(t, s))
	if n := w.metric(t, "waldo_camera_preprocess_failures_total"); n == 0 {
		t.Error("no failure is counted")
	}
}

func TestPreprocessInTheFile(t *testing.T) {
	folder := t.TempDir()
	for text, want := range map[string]string{
		`python blur.py`: "", `""`: "write a command", `[python, blur.py]`: "single value",
	} {
		file := filepath.Join(folder, "robot.yaml")
		content := "robot: a\ndevices: {front: {kind: camera, preprocess: " + text + "}}\n"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := robot.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		c := Defaults()
		err = r.Devices[0].Decode(&c)
		if want == "" && (err != nil || c.Preprocess != preprocess.Command{Line: text, Folder: folder}) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "preprocess")) {
			t.Errorf("%s: %+v, %v", text, c.Preprocess, err)
		}
	}
}
