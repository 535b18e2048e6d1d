package sender

import (
	"fmt"
	"math"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

// Bounds of a frame.
const (
	MaxData        = 64 << 20 // bytes
	maxRemarks     = 64       // entries of metadata
	maxRemarkBytes = 16 << 10 // of all of them, keys and values
)

// Check finds what a frame contradicts, before anything is done with it. The error names the field and the remedy.
func Check(f *mediav1.VideoFrame) error {
	format := f.GetFormat()
	switch n := len(f.GetData()); {
	case n == 0:
		return fmt.Errorf("video.data is empty: send a whole picture")
	case n > MaxData:
		return fmt.Errorf("video.data has %d bytes, the limit is %d: scale the picture down, or send %s", n, MaxData,
			media.JPEG)
	}
	if err := checkMetadata(f.GetMetadata()); err != nil {
		return err
	}
	if err := f.GetCaptureTime().CheckValid(); f.GetCaptureTime() != nil && err != nil {
		return fmt.Errorf("video.capture_time: %w: leave it out, or send the time of the capture", err)
	}
	switch mediaType := format.GetMediaType(); mediaType {
	case media.Raw:
		return CheckRaw(f)
	case media.JPEG, media.H264, media.VP8:
		return checkCompressed(format)
	default:
		return fmt.Errorf("video.format.media_type is %.40q: send %s, %s, %s or %s", mediaType, media.Raw, media.JPEG,
			media.H264, media.VP8)
	}
}

// CheckRaw finds what a raw picture contradicts.
func CheckRaw(f *mediav1.VideoFrame) error {
	format := f.GetFormat()
	if err := media.Validate(format); err != nil {
		return fmt.Errorf("video.format: %w", err)
	}
	if n, want := len(f.GetData()), media.FrameSize(format); n != want {
		return fmt.Errorf("video.data has %d bytes, but a picture of %dx%d %s has %d: send whole rows without padding, in "+
			"the size and layout that the format says", n, format.GetWidthPx(), format.GetHeightPx(),
			format.GetPixelFormat(), want)
	}
	return nil
}

// checkCompressed checks what is not in the data itself.
func checkCompressed(f *mediav1.VideoFormat) error {
	for field, side := range map[string]int32{"width_px": f.GetWidthPx(), "height_px": f.GetHeightPx()} {
		if side < 0 || side > media.MaxSize {
			return fmt.Errorf("video.format.%s is %d: use 1 to %d, or leave it out", field, side, media.MaxSize)
		}
	}
	switch rate := f.GetFrameRateHz(); {
	case f.GetPixelFormat() != "":
		return fmt.Errorf("video.format.pixel_format is %.40q: leave it out for %s", f.GetPixelFormat(), f.GetMediaType())
	case math.IsNaN(rate) || rate < 0 || rate > media.MaxFrameRate:
		return fmt.Errorf("video.format.frame_rate_hz is %v: use 0, for unknown, to %d", rate, media.MaxFrameRate)
	}
	return nil
}

func checkMetadata(remarks map[string]string) error {
	size := 0
	for key, value := range remarks {
		size += len(key) + len(value)
	}
	if len(remarks) > maxRemarks || size > maxRemarkBytes {
		return fmt.Errorf("video.metadata has %d entries and %d bytes, the limits are %d and %d: send less", len(remarks),
			size, maxRemarks, maxRemarkBytes)
	}
	return nil
}
