package encode

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func picture(width, height int32, pixels string) *mediav1.VideoFrame {
	f := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: pixels, WidthPx: width, HeightPx: height}
	return &mediav1.VideoFrame{Format: f, Data: make([]byte, media.FrameSize(f)),
		CaptureTime: timestamppb.New(time.Unix(5, 0))}
}

// TestEncode: pictures of all sizes and pixel formats are taken, and a new size begins with a key frame.
func TestEncode(t *testing.T) {
	e := New(Options{})
	defer e.Close()
	for i, tt := range []struct {
		picture *mediav1.VideoFrame
		key     bool
		want    bool
	}{
		{picture(64, 48, media.PixelBGR24), false, true},
		{picture(64, 48, media.PixelI420), false, false},
		{picture(64, 48, media.PixelNV12), true, true},
		{picture(33, 17, media.PixelI420), false, true},
	} {
		f, err := e.Encode(tt.picture, tt.key)
		if err != nil || f == nil {
			t.Fatalf("%d: %v, %v", i, f, err)
		}
		if f.GetKeyFrame() != tt.want || f.GetSequence() != int64(i) || f.GetFormat().GetWidthPx()%2 != 0 ||
			f.GetFormat().GetMediaType() != media.H264 || f.GetCaptureTime().GetSeconds() != 5 {
			t.Errorf("%d: %v, key %v", i, f.GetFormat(), f.GetKeyFrame())
		}
	}
}

func TestWhatCannotBeEncoded(t *testing.T) {
	e := New(Options{})
	defer e.Close()
	cut := picture(64, 48, media.PixelI420)
	cut.Data = cut.GetData()[1:]
	for name, p := range map[string]*mediav1.VideoFrame{
		"nothing": {}, "cut": cut, "too small": picture(8, 8, media.PixelI420),
		"encoded": {Format: &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 64, HeightPx: 48}, Data: []byte{1}},
	} {
		if f, err := e.Encode(p, true); f != nil || !errors.Is(err, media.ErrFormat) {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}
