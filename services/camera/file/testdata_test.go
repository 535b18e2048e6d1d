package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// recordings are the files of testdata, of 64x48 pixels and five pictures each: made by ffmpeg 5.1 with x264 and x265.
var recordings = map[string]struct {
	rotate int
	says   string // why it is refused; "" if it is played
}{
	"without-edit-list.mp4":    {},
	"fragmented.mp4":           {},
	"fragment-per-picture.mp4": {},
	"dash.mp4":                 {},
	"faststart.mp4":            {},
	"quicktime.mov":            {},
	"in-band-parameters.mp4":   {},
	"sound-first.mp4":          {},
	"rotated-90.mp4":           {rotate: 270}, // ffmpeg counts counterclockwise
	"high10.mp4":               {says: "10 bits"},
	"high10.h264":              {says: "10 bits"},
	"interlaced.mp4":           {says: "interlaced"},
	"4-2-2.mp4":                {says: "4:2:2"},
	"4-4-4.mp4":                {says: "4:4:4"},
	"monochrome.mp4":           {says: "monochrome"},
	"lossless.mp4":             {says: "profile 244"},
	"b-frames.mp4":             {says: "B frames"},
	"b-frames.h264":            {says: "B frames"},
	"hevc.mp4":                 {says: "H.265"},
	"matroska.mp4":             {says: "Matroska"},
}

func TestRecordings(t *testing.T) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) != len(recordings) {
		t.Errorf("%d files in testdata, %v; want %d", len(names), err, len(recordings))
	}
	for name, want := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(filepath.Join("testdata", name), Config{})
			if want.says != "" {
				if !errors.Is(err, source.ErrNotMedia) || !strings.Contains(err.Error(), want.says) ||
					!strings.Contains(err.Error(), "ffmpeg -i") {
					t.Errorf("got %v, want ErrNotMedia with %q and the remedy", err, want.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			f := s.Info().Current
			if f.GetWidthPx() != 64 || f.GetHeightPx() != 48 || f.GetFrameRateHz() != 5 || s.Info().Rotate != want.rotate {
				t.Errorf("format %v, to be turned by %d, want %d", f, s.Info().Rotate, want.rotate)
			}
			playFive(t, s)
		})
	}
}

// playFive plays all pictures once and decodes them.
func playFive(t *testing.T, s *Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	d := decoder(t, s.Info().Current.GetMediaType())
	n, decoded := 0, 0
	if err := s.Capture(ctx, func(f source.Frame) {
		if n++; n > 5 {
			return
		}
		img, _, err := d.Decode(f)
		if err != nil || img != nil && img.Width != 64 {
			t.Errorf("picture %d does not decode: %v", n, err)
		}
		if img != nil {
			decoded++
		}
		if f.Key != (n == 1) && n < 5 {
			t.Errorf("picture %d: key frame %v", n, f.Key)
		}
		if n == 5 {
			cancel()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if n != 5 || decoded < 4 { // where the stream does not say that it has no B frames, the decoder keeps one back
		t.Errorf("%d pictures came, of which %d decode; want 5", n, decoded)
	}
}

// TestJPEGs refuses files whose pictures are no whole JPEGs of one size, and hands out all others with their Huffman
// tables.
func TestJPEGs(t *testing.T) {
	bare, err := os.ReadFile("../../../pkg/media/mjpeg/testdata/without-tables.mjpeg")
	if err != nil {
		t.Fatal(err)
	}
	field := slices.Clone(bare)
	field[strings.Index(string(bare), "AVI1")+4] = 1
	small := pictures(t, media.JPEG)[0]
	for name, tt := range map[string]struct {
		data []byte
		says string
	}{
		"without tables": {bare, ""},
		"halves":         {field, "interlaced"},
		"two sizes":      {slices.Concat(bare, small), "320x240 and 64x48"},
		"a cut one last": {slices.Concat(bare, bare[:5000]), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(write(t, "a.mjpeg", tt.data), Config{FrameRate: 30})
			if tt.says != "" {
				if !errors.Is(err, source.ErrNotMedia) || !strings.Contains(err.Error(), tt.says) ||
					!strings.Contains(err.Error(), "ffmpeg") {
					t.Errorf("got %v, want ErrNotMedia with %q", err, tt.says)
				}
				return
			}
			if err != nil || len(c.frames) != 1 || c.format.GetWidthPx() != 320 {
				t.Fatalf("%v, %v", c, err)
			}
			if data, _, err := c.frames[0].read(); err != nil || !strings.Contains(string(data), "\xff\xc4") {
				t.Errorf("%d bytes without Huffman tables, %v", len(data), err)
			}
		})
	}
}

// TestNoTimes plays a file that does not say how fast it is at the pace of the configuration.
func TestNoTimes(t *testing.T) {
	data, err := os.ReadFile("testdata/without-edit-list.mp4")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "stts")
	copy(data[at+12:], []byte{0, 0, 0, 5, 0, 0, 0, 0}) // five pictures of no length
	s, err := Open(write(t, "a.mp4", data), Config{FrameRate: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if rate := s.Info().Current.GetFrameRateHz(); rate != 50 {
		t.Errorf("rate %v, want 50", rate)
	}
	playFive(t, s)
}
