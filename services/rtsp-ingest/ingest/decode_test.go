//go:build !nolibav

package ingest

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/network"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

const interval25 = time.Second / fakecam.FPS

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// shown is a decoded picture and when it was captured.
type shown struct {
	*media.I420
	at time.Time
}

// frames are those of a clip, as a camera sends them and package picture passes them on.
func frames(t *testing.T, m *fakecam.Media, change func(i int, p *feed.Picture)) (out []source.Frame) {
	t.Helper()
	types := map[string]string{fakecam.H264: media.H264, fakecam.H265: media.H265, fakecam.MPEG4: media.MPEG4}
	mediaType := types[m.Encoding]
	s := pictures{picture.New(mediaType, [][]byte{m.Config})}
	for i, u := range m.Units {
		p := feed.Picture{MediaType: mediaType, Data: u.Data, Arrival: noon.Add(time.Duration(i) * interval25)}
		if change != nil {
			change(i, &p)
		}
		if f, ok := s.Add(p, noon.Add(time.Duration(u.Place)*interval25)); ok {
			out = append(out, f)
		}
	}
	return out
}

func decode(t *testing.T, list []source.Frame) (out []shown) {
	t.Helper()
	set := network.Codecs()
	var d codec.Decoder
	d, err := set.NewDecoder(list[0].Format.GetMediaType())
	if err != nil {
		t.Skip("SKIPPED:", err)
	}
	defer d.Close()
	for i, f := range list {
		img, at, err := d.Decode(f)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if img != nil {
			out = append(out, shown{img, at})
		}
	}
	return out
}

// reference has ffmpeg decode a clip.
func reference(t *testing.T, m *fakecam.Media, width, height int) (out []*media.I420) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: there is no ffmpeg (Debian: ffmpeg) to decode with; `make test` installs it")
	}
	stream := bytes.Clone(m.Config)
	for _, u := range m.Units {
		for _, data := range u.Data {
			if m.Encoding == fakecam.MPEG4 { // it has start codes
				stream = append(stream, data...)
				continue
			}
			stream = annexb.Append(stream, data)
		}
	}
	name := map[string]string{fakecam.H264: "h264", fakecam.H265: "hevc", fakecam.MPEG4: "m4v"}[m.Encoding]
	cmd := exec.Command("ffmpeg", "-v", "error", "-f", name, "-i", "-", "-fps_mode", "passthrough", "-f", "rawvideo",
		"-pix_fmt", "yuv420p", "-")
	var raw, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stream), &raw, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, &complaints)
	}
	for raw.Len() > 0 {
		img, err := media.I420FromPacked(raw.Next(media.I420Size(width, height)), width, height)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, img)
	}
	return out
}

func codedClips() (names []string) {
	for _, name := range fakecam.Clips() {
		if strings.HasSuffix(name, ".h264") || strings.HasSuffix(name, ".h265") || strings.HasSuffix(name, ".m4v") {
			names = append(names, name)
		}
	}
	return names
}

// What a camera sends is decoded as ffmpeg decodes it, in the order in which it was captured, each picture with its own
// capture time, and with as little delay as its order allows.
func TestEachClipIsDecoded(t *testing.T) {
	for _, name := range codedClips() {
		t.Run(name, func(t *testing.T) {
			m := fakecam.Clip(name)
			got := decode(t, frames(t, m, nil))
			delay := 0
			if strings.HasPrefix(name, "bframes") {
				delay = 2
			}
			if len(got) < len(m.Units)-delay {
				t.Fatalf("%d pictures of %d", len(got), len(m.Units))
			}
			want := reference(t, m, got[0].Width, got[0].Height)
			for i, p := range got {
				if at := noon.Add(time.Duration(i) * interval25); !p.at.Equal(at) {
					t.Errorf("picture %d was captured at %v, want %v", i, p.at.Sub(noon), at.Sub(noon))
				}
				if psnr := yuvtest.WorstPSNR(want[i], p.I420); psnr < 40 {
					t.Errorf("picture %d is not the one of ffmpeg: %.1f dB", i, psnr)
				}
			}
		})
	}
}

// A picture of which a part was lost is not shown, and nothing that builds on it: the pictures that are shown are those
// of the undamaged stream, and they come back with the next key frame.
func TestNothingIsShownAfterLoss(t *testing.T) {
	for _, name := range []string{"high.h264", "bframes.h264", "slices.h264", "plain.h265", "bframes.h265", "plain.m4v"} {
		t.Run(name, func(t *testing.T) {
			m := fakecam.Clip(name)
			got := decode(t, frames(t, m, func(i int, p *feed.Picture) {
				if i == 10 {
					last := p.Data[len(p.Data)-1]
					p.Damaged, p.Data = true, append(p.Data[:len(p.Data)-1:len(p.Data)-1], last[:len(last)/2])
				}
			}))
			want := reference(t, m, got[0].Width, got[0].Height)
			back := false
			for _, p := range got {
				i := int(p.at.Sub(noon) / interval25)
				if psnr := yuvtest.WorstPSNR(want[i], p.I420); psnr < 40 {
					t.Errorf("picture %d is shown with %.1f dB", i, psnr)
				}
				if i >= 10 && i < 25 && !strings.HasPrefix(name, "bframes") {
					t.Errorf("picture %d is shown", i)
				}
				back = back || i > 25
			}
			if !back {
				t.Error("no picture after the next key frame")
			}
		})
	}
}
