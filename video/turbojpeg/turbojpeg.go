//go:build cgo

package turbojpeg

/*
#cgo pkg-config: libturbojpeg
#cgo LDFLAGS: -lyuv
#cgo noescape waldo_jpeg_decode
#cgo nocallback waldo_jpeg_decode
#include <stdlib.h>
#include "glue.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/waldo-robot/waldo/pkg/media"
	_ "github.com/waldo-robot/waldo/video/malloc" // bounds the memory that the library leaves behind
	"github.com/waldo-robot/waldo/video/yuv"
)

// ErrCorrupt is wrapped by errors about bytes that are not a whole JPEG, or not of a kind that Decode takes.
var ErrCorrupt = errors.New("not decodable")

var errMemory = errors.New("out of memory")

// Encode returns img as a baseline 4:2:0 JPEG (JFIF) of the given quality, 1 (worst) to 100; 80 is a good start.
func Encode(img *media.I420, quality int) ([]byte, error) {
	if err := img.Validate(); err != nil {
		return nil, fmt.Errorf("jpeg encode: %w", err)
	}
	if quality < 1 || quality > 100 {
		return nil, fmt.Errorf("jpeg encode: quality %d: must be 1 to 100", quality)
	}
	var p C.waldo_planes
	if C.waldo_planes_alloc(&p, C.int(img.Width), C.int(img.Height)) != C.WALDO_OK {
		return nil, fmt.Errorf("jpeg encode: %w", errMemory)
	}
	defer C.free(unsafe.Pointer(p.memory))
	if err := yuv.ToFullRange(view(&p), img); err != nil {
		return nil, fmt.Errorf("jpeg encode: %w", err)
	}
	var jpeg *C.uint8_t
	var size C.ulong
	var message [C.WALDO_MESSAGE]C.char
	result := C.waldo_jpeg_encode(&p, C.int(quality), &jpeg, &size, &message[0])
	defer C.waldo_jpeg_free(jpeg)
	switch result {
	case C.WALDO_OK:
		return C.GoBytes(unsafe.Pointer(jpeg), C.int(size)), nil
	case C.WALDO_MEMORY:
		return nil, fmt.Errorf("jpeg encode: %w", errMemory)
	}
	return nil, fmt.Errorf("jpeg encode: %s", C.GoString(&message[0]))
}

// Decode returns the picture in a JPEG of at most 8192 pixels in either direction. A JPEG that is damaged or cut off
// gives an error that wraps ErrCorrupt, never half a picture. The data is not kept.
func Decode(jpeg []byte) (*media.I420, error) {
	if len(jpeg) == 0 {
		return nil, fmt.Errorf("jpeg decode: no data: %w", ErrCorrupt)
	}
	ended := bytes.Contains(jpeg, endOfImage)
	if !ended { // some cameras omit it
		jpeg = append(bytes.Clone(jpeg), endOfImage...)
	}
	// A first pass that stops at any warning finds every kind of damage: later warnings would replace the first. Stray
	// bytes are not damage. They are common before the last marker, when the picture is already complete; if they come
	// earlier, it takes a second pass to decode everything.
	img, warning, err := decode(jpeg, true)
	if err == nil && warning != "" {
		switch {
		case !stray(warning) || !ended: // without an end marker, what follows may be a damaged part of the picture
			return nil, fmt.Errorf("jpeg decode: %s: %w", warning, ErrCorrupt)
		case !strings.HasSuffix(warning, "marker 0xd9") || bytes.Contains(jpeg, progressive):
			img, warning, err = decode(jpeg, false)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("jpeg decode: %w", err)
	case warning != "" && !stray(warning):
		return nil, fmt.Errorf("jpeg decode: %s: %w", warning, ErrCorrupt)
	}
	return img, nil
}

// Markers, which occur nowhere in compressed data.
var (
	endOfImage  = []byte{0xff, 0xd9}
	progressive = []byte{0xff, 0xc2} // start of a progressive frame, which is painted after its last marker
)

func stray(warning string) bool { return strings.Contains(warning, "extraneous bytes before marker") }

// decode makes one pass over a JPEG.
func decode(jpeg []byte, strict bool) (img *media.I420, warning string, err error) {
	var p C.waldo_planes
	var message [C.WALDO_MESSAGE]C.char
	var strictly C.int
	if strict {
		strictly = 1
	}
	data := (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(jpeg)))
	result := C.waldo_jpeg_decode(data, C.size_t(len(jpeg)), media.MaxSize, strictly, &p, &message[0])
	defer C.free(unsafe.Pointer(p.memory))
	switch result {
	case C.WALDO_OK:
	case C.WALDO_WARNING:
		warning = C.GoString(&message[0])
	case C.WALDO_MEMORY:
		return nil, "", errMemory
	case C.WALDO_SIZE:
		return nil, "", fmt.Errorf("picture is %dx%d, each side must be 1 to %d: %w", p.width, p.height, media.MaxSize,
			ErrCorrupt)
	case C.WALDO_COLOUR:
		return nil, "", fmt.Errorf("colours are neither YCbCr nor grey: %w", ErrCorrupt)
	default:
		return nil, "", fmt.Errorf("%s: %w", C.GoString(&message[0]), ErrCorrupt)
	}
	if warning != "" && !stray(warning) {
		return nil, warning, nil
	}
	img = media.NewI420(int(p.width), int(p.height))
	if p.grey != 0 {
		luma := unsafe.Slice((*byte)(p.plane[0]), int(p.stride_y)*int(p.height))
		return img, warning, yuv.GREYToI420(img, luma, int(p.stride_y))
	}
	return img, warning, yuv.ToVideoRange(img, view(&p))
}

// view presents C's planes as a picture, until they are freed.
func view(p *C.waldo_planes) *media.I420 {
	rows := (int(p.height) + 1) / 2
	plane := func(i, size int) []byte { return unsafe.Slice((*byte)(p.plane[i]), size) }
	return &media.I420{
		Width: int(p.width), Height: int(p.height), StrideY: int(p.stride_y), StrideC: int(p.stride_c),
		Y: plane(0, int(p.stride_y)*int(p.height)), U: plane(1, int(p.stride_c)*rows), V: plane(2, int(p.stride_c)*rows),
	}
}
