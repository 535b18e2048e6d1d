//go:build !nolibav

package ingest

import (
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/feed"
	"github.com/waldo-robot/waldo/video/yuv/yuvtest"
)

// A camera that never sends a key frame is decoded from where it says that one can begin, and what is shown is right.
func TestWithoutKeyFrames(t *testing.T) {
	for _, name := range []string{"refresh.h264", "bframes-open.h264"} {
		t.Run(name, func(t *testing.T) {
			m := fakecam.Clip(name)
			list := frames(t, m, func(_ int, p *feed.Picture) {
				if slices.ContainsFunc(p.Data, func(nal []byte) bool { return nal[0]&0x1f == 5 }) {
					p.Missing, p.Data = true, nil
				}
			})
			if len(list) < 60 || !list[0].Key || !list[0].Recode {
				t.Fatalf("%d frames; the first is a key frame: %v, to be encoded again: %v", len(list), list[0].Key,
					list[0].Recode)
			}
			got := decode(t, list)
			want := reference(t, m, got[0].Width, got[0].Height)
			for _, p := range got {
				i := int(p.at.Sub(noon) / interval25)
				if psnr := yuvtest.WorstPSNR(want[i], p.I420); psnr < 30 {
					t.Errorf("picture %d is shown with %.1f dB", i, psnr)
				}
			}
			if len(got) < 40 {
				t.Errorf("%d pictures are shown", len(got))
			}
		})
	}
}
