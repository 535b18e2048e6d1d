package v4l2

import (
	"slices"
	"strings"

	kernel "github.com/vladimirvivien/go4vl/v4l2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/yuv"
)

// Kernel formats that go4vl does not name.
const (
	fourccNV12  = 'N' | 'V'<<8 | '1'<<16 | '2'<<24
	fourccNV21  = 'N' | 'V'<<8 | '2'<<16 | '1'<<24
	fourccI420  = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24
	fourccBGR24 = 'B' | 'G'<<8 | 'R'<<16 | '3'<<24
)

// automatic is the format that leaves the choice to this package.
const automatic = "auto"

// layout is how a kernel format is delivered. Formats that readers do not know are converted to I420 at once.
type layout struct {
	fourcc    uint32
	name      string // as in the configuration; empty for those that cannot be requested
	mediaType string
	pixel     string
	convert   func(dst *media.I420, src []byte, stride int) error
}

// layouts are in order of preference: least work first. H.264 is last because the camera decides when to make key
// frames.
var layouts = []layout{
	{fourccNV12, "NV12", media.Raw, media.PixelNV12, nil},
	{fourccI420, "I420", media.Raw, media.PixelI420, nil},
	{kernel.PixelFmtYUYV, "YUYV", media.Raw, media.PixelYUYV, nil},
	{kernel.PixelFmtUYVY, "", media.Raw, media.PixelI420, yuv.UYVYToI420},
	{fourccNV21, "", media.Raw, media.PixelI420, yuv.NV21ToI420},
	{kernel.PixelFmtMJPEG, "MJPEG", media.JPEG, "", nil},
	{kernel.PixelFmtJPEG, "", media.JPEG, "", nil},
	{fourccBGR24, "BGR24", media.Raw, media.PixelBGR24, nil},
	{kernel.PixelFmtRGB24, "", media.Raw, media.PixelI420, yuv.RGB24ToI420},
	{kernel.PixelFmtGrey, "", media.Raw, media.PixelI420, yuv.GREYToI420},
	{kernel.PixelFmtH264, "H264", media.H264, "", nil},
}

func layoutOf(fourcc uint32) (layout, bool) {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.fourcc == fourcc })
	if i < 0 {
		return layout{}, false
	}
	return layouts[i], true
}

// rank is the position in the order of preference.
func rank(fourcc uint32) int {
	return slices.IndexFunc(layouts, func(l layout) bool { return l.fourcc == fourcc })
}

// mode is a setting of the hardware.
type mode struct {
	fourcc        uint32
	width, height int
	rate          float64 // 0: unknown, or any
	stride        int     // bytes from row to row; what the driver reports
}

func (m mode) format() *mediav1.VideoFormat {
	l, _ := layoutOf(m.fourcc)
	return &mediav1.VideoFormat{
		MediaType: l.mediaType, PixelFormat: l.pixel,
		WidthPx: int32(m.width), HeightPx: int32(m.height), FrameRateHz: m.rate,
	}
}

// tight is the stride to deliver: 0 if rows have no padding.
func (m mode) tight() int {
	perPixel := map[uint32]int{kernel.PixelFmtYUYV: 2, kernel.PixelFmtUYVY: 2, fourccBGR24: 3,
		kernel.PixelFmtRGB24: 3}[m.fourcc]
	if m.stride == max(1, perPixel)*m.width {
		return 0
	}
	return m.stride
}

// offers are the modes that hardware lists.
type offers []mode

// have reports whether a configured format is on offer. Drivers that list nothing may have any.
func (o offers) have(name string) bool {
	if name == "" || name == automatic || len(o) == 0 {
		return true
	}
	return slices.ContainsFunc(o, func(m mode) bool {
		l, known := layoutOf(m.fourcc)
		return known && l.name == name
	})
}

// names are the formats that can be requested in the configuration.
func (o offers) names() string {
	var names []string
	for _, l := range layouts {
		if l.name != "" && o.have(l.name) {
			names = append(names, l.name)
		}
	}
	return strings.Join(names, ", ")
}

// String names the pixel formats as the kernel does.
func (o offers) String() string {
	var names []string
	for _, m := range o {
		names = append(names, fourccName(m.fourcc))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func fourccName(f uint32) string {
	b := []byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)}
	for i := range b {
		if b[i] < ' ' || b[i] > '~' {
			b[i] = '?'
		}
	}
	return strings.TrimSpace(string(b))
}

// choose picks the mode to request from those on offer: one with the wanted size and rate if possible, and among those
// the cheapest. If none fits, the driver finds the nearest.
func choose(offers offers, want Config, now mode) mode {
	asked := mode{fourcc: now.fourcc, width: want.Width, height: want.Height, rate: want.FrameRate}
	if asked.width == 0 {
		asked.width, asked.height = now.width, now.height
	}
	best, score := asked, -1
	for _, o := range offers {
		l, known := layoutOf(o.fourcc)
		if !known || want.Format != "" && want.Format != automatic && want.Format != l.name {
			continue
		}
		s := len(layouts) - rank(o.fourcc)
		if o.width == asked.width && o.height == asked.height {
			s += 1000
			if o.rate == 0 || o.rate >= asked.rate*0.99 {
				s += 100
			}
		}
		if s > score {
			best, score = asked, s
			best.fourcc = o.fourcc
		}
	}
	return best
}
