package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const width, height, count = 64, 48, 5

// pictures encodes a few pictures, each of another grey.
func pictures(t testing.TB, mediaType string) [][]byte {
	t.Helper()
	e, err := standard.Codecs().NewEncoder(
		&mediav1.VideoFormat{MediaType: mediaType, WidthPx: width, HeightPx: height, FrameRateHz: 30}, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var all [][]byte
	for i := range count {
		img := media.NewI420(width, height)
		for j := range img.Y {
			img.Y[j] = byte(20 + 40*i)
		}
		p, err := e.Encode(img, false, time.Unix(0, int64(i)*33e6))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Data)
	}
	return all
}

func y4m() []byte {
	out := []byte("YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n")
	for i := range count {
		out = append(out, "FRAME\n"...)
		out = append(out, bytes.Repeat([]byte{byte(20 + i)}, media.I420Size(width, height))...)
	}
	return out
}

// recorded writes pictures with the given distance between decoding and showing.
func recorded(t testing.TB, offset func(i int) int32) []byte {
	t.Helper()
	units := pictures(t, media.H264)
	sps, pps := annexb.ParameterSets(units[0])
	track := &pmp4.Track{ID: 1, TimeScale: 90000, Codec: &codecs.H264{SPS: sps, PPS: pps}}
	for i, au := range units {
		var nals h264.AVCC
		for nal := range annexb.NALs(au) {
			nals = append(nals, nal)
		}
		payload, err := nals.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		track.Samples = append(track.Samples, &pmp4.Sample{
			Duration: 3000, IsNonSyncSample: i > 0, PTSOffset: offset(i), PayloadSize: uint32(len(payload)),
			GetPayload: func() ([]byte, error) { return payload, nil },
		})
	}
	var out bytes.Buffer
	if err := (pmp4.Presentation{Tracks: []*pmp4.Track{track}}).Marshal(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func none(int) int32 { return 0 }

// videos are one good file of each kind.
func videos(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"a.h264":  bytes.Join(pictures(t, media.H264), nil),
		"a.mjpeg": bytes.Join(pictures(t, media.JPEG), []byte("rubbish between")),
		"a.y4m":   y4m(),
		"a.mp4":   recorded(t, none),
	}
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	for name, data := range videos(t) {
		t.Run(name, func(t *testing.T) {
			path := write(t, name, data)
			sourcetest.Run(t, func(t *testing.T) source.Source {
				s, err := Open(path, Config{FrameRate: 100})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// TestPlaysOverAndOver looks at two rounds of each kind of file: the pictures repeat, and decode.
func TestPlaysOverAndOver(t *testing.T) {
	for name, data := range videos(t) {
		t.Run(name, func(t *testing.T) {
			s, err := Open(write(t, name, data), Config{FrameRate: 200})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if f := s.Info().Current; f.GetWidthPx() != width || f.GetHeightPx() != height {
				t.Errorf("format %v", f)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var frames []source.Frame
			if err := s.Capture(ctx, func(f source.Frame) {
				if frames = append(frames, f); len(frames) == 2*count {
					cancel()
				}
			}); err != nil {
				t.Fatal(err)
			}
			d := decoder(t, s.Info().Current.GetMediaType())
			for i, f := range frames {
				if !bytes.Equal(f.Data, frames[i%count].Data) {
					t.Errorf("frame %d is not the one of the first round", i)
				}
				if img, _, err := d.Decode(f); err != nil || img == nil {
					t.Errorf("frame %d does not decode: %v", i, err)
				}
			}
			if frames[0].Metadata["position"] != "0s" || frames[count].Metadata["position"] != "0s" {
				t.Errorf("positions %v, %v", frames[0].Metadata, frames[count].Metadata)
			}
		})
	}
}

func decoder(t *testing.T, mediaType string) codec.Decoder {
	t.Helper()
	d, err := standard.Codecs().NewDecoder(mediaType)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestPace(t *testing.T) {
	s, err := Open(write(t, "a.y4m", y4m()), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := s.Info().Current.GetFrameRateHz(); r != 25 {
		t.Errorf("rate %v, the file says 25", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	start, n := time.Now(), 0
	if err := s.Capture(ctx, func(source.Frame) {
		if n++; n == 11 {
			cancel()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 390*time.Millisecond {
		t.Errorf("11 pictures at 25 per second took %v", took)
	}
}

func TestBadFiles(t *testing.T) {
	good := videos(t)
	units := pictures(t, media.H264)
	sps, _ := annexb.ParameterSets(units[0])
	tests := map[string]struct {
		name string
		data []byte
		is   error
		says string
	}{
		"unknown ending":     {"a.avi", []byte("RIFF"), source.ErrNotMedia, ".mp4"},
		"empty H.264":        {"a.h264", nil, source.ErrNotMedia, "parameter set"},
		"no key frame":       {"a.h264", append(annexb.Append(nil, sps), units[1]...), source.ErrNotMedia, "no pictures"},
		"no JPEG":            {"a.mjpeg", []byte("text"), source.ErrNotMedia, "no JPEG"},
		"JPEG cut short":     {"a.mjpeg", good["a.mjpeg"][:100], source.ErrNotMedia, "no JPEG"},
		"no y4m":             {"a.y4m", []byte("text\n"), source.ErrNotMedia, "YUV4MPEG2"},
		"y4m without size":   {"a.y4m", []byte("YUV4MPEG2 F25:1\n"), source.ErrNotMedia, "width_px"},
		"y4m cut short":      {"a.y4m", y4m()[:100], source.ErrNotMedia, "no pictures"},
		"y4m 4:4:4":          {"a.y4m", []byte("YUV4MPEG2 W64 H48 C444\n"), source.ErrNotMedia, "yuv420p"},
		"y4m interlaced":     {"a.y4m", []byte("YUV4MPEG2 W64 H48 It\n"), source.ErrNotMedia, "interlaced"},
		"y4m rate of nought": {"a.y4m", []byte("YUV4MPEG2 W64 H48 F25:0\n"), source.ErrNotMedia, "frame rate"},
		"no MP4":             {"a.mp4", []byte("text"), source.ErrNotMedia, "MP4"},
		"MP4 cut short":      {"a.mp4", good["a.mp4"][:300], source.ErrNotMedia, "MP4"},
		"B frames": {"a.mp4", recorded(t, func(i int) int32 { return int32(i%2) * 6000 }), source.ErrNotMedia,
			"-bf 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.name, tt.data)
			_, err := Open(path, Config{})
			if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %v with %q", err, tt.is, tt.says)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "a.mp4"), Config{}); !errors.Is(err, device.ErrAway) {
		t.Errorf("missing file: %v", err)
	}
}

func TestFileThatGoesAndReturns(t *testing.T) {
	path := write(t, "a.y4m", y4m())
	s, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Capture(t.Context(), func(source.Frame) {}); !errors.Is(err, device.ErrAway) {
		t.Errorf("missing: %v", err)
	}
	other := bytes.Replace(y4m(), []byte("W64 H48"), []byte("W48 H64"), 1)
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Capture(t.Context(), func(source.Frame) {}); !errors.Is(err, device.ErrAway) {
		t.Errorf("replaced by another: %v", err)
	}
}

// FuzzParse gives any bytes to every parser, and reads all that they find.
func FuzzParse(f *testing.F) {
	for name, data := range videos(f) {
		f.Add(filepath.Ext(name), data)
		f.Add(filepath.Ext(name), data[:len(data)/2])
	}
	f.Add(".y4m", []byte("YUV4MPEG2 W8192 H8192 F1:1 C420\nFRAME\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		if len(ext) > 8 || strings.ContainsAny(ext, "/\x00") {
			return
		}
		path := filepath.Join(dir, fmt.Sprintf("%d%s", os.Getpid(), ext))
		if os.WriteFile(path, data, 0o600) != nil {
			return
		}
		c, err := load(path, Config{FrameRate: 30})
		if err != nil {
			return
		}
		defer func() { _ = c.close() }()
		for _, frame := range c.frames {
			if data, _, err := frame.read(); err == nil && media.FrameSize(c.format) > 0 &&
				len(data) != media.FrameSize(c.format) {
				t.Errorf("a raw picture of %d bytes", len(data))
			}
		}
	})
}
