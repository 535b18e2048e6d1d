//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// frame is one frame of a clip of testdata.
type frame struct {
	data []byte
	key  bool
	show int // which of the clip's pictures it is
}

// clip is a file of testdata. Its picture i shows shown(i).
type clip struct {
	name, mediaType string
	frames          []frame
}

const (
	width, height = 96, 68
	count         = 12
	interval      = 40 * time.Millisecond
)

var base = time.Date(2026, 11, 1, 12, 0, 0, 123, time.UTC)

func shown(i int) *media.I420 { return yuvtest.Picture(width, height, 8*i) }

func captured(i int) time.Time { return base.Add(time.Duration(i) * interval) }

func clips(t testing.TB) (all []clip) {
	t.Helper()
	for _, ext := range []string{"h264", "h265", "m4v", "mjpeg"} {
		names, err := filepath.Glob("testdata/*." + ext)
		if err != nil || len(names) == 0 {
			t.Fatal("testdata is missing", err)
		}
		for _, name := range names {
			all = append(all, open(t, filepath.Base(name)))
		}
	}
	return all
}

func open(t testing.TB, name string) clip {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c := clip{name: name}
	switch filepath.Ext(name) {
	case ".h264":
		c.mediaType = media.H264
		c.add(data, []byte{0, 0, 0, 1, 9}, annexb.IsKeyFrame)
	case ".h265":
		c.mediaType = media.H265
		c.add(data, []byte{0, 0, 0, 1, 35 << 1, 1}, func(unit []byte) bool { // an IDR picture with or without leading ones
			return bytes.Contains(unit, []byte{0, 0, 1, 19 << 1, 1}) || bytes.Contains(unit, []byte{0, 0, 1, 20 << 1, 1})
		})
	case ".m4v":
		c.mediaType = media.MPEG4
		c.addMPEG4(data)
	default:
		c.mediaType = media.JPEG
		c.add(data, []byte{0xff, 0xd8, 0xff}, func([]byte) bool { return true })
	}
	c.order(t)
	return c
}

// add cuts data where units begin.
func (c *clip) add(data, begin []byte, key func(unit []byte) bool) {
	for _, unit := range bytes.Split(data, begin)[1:] {
		unit = append(bytes.Clone(begin), unit...)
		c.frames = append(c.frames, frame{data: unit, key: key(unit)})
	}
}

func (c *clip) addMPEG4(data []byte) {
	picture := []byte{0, 0, 1, 0xb6}
	parts := bytes.Split(data, picture)
	headers := parts[0]
	for _, part := range parts[1:] {
		next := len(part)
		if i := bytes.Index(part, []byte{0, 0, 1}); i >= 0 {
			next = i
		}
		c.frames = append(c.frames, frame{data: bytes.Join([][]byte{headers, part[:next]}, picture), key: part[0]>>6 == 0})
		headers = part[next:]
	}
	c.frames[0].data = bytes.TrimPrefix(c.frames[0].data, picture)
}

func (c *clip) order(t testing.TB) {
	t.Helper()
	order, err := os.ReadFile(filepath.Join("testdata", c.name+".order"))
	lines := strings.Fields(string(order))
	if len(c.frames) != count || err == nil && len(lines) != count {
		t.Fatalf("%s: %d frames, and %d in the order, want %d", c.name, len(c.frames), len(lines), count)
	}
	for i := range c.frames {
		c.frames[i].show = i
		if err == nil {
			if c.frames[i].show, err = strconv.Atoi(lines[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// delay is how many frames later than its own a picture may come.
func (c *clip) delay() int {
	for i, f := range c.frames {
		if f.show != i {
			return 2
		}
	}
	return 0
}

// least is how alike, in decibels, a clip's pictures are to what they show.
func (c *clip) least() float64 {
	if strings.HasPrefix(c.name, "grey") {
		return 0
	}
	return 36
}

func newDecoder(t testing.TB, mediaType string) *Decoder {
	t.Helper()
	d, err := NewDecoder(mediaType)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// picture is one that came out.
type picture struct {
	*media.I420
	time time.Time
	at   int // the frame after which it came
	err  error
}

// play decodes frames, of which each was captured when its picture is shown, and returns the pictures and errors.
func play(d *Decoder, frames []frame) (got []picture) {
	for i, f := range frames {
		img, at, err := d.Decode(f.data, f.key, captured(f.show))
		if img != nil || err != nil {
			got = append(got, picture{img, at, i, err})
		}
	}
	return got
}
