//go:build !nolibav

package ingest

import (
	"bytes"
	"image/jpeg"
	"testing"
	"time"

	camerav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/camera/v1"
	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/services/rtsp-ingest/fakecam"
	"github.com/waldo-robot/waldo/video/codec/network"
	"github.com/waldo-robot/waldo/video/source"
)

// framesAs returns five frames of a format that a program asks for.
func (w *world) framesAs(f *mediav1.VideoFormat) (frames []*mediav1.VideoFrame) {
	w.t.Helper()
	stream, err := w.camera.StreamFrames(w.context(), &camerav1.StreamFramesRequest{Format: f})
	if err != nil {
		w.t.Fatal(err)
	}
	for len(frames) < 5 {
		r, err := stream.Recv()
		if err != nil {
			w.t.Fatal(err)
		}
		if one := r.GetFrame(); one != nil {
			frames = append(frames, one)
		}
	}
	return frames
}

// Programs have the pictures of a camera that sends MPEG-4 part 2 raw, as JPEG, as H.264, and as they are; with
// B-frames too each comes once, in the order in which they were captured.
func TestMPEG4ForPrograms(t *testing.T) {
	for name, size := range map[string][2]int{"plain.m4v": {640, 360}, "bframes.m4v": {320, 240}} {
		t.Run(name, func(t *testing.T) {
			w := start(t, fakecam.Start(t, fakecam.Config{Tracks: []fakecam.Track{{Media: fakecam.Clip(name)}}}), nil)
			for _, f := range w.framesAs(&mediav1.VideoFormat{MediaType: media.JPEG}) {
				c, err := jpeg.DecodeConfig(bytes.NewReader(f.GetData()))
				if err != nil || [2]int{c.Width, c.Height} != size {
					t.Errorf("JPEG: %v, %v", c, err)
				}
			}
			if f := w.framesAs(&mediav1.VideoFormat{MediaType: media.MPEG4})[0]; !f.GetKeyFrame() {
				t.Error("as it is: the first frame is no key frame")
			}
			coded := w.framesAs(&mediav1.VideoFormat{MediaType: media.H264})
			d, err := network.Codecs().NewDecoder(media.H264)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			img, _, err := d.Decode(source.Frame{Data: coded[0].GetData(), Key: coded[0].GetKeyFrame(), Time: time.Now()})
			if err != nil || img == nil || [2]int{img.Width, img.Height} != size {
				t.Errorf("H.264: %v, %v", img != nil, err)
			}
			// With B-frames only the first pictures show how far the clocks are apart. By now they are over.
			raw := w.framesAs(&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
			for i, f := range raw {
				if got := len(f.GetData()); got != media.I420Size(size[0], size[1]) {
					t.Errorf("%d bytes of raw picture", got)
				}
				if i == 0 {
					continue
				}
				if after := f.GetCaptureTime().AsTime().Sub(raw[i-1].GetCaptureTime().AsTime()); after < 20*time.Millisecond {
					t.Errorf("picture %d was captured %v after the one before", i, after)
				}
			}
		})
	}
}
