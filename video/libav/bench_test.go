//go:build cgo && !nolibav

package libav

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// moving has ffmpeg encode a moving and grainy picture of 1280x720 with 2 Mbit/s, 25 a second.
func moving(b *testing.B, mediaType string, args ...string) clip {
	b.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("SKIPPED: there is no ffmpeg (Debian: ffmpeg) to encode with; `make test` installs it")
	}
	card := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=2", "-vf",
		"noise=alls=6:allf=t", "-pix_fmt", "yuv420p", "-g", "25", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "1M"}
	cmd := exec.Command("ffmpeg", append(card, args...)...)
	var stream, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stream, &complaints
	if err := cmd.Run(); err != nil {
		b.Fatalf("ffmpeg: %v\n%s", err, &complaints)
	}
	c := clip{mediaType: mediaType}
	if mediaType == media.H264 {
		c.add(stream.Bytes(), []byte{0, 0, 0, 1, 9}, annexb.IsKeyFrame)
	} else {
		c.add(stream.Bytes(), []byte{0, 0, 0, 1, 35 << 1, 1}, func(unit []byte) bool {
			return bytes.Contains(unit, []byte{0, 0, 1, 19 << 1, 1}) || bytes.Contains(unit, []byte{0, 0, 1, 20 << 1, 1})
		})
	}
	return c
}

// BenchmarkDecode720p decodes what cameras send, with openh264 beside it where that can.
func BenchmarkDecode720p(b *testing.B) {
	x264 := func(bFrames string) []string {
		return []string{"-c:v", "libx264", "-bf", bFrames, "-x264-params", "aud=1:scenecut=0", "-f", "h264", "-"}
	}
	for _, bm := range []struct {
		name, mediaType string
		args            []string
		openh264        bool
	}{
		{"h264", media.H264, x264("0"), true},
		{"h264-b-frames", media.H264, x264("2"), true},
		{"h265", media.H265, []string{"-c:v", "libx265", "-preset", "fast", "-x265-params",
			"aud=1:bframes=0:open-gop=0:keyint=25:repeat-headers=1:log-level=error", "-f", "hevc", "-"}, false},
	} {
		c := moving(b, bm.mediaType, bm.args...)
		b.Run(bm.name+"/libav", func(b *testing.B) {
			d := newDecoder(b, c.mediaType)
			decodeAll(b, c, func(f frame) error { _, _, err := d.Decode(f.data, f.key, base); return err })
		})
		if !bm.openh264 {
			continue
		}
		b.Run(bm.name+"/openh264", func(b *testing.B) {
			d := openh264.NewDecoder()
			defer d.Close()
			decodeAll(b, c, func(f frame) error { _, err := d.Decode(f.data); return err })
		})
	}
}

func decodeAll(b *testing.B, c clip, decode func(frame) error) {
	b.ReportAllocs()
	defer yuvtest.MeasureCPU(b)()
	i := 0
	for b.Loop() {
		if err := decode(c.frames[i%len(c.frames)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
