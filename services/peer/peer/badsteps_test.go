package peer

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// rawStep is a step with a raw picture that is right but for a change.
func rawStep(change func(f *mediav1.VideoFrame)) *peerv1.PublishRequest {
	f := rawFrame(media.PixelBGR24, width, height)
	change(f)
	return frameStep(f)
}

// madeStep is a step with data of a format.
func madeStep(data []byte, format *mediav1.VideoFormat) *peerv1.PublishRequest {
	return frameStep(&mediav1.VideoFrame{Data: data, Format: format})
}

// What a program sends wrongly is refused with the field and the remedy, and the slot is free.
func TestBadSteps(t *testing.T) {
	w := start(t, Defaults())
	w.badSteps(map[string]badStep{
		"nothing":   {&peerv1.PublishRequest{}, "step: after begin"},
		"begin":     {&peerv1.PublishRequest{Step: &peerv1.PublishRequest_Begin{}}, "step: after begin"},
		"a message": {messageStep(1), "carries: messages"},
		"reason": {&peerv1.PublishRequest{Step: &peerv1.PublishRequest_End{End: &peerv1.End{
			Reason: strings.Repeat("x", 501)}}}, "end.reason"},
		"no data": {frameStep(&mediav1.VideoFrame{}), "video.data is empty"},
		"no type": {frameStep(&mediav1.VideoFrame{Data: []byte{1}}), "video.format.media_type"},
		"unknown type": {rawStep(func(f *mediav1.VideoFrame) { f.Format.MediaType = "video/AV1" }),
			"video.format.media_type"},
		"layout":      {rawStep(func(f *mediav1.VideoFrame) { f.Format.PixelFormat = "RGB24" }), "pixel_format"},
		"no width":    {rawStep(func(f *mediav1.VideoFrame) { f.Format.WidthPx = 0 }), "width_px"},
		"wrong width": {rawStep(func(f *mediav1.VideoFrame) { f.Format.WidthPx++ }), "video.data has 230400 bytes"},
		"too tall":    {rawStep(func(f *mediav1.VideoFrame) { f.Format.HeightPx = 8193 }), "height_px"},
		"rate":        {rawStep(func(f *mediav1.VideoFrame) { f.Format.FrameRateHz = math.NaN() }), "frame_rate_hz"},
		"short":       {rawStep(func(f *mediav1.VideoFrame) { f.Data = f.Data[1:] }), "230399 bytes"},
		"capture time": {rawStep(func(f *mediav1.VideoFrame) { f.CaptureTime = &timestamppb.Timestamp{Nanos: -1} }),
			"video.capture_time"},
		"metadata": {rawStep(func(f *mediav1.VideoFrame) { f.Metadata = map[string]string{"a": strings.Repeat("x", 17000)} }),
			"video.metadata"},
		"no JPEG": {madeStep([]byte{1}, &mediav1.VideoFormat{MediaType: media.JPEG}),
			"video.data is not a baseline JPEG"},
		"JPEG's width": {madeStep(jpegFrame(t, 64, 48).GetData(), &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 65}),
			"video.format.width_px is 65"},
		"JPEG's pixels": {madeStep([]byte{1}, &mediav1.VideoFormat{MediaType: media.JPEG, PixelFormat: "I420"}),
			"pixel_format"},
		"JPEG's height": {madeStep([]byte{1}, &mediav1.VideoFormat{MediaType: media.JPEG, HeightPx: -1}), "height_px"},
		"H.264's rate": {madeStep([]byte{1}, &mediav1.VideoFormat{MediaType: media.H264, FrameRateHz: 1001}),
			"frame_rate_hz"},
		"sequence": {frameStep(&mediav1.VideoFrame{
			Data: []byte{1}, Sequence: -1, Format: &mediav1.VideoFormat{MediaType: media.H264}}), "video.sequence"},
		"no sound": {soundStep(&mediav1.AudioFrame{}), "media_type"},
		"half a sample": {soundStep(&mediav1.AudioFrame{Format: samples(48000), Data: []byte{1}}),
			"must be a multiple of 2"},
		"count": {soundStep(&mediav1.AudioFrame{Format: samples(48000), Data: make([]byte, 8), SampleCount: 3}),
			"sample_count"},
		"a long sound": {soundStep(&mediav1.AudioFrame{Format: samples(8000), Data: make([]byte, 16002)}),
			"audio.data lasts"},
		"a large sound": {soundStep(&mediav1.AudioFrame{Format: samples(8000), Data: make([]byte, 2<<20)}),
			"audio.data has"},
	})
}
