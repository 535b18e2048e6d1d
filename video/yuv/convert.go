//go:build cgo

package yuv

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -lyuv
#cgo noescape waldo_to_i420
#cgo nocallback waldo_to_i420
#cgo noescape waldo_from_i420
#cgo nocallback waldo_from_i420
#include "glue.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/waldo-robot/waldo/pkg/media"
	_ "github.com/waldo-robot/waldo/video/malloc" // bounds the memory that the library leaves behind
)

// layout describes how a format lies in memory.
type layout struct {
	name      string
	code      C.enum_waldo_layout
	rowBytes  func(width int) int // of the only, or the luma, plane
	twoPlanes bool                // a plane of interleaved chroma follows
}

var (
	yuyv  = layout{"YUYV", C.WALDO_YUYV, pairs, false}
	uyvy  = layout{"UYVY", C.WALDO_UYVY, pairs, false}
	nv12  = layout{"NV12", C.WALDO_NV12, single, true}
	nv21  = layout{"NV21", C.WALDO_NV21, single, true}
	bgr24 = layout{"BGR24", C.WALDO_BGR24, triple, false}
	rgb24 = layout{"RGB24", C.WALDO_RGB24, triple, false}
	grey  = layout{"GREY", C.WALDO_GREY, single, false}
)

func single(width int) int { return width }
func triple(width int) int { return 3 * width }

// pairs is the row size of a packed 4:2:2 format: four bytes for two pixels, the last of which may be half used.
func pairs(width int) int { return (width + 1) / 2 * 4 }

// YUYVToI420 converts packed 4:2:2 in the order Y U Y V (V4L2 YUYV, also called YUY2), which most USB cameras give.
func YUYVToI420(dst *media.I420, src []byte, stride int) error { return toI420(yuyv, dst, src, stride) }

// UYVYToI420 converts packed 4:2:2 in the order U Y V Y.
func UYVYToI420(dst *media.I420, src []byte, stride int) error { return toI420(uyvy, dst, src, stride) }

// NV12ToI420 converts a plane of luma followed by one of interleaved U and V, half the size both ways. The chroma plane
// begins after height rows of stride bytes and has the same stride; without padding its rows have an even width.
func NV12ToI420(dst *media.I420, src []byte, stride int) error { return toI420(nv12, dst, src, stride) }

// NV21ToI420 is NV12ToI420 with V before U.
func NV21ToI420(dst *media.I420, src []byte, stride int) error { return toI420(nv21, dst, src, stride) }

// BGR24ToI420 converts three bytes per pixel, blue first (V4L2 BGR3, OpenCV).
func BGR24ToI420(dst *media.I420, src []byte, stride int) error {
	return toI420(bgr24, dst, src, stride)
}

// RGB24ToI420 converts three bytes per pixel, red first (V4L2 RGB3).
func RGB24ToI420(dst *media.I420, src []byte, stride int) error {
	return toI420(rgb24, dst, src, stride)
}

// GREYToI420 converts one byte per pixel. Grey sensors use the full range of 0 to 255, so luma is converted to video
// range.
func GREYToI420(dst *media.I420, src []byte, stride int) error { return toI420(grey, dst, src, stride) }

// I420ToBGR24 writes three bytes per pixel, blue first.
func I420ToBGR24(dst []byte, stride int, src *media.I420) error {
	return fromI420(bgr24, dst, stride, src)
}

// I420ToYUYV writes packed 4:2:2. If the width is odd, the last pair of a row repeats or pads its second pixel.
func I420ToYUYV(dst []byte, stride int, src *media.I420) error {
	return fromI420(yuyv, dst, stride, src)
}

// I420ToNV12 writes a plane of luma followed by one of interleaved U and V, laid out as NV12ToI420 reads it.
func I420ToNV12(dst []byte, stride int, src *media.I420) error {
	return fromI420(nv12, dst, stride, src)
}

func toI420(l layout, dst *media.I420, src []byte, stride int) error {
	if err := dst.Validate(); err != nil {
		return fmt.Errorf("yuv %s to I420: destination: %w", l.name, err)
	}
	p, err := l.place(src, stride, dst.Width, dst.Height)
	if err != nil {
		return fmt.Errorf("yuv %s to I420: source: %w", l.name, err)
	}
	code := C.waldo_to_i420(l.code, ptr(p.first), p.stride, ptr(p.second), p.strideUV,
		ptr(dst.Y), ptr(dst.U), ptr(dst.V), C.int(dst.StrideY), C.int(dst.StrideC), C.int(dst.Width), C.int(dst.Height))
	return refused(code, l.name, "to I420")
}

func fromI420(l layout, dst []byte, stride int, src *media.I420) error {
	if err := src.Validate(); err != nil {
		return fmt.Errorf("yuv I420 to %s: source: %w", l.name, err)
	}
	p, err := l.place(dst, stride, src.Width, src.Height)
	if err != nil {
		return fmt.Errorf("yuv I420 to %s: destination: %w", l.name, err)
	}
	code := C.waldo_from_i420(l.code, ptr(p.first), p.stride, ptr(p.second), p.strideUV,
		ptr(src.Y), ptr(src.U), ptr(src.V), C.int(src.StrideY), C.int(src.StrideC), C.int(src.Width), C.int(src.Height))
	return refused(code, "I420 to", l.name)
}

// placed is a buffer split into the planes of its layout.
type placed struct {
	first, second    []byte
	stride, strideUV C.int
}

// place checks that b holds a picture and finds its planes.
func (l layout) place(b []byte, stride, width, height int) (placed, error) {
	row := l.rowBytes(width)
	rowUV, rowsUV := 0, 0
	if l.twoPlanes {
		rowUV, rowsUV = (width+1)/2*2, (height+1)/2
	}
	strideUV := stride
	if stride == 0 {
		stride, strideUV = row, rowUV
	}
	const maxStride = 1 << 17 // with media.MaxSize rows, every offset fits a C int
	if least := max(row, rowUV); stride > maxStride || stride < row || strideUV < rowUV {
		return placed{}, fmt.Errorf("stride %d: must be 0 (no padding) or %d to %d for width %d", stride, least, maxStride,
			width)
	}
	need := stride*(height-1) + row // the last row may lack padding
	if l.twoPlanes {
		need = stride*height + strideUV*(rowsUV-1) + rowUV
	}
	if len(b) < need {
		return placed{}, fmt.Errorf("buffer has %d bytes, but %dx%d with stride %d needs %d", len(b), width, height, stride,
			need)
	}
	p := placed{first: b, stride: C.int(stride), strideUV: C.int(strideUV)}
	if l.twoPlanes {
		p.second = b[stride*height:]
	}
	return p, nil
}

func refused(code C.int, what ...string) error {
	if code != 0 {
		return fmt.Errorf("yuv %s: libyuv returns code %d", strings.Join(what, " "), code)
	}
	return nil
}

func ptr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
