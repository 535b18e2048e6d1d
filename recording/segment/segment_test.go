package segment_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/recording/mp4"
	"github.com/waldo-robot/waldo/recording/read"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/segment"
	"github.com/waldo-robot/waldo/recording/write"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape writes a recording for a test.
type tape struct {
	t    *testing.T
	file *write.File
	path string
}

func newTape(t *testing.T) *tape {
	t.Helper()
	path := filepath.Join(t.TempDir(), "drive.mcap")
	f, err := write.Create(path, write.Head{}, write.Config{ChunkBytes: 40_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Abandon)
	return &tape{t, f, path}
}

func (r *tape) write(c write.Channel, m write.Message) {
	r.t.Helper()
	if err := r.file.Write(c, m); err != nil {
		r.t.Fatal(err)
	}
}

func (r *tape) source() *segment.Source {
	r.t.Helper()
	if err := r.file.Close(); err != nil {
		r.t.Fatal(err)
	}
	return open(r.t, r.path)
}

func open(t *testing.T, paths ...string) *segment.Source {
	t.Helper()
	var files []*read.File
	for _, p := range paths {
		f, err := read.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		files = append(files, f)
	}
	return segment.New(files)
}

func at(n int) time.Time { return recordingtest.Begin.Add(time.Duration(n) * time.Second / 30) }

// record writes clips one after the other, as pictures of the camera front, and what it does not have of them.
func (r *tape) record(clips ...[][]byte) {
	r.t.Helper()
	c, err := r.file.Add(recordingtest.Video("front"))
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, clip := range clips {
		for _, unit := range clip {
			r.write(c, recordingtest.VideoMessage(n, at(n), recordingtest.H264(320, 240), annexb.IsKeyFrame(unit), unit))
			n++
		}
	}
}

// walk plays a stream from its beginning. It returns, for each initialization, what a player has, and all pieces.
func walk(t *testing.T, s *segment.Source, device, stream string) (files [][]byte, pieces []segment.Piece) {
	t.Helper()
	offset := time.Duration(0)
	for first := true; ; first = false {
		p, err := s.Piece(context.Background(), device, stream, offset, first)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Media) == 0 || len(p.Media) > 4<<20 {
			t.Fatalf("a piece of %d bytes at %v", len(p.Media), offset)
		}
		if first != (len(pieces) == 0) || first && len(p.Init) == 0 {
			t.Fatal("no initialization")
		}
		if !first && p.Offset != offset {
			t.Fatalf("the piece after the one that ends at %v begins at %v", offset, p.Offset)
		}
		if len(p.Init) > 0 {
			files = append(files, bytes.Clone(p.Init))
		}
		files[len(files)-1] = append(files[len(files)-1], p.Media...)
		pieces = append(pieces, p)
		if p.Next == 0 {
			return files, pieces
		}
		if p.Next <= offset {
			t.Fatalf("the piece at %v is followed by one at %v", offset, p.Next)
		}
		offset = p.Next
	}
}

// elementary returns the pictures of an MP4 file as a stream, and the times at which ffprobe finds them.
func elementary(t *testing.T, file []byte) (units [][]byte, times []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "piece.mp4")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	stream := recordingtest.Encode(t, "-i", path, "-c", "copy", "-f", "h264", "-")
	for unit := range annexb.AccessUnits(stream) {
		units = append(units, unit)
	}
	return units, probe(t, path)
}

func probe(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(strings.ReplaceAll(string(out), ",", ""))
}

// same compares pictures, unit by unit: start codes can be short or long.
func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d pictures, not %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(plain(got[i]), plain(want[i])) {
			t.Fatalf("picture %d differs", i)
		}
	}
}

func plain(unit []byte) (all []byte) {
	for nal := range annexb.NALs(unit) {
		all = annexb.Append(all, nal)
	}
	return all
}

// TestPictures: the pieces have the pictures as they were recorded, with their times, and a new resolution has a new
// initialization.
func TestPictures(t *testing.T) {
	large := recordingtest.Clip(t, "320x240", "3", "30")
	small := recordingtest.Clip(t, "160x120", "2", "30")
	r := newTape(t)
	r.record(large, small)
	files, pieces := walk(t, r.source(), "front", "video")
	if len(files) != 2 || len(pieces) != 5 {
		t.Fatalf("%d files, %d pieces", len(files), len(pieces))
	}
	units, times := elementary(t, files[0])
	same(t, units, large)
	// The first picture was captured 20 ms before the recording begins with its arrival.
	if times[0] != "0.000000" || times[1] != "0.013333" || times[30] != "0.980000" {
		t.Errorf("times %v", times[:31])
	}
	if units, times = elementary(t, files[1]); times[0] != "2.980000" {
		t.Errorf("times %v", times)
	}
	same(t, units, small)
	if pieces[0].Codec != "avc1.42c00d" {
		t.Errorf("codec %q", pieces[0].Codec)
	}
}

// TestSeek: a piece begins with the newest key frame before a time, and the initialization is told where it is another.
func TestSeek(t *testing.T) {
	r := newTape(t)
	r.record(recordingtest.Clip(t, "320x240", "3", "30"), recordingtest.Clip(t, "160x120", "2", "30"))
	s := r.source()
	second := func(n int) time.Duration { return time.Duration(n)*time.Second - 20*time.Millisecond }
	for _, tt := range []struct {
		name       string
		at         time.Duration
		wantInit   bool
		begin      time.Duration
		init, none bool
	}{
		{"the beginning", 0, true, 0, true, false},
		{"before it", -time.Second, true, 0, true, false},
		{"between key frames", 1500 * time.Millisecond, false, second(1), false, false},
		{"a key frame", second(2), false, second(2), false, false},
		{"just before a key frame, as players round", second(2) - 100*time.Microsecond, false, second(2), false, false},
		{"the first of another size", 3500 * time.Millisecond, false, second(3), true, false},
		{"the second of another size", 4500 * time.Millisecond, false, second(4), false, false},
		{"after the end", time.Hour, false, second(4), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := s.Piece(context.Background(), "front", "video", tt.at, tt.wantInit)
			if err != nil {
				t.Fatal(err)
			}
			if p.Offset != tt.begin || (len(p.Init) > 0) != tt.init || (len(p.Media) == 0) != tt.none {
				t.Errorf("at %v, %d bytes of initialization, %d of media", p.Offset, len(p.Init), len(p.Media))
			}
		})
	}
}

// TestLongGroup: a group of pictures too long for a piece is cut, and goes on.
func TestLongGroup(t *testing.T) {
	clip := recordingtest.Clip(t, "320x240", "9", "600")
	r := newTape(t)
	r.record(clip)
	s := r.source()
	files, pieces := walk(t, s, "front", "video")
	if len(files) != 1 || len(pieces) < 4 {
		t.Fatalf("%d files, %d pieces", len(files), len(pieces))
	}
	units, _ := elementary(t, files[0])
	same(t, units, clip)
	// Whoever seeks into the middle gets what decoding begins with.
	if p, err := s.Piece(context.Background(), "front", "video", 5*time.Second, false); err != nil || p.Offset != 0 {
		t.Errorf("at %v, %v", p.Offset, err)
	}
}

// TestReordered: pictures that are not shown in the order in which they were sent are shown at their times.
func TestReordered(t *testing.T) {
	clip := recordingtest.Clip(t, "320x240", "2", "30", "-bf", "2", "-preset", "medium", "-x264-params",
		"b-adapt=0:scenecut=0")
	r := newTape(t)
	c, err := r.file.Add(recordingtest.Video("front"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := r.file.Add(recordingtest.State("motors"))
	if err != nil {
		t.Fatal(err)
	}
	r.write(other, write.Message{Logged: recordingtest.Begin}) // so that no picture was captured before the recording
	// Each group is I P B B P B B …: a picture with B pictures after it is shown after them.
	for n, unit := range clip {
		shown := n
		key, isB := annexb.IsKeyFrame(unit), false
		for nal := range annexb.NALs(unit) {
			isB = isB || annexb.IsB(nal)
		}
		switch {
		case isB:
			shown--
		case !key:
			for next := n + 1; next < len(clip) && hasB(clip[next]); next++ {
				shown++
			}
		}
		m := recordingtest.VideoMessage(n, at(shown), recordingtest.H264(320, 240), key, unit)
		m.Logged = at(n).Add(200 * time.Millisecond)
		r.write(c, m)
	}
	files, _ := walk(t, r.source(), "front", "video")
	units, _ := elementary(t, files[0])
	same(t, units, clip)
	path := filepath.Join(t.TempDir(), "b.mp4")
	if err := os.WriteFile(path, files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0",
		path).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Fields(strings.ReplaceAll(string(out), ",", ""))
	if len(shown) != 60 {
		t.Fatalf("%d pictures: %s", len(shown), out)
	}
	for i := range shown {
		if want := at(i).Sub(recordingtest.Begin).Seconds(); !near(shown[i], want) {
			t.Errorf("picture %d is shown at %s, not %.6f", i, shown[i], want)
		}
	}
}

func hasB(unit []byte) bool {
	for nal := range annexb.NALs(unit) {
		if annexb.IsB(nal) {
			return true
		}
	}
	return false
}

func near(shown string, want float64) bool {
	d, err := time.ParseDuration(shown + "s")
	return err == nil && d.Seconds()-want < 0.001 && want-d.Seconds() < 0.001
}

// TestRefused: what is not there, and what browsers do not play, is told.
func TestRefused(t *testing.T) {
	r := newTape(t)
	c, err := r.file.Add(recordingtest.Video("front"))
	if err != nil {
		t.Fatal(err)
	}
	format := &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 320, HeightPx: 240}
	r.write(c, recordingtest.VideoMessage(0, at(0), format, true, []byte{0xff, 0xd8}))
	s := r.source()
	for name, tt := range map[string]struct {
		device, stream string
		want           error
	}{
		"no such device": {"rear", "video", segment.ErrNoStream},
		"no such stream": {"front", "audio", segment.ErrNoStream},
		"JPEG":           {"front", "video", mp4.ErrUnsupported},
	} {
		if _, err := s.Piece(context.Background(), tt.device, tt.stream, 0, true); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mediaType, codec, err := s.Stream(context.Background(), "front", "video")
	if mediaType != media.JPEG || codec != "" || err != nil {
		t.Errorf("%q, %q, %v", mediaType, codec, err)
	}
}
