package media

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Media types of a VideoFormat.
const (
	H264  = "video/H264"  // one access unit in Annex B form
	H265  = "video/H265"  // one access unit in Annex B form
	MPEG4 = "video/MPEG4" // one frame of MPEG-4 part 2; before key frames the configuration (VOS, VO, VOL)
	VP8   = "video/VP8"   // one frame, as in RFC 6386
	JPEG  = "image/jpeg"  // one baseline JPEG
	Raw   = "video/raw"   // uncompressed, in the layout of the pixel format
)

// types has what is particular to each media type. A new one is a line here.
var types = map[string]struct {
	name       string // see Name
	interCoded bool   // see InterCoded
	even       bool   // both sides are even
}{
	H264:  {name: "H.264", interCoded: true, even: true},
	H265:  {name: "H.265", interCoded: true, even: true},
	MPEG4: {name: "MPEG-4", interCoded: true},
	VP8:   {name: "VP8", interCoded: true},
	JPEG:  {name: "JPEG"},
	Raw:   {name: "raw pictures"},
}

// MediaTypes lists the media types of a VideoFormat in the order of the alphabet.
func MediaTypes() []string { return slices.Sorted(maps.Keys(types)) }

// Name returns what people call a media type, as in "H.264"; one that is not known is its own name.
func Name(mediaType string) string { return cmp.Or(types[mediaType].name, mediaType) }

// InterCoded reports whether the frames of a media type depend on the frames before them. A reader of
// such a stream begins at a key frame, must not miss a frame afterwards (see [Resync]), and no frame can
// be left out to lower the rate. The frames of all other media types stand alone, and each of them
// counts as a key frame.
func InterCoded(mediaType string) bool { return types[mediaType].interCoded }

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

// Validate checks that a format is complete and possible. The error wraps ErrFormat and names the field
// and its permitted values.
func Validate(f *mediav1.VideoFormat) error {
	_, known := types[f.GetMediaType()]
	switch {
	case !known:
		return fieldError("media_type", "is %q, must be one of %s", f.GetMediaType(), strings.Join(MediaTypes(), ", "))
	case f.GetMediaType() == Raw:
		if err := validatePixels(f.GetPixelFormat()); err != nil {
			return err
		}
	case f.GetPixelFormat() != "":
		return fieldError("pixel_format", "is %q, must be empty for %s", f.GetPixelFormat(), f.GetMediaType())
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
	evenWidth, evenHeight := Even(f, w, h)
	switch {
	case w < MinSize || w > MaxSize:
		return fieldError("width_px", "is %d, must be %d to %d", w, MinSize, MaxSize)
	case h < MinSize || h > MaxSize:
		return fieldError("height_px", "is %d, must be %d to %d", h, MinSize, MaxSize)
	case w != evenWidth:
		return fieldError("width_px", "is %d, must be even for %s%s", w, f.GetMediaType(), pixelSuffix(f))
	case h != evenHeight:
		return fieldError("height_px", "is %d, must be even for %s", h, f.GetMediaType())
	}
	if r := f.GetFrameRateHz(); !(r >= 0 && r <= MaxFrameRate) { // written so that NaN fails
		return fieldError("frame_rate_hz", "is %v, must be 0 to %d", r, MaxFrameRate)
	}
	return nil
}

// Even rounds a size down to one that the media type and pixel format of f can have: some want even sides.
func Even[N int | int32](f *mediav1.VideoFormat, width, height N) (N, N) {
	if types[f.GetMediaType()].even {
		height &^= 1
	}
	if types[f.GetMediaType()].even || f.GetPixelFormat() == PixelYUYV {
		width &^= 1
	}
	return width, height
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

// FrameSize returns the exact size in bytes of one picture of a raw format, and 0 for compressed
// formats, whose size varies.
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
