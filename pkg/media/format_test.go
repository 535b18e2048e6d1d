package media_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func format(mediaType, pixel string, w, h int32, rate float64) *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: mediaType, PixelFormat: pixel, WidthPx: w, HeightPx: h, FrameRateHz: rate}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		format *mediav1.VideoFormat
		want   string // part of the error, empty for none
	}{
		"h264":          {format(media.H264, "", 640, 480, 30), ""},
		"vp8 odd":       {format(media.VP8, "", 641, 481, 30), ""},
		"vp8 pixels":    {format(media.VP8, "I420", 640, 480, 30), "pixel_format"},
		"jpeg odd":      {format(media.JPEG, "", 641, 481, 0), ""},
		"i420 smallest": {format(media.Raw, "I420", 2, 2, 1000), ""},
		"bgr biggest":   {format(media.Raw, "BGR24", 8192, 8192, 0), ""},
		"nothing":       {nil, "media_type"},
		"unknown type": {format("video/x", "", 640, 480, 30),
			`media_type is "video/x", must be one of image/jpeg, video/H264, video/H265, video/MPEG4, video/VP8, video/raw`},
		"raw no pixels":  {format(media.Raw, "", 640, 480, 30), "pixel_format"},
		"raw bad pixels": {format(media.Raw, "RGB24", 640, 480, 30), "pixel_format"},
		"jpeg pixels":    {format(media.JPEG, "I420", 640, 480, 30), "pixel_format"},
		"width 0":        {format(media.JPEG, "", 0, 480, 30), "width_px"},
		"width too big":  {format(media.JPEG, "", 8193, 480, 30), "width_px"},
		"height below 0": {format(media.JPEG, "", 640, -2, 30), "height_px"},
		"h264 odd width": {format(media.H264, "", 641, 480, 30), "width_px"},
		"h264 odd tall":  {format(media.H264, "", 640, 481, 30), "height_px"},
		"yuyv odd width": {format(media.Raw, "YUYV", 641, 480, 30), "width_px"},
		"rate below 0":   {format(media.JPEG, "", 640, 480, -1), "frame_rate_hz"},
		"rate no number": {format(media.JPEG, "", 640, 480, math.NaN()), "frame_rate_hz"},
		"rate too high":  {format(media.JPEG, "", 640, 480, 1001), "frame_rate_hz"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := media.Validate(tt.format)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want ErrFormat naming %s", err, tt.want)
			}
		})
	}
}

func TestFrameSize(t *testing.T) {
	tests := []struct {
		format *mediav1.VideoFormat
		want   int
	}{
		{format(media.Raw, "I420", 640, 480, 0), 460800},
		{format(media.Raw, "NV12", 3, 3, 0), 9 + 8},
		{format(media.Raw, "YUYV", 640, 480, 0), 614400},
		{format(media.Raw, "BGR24", 5, 2, 0), 30},
		{format(media.JPEG, "", 640, 480, 0), 0},
		{format(media.Raw, "I420", -2, 480, 0), 0},
		{nil, 0},
	}
	for _, tt := range tests {
		if got := media.FrameSize(tt.format); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.format, got, tt.want)
		}
	}
}

func TestInterCoded(t *testing.T) {
	for mediaType, want := range map[string]bool{media.H264: true, media.VP8: true, media.JPEG: false, media.Raw: false,
		"": false, "video/x": false} {
		if got := media.InterCoded(mediaType); got != want {
			t.Errorf("%q: got %v, want %v", mediaType, got, want)
		}
	}
}

func TestEven(t *testing.T) {
	for _, tt := range []struct {
		format      *mediav1.VideoFormat
		wantW, want int
	}{
		{format(media.H264, "", 0, 0, 0), 640, 480},
		{format(media.VP8, "", 0, 0, 0), 641, 481},
		{format(media.Raw, "YUYV", 0, 0, 0), 640, 481},
		{format(media.Raw, "I420", 0, 0, 0), 641, 481},
	} {
		if w, h := media.Even(tt.format, 641, 481); w != tt.wantW || h != tt.want {
			t.Errorf("%v: got %dx%d, want %dx%d", tt.format, w, h, tt.wantW, tt.want)
		}
	}
}
