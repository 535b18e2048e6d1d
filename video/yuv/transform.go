//go:build cgo

package yuv

/*
#cgo noescape I420Scale
#cgo nocallback I420Scale
#cgo noescape I420Rotate
#cgo nocallback I420Rotate
#cgo noescape I420Mirror
#cgo nocallback I420Mirror
#cgo noescape I420Copy
#cgo nocallback I420Copy
#include <libyuv.h>
#include "glue.h"
*/
import "C"

import (
	"fmt"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Filter selects how Scale computes a pixel from its neighbours.
type Filter int

// Filters, best first.
const (
	Box      Filter = iota // the mean of all pixels that coincide; for scaling down
	Bilinear               // between the nearest four; for scaling up
	Nearest                // the nearest one; fastest, and adds no new values
)

func (f Filter) mode() (mode C.enum_FilterMode, ok bool) {
	switch f {
	case Box:
		return C.kFilterBox, true
	case Bilinear:
		return C.kFilterBilinear, true
	case Nearest:
		return C.kFilterNone, true
	}
	return 0, false
}

// Scale fills dst with src stretched to dst's size.
func Scale(dst, src *media.I420, f Filter) error {
	if err := check("scale", dst, src); err != nil {
		return err
	}
	mode, ok := f.mode()
	if !ok {
		return fmt.Errorf("yuv scale: filter %d: must be Box, Bilinear or Nearest", f)
	}
	code := C.I420Scale(ptr(src.Y), C.int(src.StrideY), ptr(src.U), C.int(src.StrideC), ptr(src.V), C.int(src.StrideC),
		C.int(src.Width), C.int(src.Height), ptr(dst.Y), C.int(dst.StrideY), ptr(dst.U), C.int(dst.StrideC),
		ptr(dst.V), C.int(dst.StrideC), C.int(dst.Width), C.int(dst.Height), mode)
	return refused(code, "scale")
}

// Rotate fills dst with src turned clockwise by 0, 90, 180 or 270 degrees. For 90 and 270, dst has src's height as its
// width and src's width as its height.
func Rotate(dst, src *media.I420, degrees int) error {
	if err := check("rotate", dst, src); err != nil {
		return err
	}
	width, height := src.Width, src.Height
	switch degrees {
	case 0, 180:
	case 90, 270:
		width, height = height, width
	default:
		return fmt.Errorf("yuv rotate: %d degrees: must be 0, 90, 180 or 270", degrees)
	}
	if err := sized("rotate", dst, width, height); err != nil {
		return err
	}
	code := C.I420Rotate(ptr(src.Y), C.int(src.StrideY), ptr(src.U), C.int(src.StrideC), ptr(src.V), C.int(src.StrideC),
		ptr(dst.Y), C.int(dst.StrideY), ptr(dst.U), C.int(dst.StrideC), ptr(dst.V), C.int(dst.StrideC),
		C.int(src.Width), C.int(src.Height), C.enum_RotationMode(degrees))
	return refused(code, "rotate")
}

// MirrorH fills dst, which has src's size, with src mirrored left to right.
func MirrorH(dst, src *media.I420) error {
	if err := checkSame("mirror", dst, src); err != nil {
		return err
	}
	code := C.I420Mirror(ptr(src.Y), C.int(src.StrideY), ptr(src.U), C.int(src.StrideC), ptr(src.V), C.int(src.StrideC),
		ptr(dst.Y), C.int(dst.StrideY), ptr(dst.U), C.int(dst.StrideC), ptr(dst.V), C.int(dst.StrideC),
		C.int(src.Width), C.int(src.Height))
	return refused(code, "mirror")
}

// FlipV fills dst, which has src's size, with src upside down.
func FlipV(dst, src *media.I420) error {
	if err := checkSame("flip", dst, src); err != nil {
		return err
	}
	// libyuv reads a negative height as "begin with the last row".
	code := C.I420Copy(ptr(src.Y), C.int(src.StrideY), ptr(src.U), C.int(src.StrideC), ptr(src.V), C.int(src.StrideC),
		ptr(dst.Y), C.int(dst.StrideY), ptr(dst.U), C.int(dst.StrideC), ptr(dst.V), C.int(dst.StrideC),
		C.int(src.Width), C.int(-src.Height))
	return refused(code, "flip")
}

// ToVideoRange fills dst, which has src's size and may be src itself, with src converted from full range (JPEG: 0 to
// 255) to video range.
func ToVideoRange(dst, src *media.I420) error {
	if err := checkRange(dst, src); err != nil {
		return err
	}
	cw, ch := C.int(src.ChromaWidth()), C.int(src.ChromaHeight())
	C.waldo_luma_to_video(ptr(dst.Y), C.int(dst.StrideY), ptr(src.Y), C.int(src.StrideY), C.int(src.Width),
		C.int(src.Height))
	C.waldo_chroma_to_video(ptr(dst.U), C.int(dst.StrideC), ptr(src.U), C.int(src.StrideC), cw, ch)
	C.waldo_chroma_to_video(ptr(dst.V), C.int(dst.StrideC), ptr(src.V), C.int(src.StrideC), cw, ch)
	return nil
}

// ToFullRange is the inverse of ToVideoRange. Samples outside video range are clipped.
func ToFullRange(dst, src *media.I420) error {
	if err := checkRange(dst, src); err != nil {
		return err
	}
	cw, ch := C.int(src.ChromaWidth()), C.int(src.ChromaHeight())
	C.waldo_luma_to_full(ptr(dst.Y), C.int(dst.StrideY), ptr(src.Y), C.int(src.StrideY), C.int(src.Width),
		C.int(src.Height))
	C.waldo_chroma_to_full(ptr(dst.U), C.int(dst.StrideC), ptr(src.U), C.int(src.StrideC), cw, ch)
	C.waldo_chroma_to_full(ptr(dst.V), C.int(dst.StrideC), ptr(src.V), C.int(src.StrideC), cw, ch)
	return nil
}

func checkSame(what string, dst, src *media.I420) error {
	if err := check(what, dst, src); err != nil {
		return err
	}
	return sized(what, dst, src.Width, src.Height)
}

// check rejects impossible pictures, and the likeliest way of sharing memory: one picture used as both.
func check(what string, dst, src *media.I420) error {
	if err := valid(what, dst, src); err != nil {
		return err
	}
	if &dst.Y[0] == &src.Y[0] {
		return fmt.Errorf("yuv %s: source and destination share memory; pass a second picture", what)
	}
	return nil
}

func checkRange(dst, src *media.I420) error {
	if err := valid("range", dst, src); err != nil {
		return err
	}
	return sized("range", dst, src.Width, src.Height)
}

func valid(what string, dst, src *media.I420) error {
	if err := src.Validate(); err != nil {
		return fmt.Errorf("yuv %s: source: %w", what, err)
	}
	if err := dst.Validate(); err != nil {
		return fmt.Errorf("yuv %s: destination: %w", what, err)
	}
	return nil
}

func sized(what string, dst *media.I420, width, height int) error {
	if dst.Width != width || dst.Height != height {
		return fmt.Errorf("yuv %s: destination is %dx%d, must be %dx%d", what, dst.Width, dst.Height, width, height)
	}
	return nil
}
