package media

import (
	"errors"
	"fmt"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Media types of a VideoFormat.
const (
	H264 = "video/H264" // one access unit in Annex B form
	VP8  = "video/VP8"  // one frame, as in RFC 6386
	JPEG = "image/jpeg" // one baseline JPEG
	Raw  = "video/raw"  // uncompressed, laid out as the pixel format says
)

// Pixel formats of a VideoFormat whose media type is Raw.
const (
	PixelI420  = "I420"  // planes Y, U, V; chroma halved both ways, rounded up
	PixelYUYV  = "YUYV"  // packed 4:2:2
	PixelNV12  = "NV12"  // plane Y, then U and V interleaved; chroma halved both ways, rounded up
	PixelBGR24 = "BGR24" // packed, blue first
)

// Limits of a VideoFormat.
const (
	MinSize      = 2    // pixels, either way
	MaxSize      = 8192 // pixels, either way
	MaxFrameRate = 1000 // pictures per second
)

// ErrFormat is wrapped by every error about a format that is incomplete, out of range or unknown.
var ErrFormat = errors.New("bad video format")

// Validate checks that a format is complete and possible. The error wraps ErrFormat and names the field and what it may be.
func Validate(f *mediav1.VideoFormat) error {
	switch f.GetMediaType() {
	case H264, JPEG:
		if f.GetPixelFormat() != "" {
			return fieldError("pixel_format", "is %q, must be empty for %s", f.GetPixelFormat(), f.GetMediaType())
		}
	case Raw:
		if err := validatePixels(f.GetPixelFormat()); err != nil {
			return err
		}
	default:
		return fieldError("media_type", "is %q, must be %s, %s or %s", f.GetMediaType(), H264, JPEG, Raw)
	}
	return validateNumbers(f)
}

func validatePixels(pixel string) error {
	switch pixel {
	case PixelI420, PixelYUYV, PixelNV12, PixelBGR24:
		return nil
	}
	return fieldError("pixel_format", "is %q, must be %s, %s, %s or %s for %s",
		pixel, PixelI420, PixelYUYV, PixelNV12, PixelBGR24, Raw)
}

func validateNumbers(f *mediav1.VideoFormat) error {
	w, h := f.GetWidthPx(), f.GetHeightPx()
	switch {
	case w < MinSize || w > MaxSize:
		return fieldError("width_px", "is %d, must be %d to %d", w, MinSize, MaxSize)
	case h < MinSize || h > MaxSize:
		return fieldError("height_px", "is %d, must be %d to %d", h, MinSize, MaxSize)
	case w%2 != 0 && (f.GetMediaType() == H264 || f.GetPixelFormat() == PixelYUYV):
		return fieldError("width_px", "is %d, must be even for %s%s", w, f.GetMediaType(), pixelSuffix(f))
	case h%2 != 0 && f.GetMediaType() == H264:
		return fieldError("height_px", "is %d, must be even for %s", h, H264)
	}
	if r := f.GetFrameRateHz(); !(r >= 0 && r <= MaxFrameRate) { // written so that NaN fails
		return fieldError("frame_rate_hz", "is %v, must be 0 to %d", r, MaxFrameRate)
	}
	return nil
}

func pixelSuffix(f *mediav1.VideoFormat) string {
	if f.GetPixelFormat() == "" {
		return ""
	}
	return " " + f.GetPixelFormat()
}

func fieldError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s", ErrFormat, field, fmt.Sprintf(format, args...))
}

// FrameSize returns the exact number of bytes of one picture of a raw format, and 0 for compressed ones, whose size varies.
func FrameSize(f *mediav1.VideoFormat) int {
	w, h := int(f.GetWidthPx()), int(f.GetHeightPx())
	if f.GetMediaType() != Raw || w <= 0 || h <= 0 {
		return 0
	}
	switch f.GetPixelFormat() {
	case PixelI420, PixelNV12:
		return w*h + 2*((w+1)/2)*((h+1)/2)
	case PixelYUYV:
		return (w + 1) / 2 * 4 * h
	case PixelBGR24:
		return w * h * 3
	}
	return 0
}
