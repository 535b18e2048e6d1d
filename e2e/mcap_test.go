package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/recording"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/repair"
	"github.com/waldo-robot/waldo/recording/write"
)

// seen is what a reader in another language prints of a file.
type seen struct {
	Topics map[string]struct {
		Schema   string   `json:"schema"`
		Count    int      `json:"count"`
		Disagree []string `json:"disagree"`
		Last     shown    `json:"last"`
	} `json:"topics"`
	Attachments []string `json:"attachments"`
	Count       int      `json:"count"`
	InOrder     int      `json:"in_order"`
}

// shown is what it sees of a picture or packet.
type shown struct {
	Format  string `json:"format"`
	Size    int    `json:"size"`
	Seconds int64  `json:"seconds"`
	Frame   string `json:"frame"`
}

// mcapFile writes 100 messages to each channel, of all sorts, and ends the file as it is told.
func mcapFile(t *testing.T, path string, end func(*write.File) error) {
	t.Helper()
	f := recordingtest.Record(t, path, 100, 500, write.Config{ChunkBytes: 20_000})
	image := recordingtest.Video("photo")
	image.Media = media.JPEG
	images := recordingtest.Add(t, f, image)
	sounds := recordingtest.Add(t, f,
		recording.Channel{Device: "voice", Kind: "audio", Stream: "audio", Direction: recording.Out,
			Type: "waldo.media.v1.AudioFrame", Files: recordingtest.Files(&mediav1.AudioFrame{}), Media: "audio/opus"})
	packet, err := proto.Marshal(&mediav1.AudioFrame{CaptureTime: timestamppb.New(recordingtest.Begin),
		Data: make([]byte, 77)})
	if err != nil {
		t.Fatal(err)
	}
	last := recordingtest.Picture(100, 500)
	for range 100 {
		if err := f.Write(images, last); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(sounds, write.Message{Logged: last.Logged, Data: packet}); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(f); err != nil {
		t.Fatal(err)
	}
}

// TestMCAPReaders: what other programs make of a recording, whole and repaired: the readers of PyPI and npm decode
// pictures and sound by Foxglove's schemas, and a checker of MCAP files finds nothing.
func TestMCAPReaders(t *testing.T) {
	python := os.Getenv("WALDO_PYTHON")
	if python == "" {
		t.Fatal("WALDO_PYTHON is not set: run the tests with `make test`, or set it to the Python of `make venv`")
	}
	for name, end := range map[string]func(*write.File) error{
		"whole": (*write.File).Close,
		"repaired": func(f *write.File) error {
			f.Abandon()
			part := f.Path() + write.PartSuffix
			about, err := os.Stat(part)
			if err == nil {
				err = os.Truncate(part, about.Size()-20) // in the index of the last chunk
			}
			if err == nil {
				_, err = repair.File(part)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "drive.mcap")
			mcapFile(t, path, end)
			checkSeen(t, harness.Run(t, nil, python, "readers/recording.py", path), 310)
			checkSeen(t, harness.Run(t, nil, "node", "readers/recording.mjs", path), 0)
			doctor := filepath.Join(filepath.Dir(python), "pymcap-cli")
			out := harness.Run(t, nil, doctor, "--quiet", "doctor", "--strict-message-order", "--format", "jsonl", path)
			if !strings.Contains(out, `"errors":0,"warnings":0`) {
				t.Errorf("the checker finds:\n%s", out)
			}
		})
	}
}

// checkSeen checks what a reader has printed.
func checkSeen(t *testing.T, printed string, inOrder int) {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(printed), &s); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	if s.Count != 310 || s.InOrder != inOrder || len(s.Attachments) != 1 || s.Attachments[0] != "robot.yaml" {
		t.Errorf("%d messages, %d in order, attachments %q", s.Count, s.InOrder, s.Attachments)
	}
	captured := func(n int) int64 { return recordingtest.Picture(n, 0).Logged.Add(-5 * time.Millisecond).Unix() }
	for topic, want := range map[string]struct {
		schema string
		count  int
		last   shown
	}{
		"/front/video": {"foxglove.CompressedVideo", 100, shown{"h264", 500, captured(99), "front"}},
		"/photo/video": {"foxglove.CompressedImage", 100, shown{"jpeg", 500, captured(100), "photo"}},
		"/voice/audio": {"foxglove.CompressedAudio", 100, shown{"opus", 77, recordingtest.Begin.Unix(), ""}},
		"/motors":      {"waldo.device.v1.Device", 10, shown{}},
	} {
		got := s.Topics[topic]
		if got.Schema != want.schema || got.Count != want.count || len(got.Disagree) > 0 || got.Last != want.last {
			t.Errorf("%s: %+v", topic, got)
		}
	}
}
