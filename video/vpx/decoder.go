//go:build cgo

package vpx

/*
#cgo noescape waldo_vp8_decoder_decode
#cgo nocallback waldo_vp8_decoder_decode
#cgo noescape waldo_vp8_decoder_copy
#cgo nocallback waldo_vp8_decoder_copy
#include "glue.h"
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/waldo-robot/waldo/pkg/media"
)

// ErrNeedKey is wrapped by errors about frames that cannot be decoded because there was no key frame yet, or none since
// the last error. Continue with the next key frame.
var ErrNeedKey = errors.New("needs a key frame first")

// ErrCorrupt is wrapped by errors about bytes that are not VP8, or a picture that is too large.
var ErrCorrupt = errors.New("not decodable")

const (
	maxFrame = 16 << 20 // bytes
	tagSize  = 3        // of what begins every frame (RFC 6386, 9.1)
	headSize = 10       // of what begins a key frame
	sizeMask = 1<<14 - 1
)

var startCode = []byte{0x9d, 0x01, 0x2a}

// A Decoder turns VP8 into pictures. See the package comment for concurrency.
//
// It guards the library: the size of a picture is checked before it gets memory, and after an error nothing but a key
// frame reaches it.
type Decoder struct {
	c      *C.waldo_vp8_decoder // nil until a key frame comes, and after an error
	closed bool
}

// NewDecoder returns a decoder that waits for a key frame.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode decodes one frame. The picture is fresh memory, or nil if the frame is not to be shown. An error wraps
// ErrNeedKey, ErrCorrupt or ErrClosed, and the decoder resumes at the next key frame. The data is not kept.
func (d *Decoder) Decode(frame []byte) (*media.I420, error) {
	if d.closed {
		return nil, fmt.Errorf("vpx decode: %w", ErrClosed)
	}
	if len(frame) < tagSize || len(frame) > maxFrame {
		d.drop()
		return nil, fmt.Errorf("vpx decode: a frame of %d bytes: %w", len(frame), ErrCorrupt)
	}
	if isKey := frame[0]&1 == 0; isKey {
		if err := checkHead(frame); err != nil {
			d.drop()
			return nil, err
		}
		if err := d.open(); err != nil {
			return nil, err
		}
	}
	if d.c == nil {
		return nil, fmt.Errorf("vpx decode: %w", ErrNeedKey)
	}
	return d.decode(frame)
}

// checkHead bounds the size that a key frame has.
func checkHead(frame []byte) error {
	if len(frame) < headSize || !bytes.Equal(frame[tagSize:tagSize+len(startCode)], startCode) {
		return fmt.Errorf("vpx decode: a key frame without a start code: %w", ErrCorrupt)
	}
	width := int(binary.LittleEndian.Uint16(frame[6:])) & sizeMask
	height := int(binary.LittleEndian.Uint16(frame[8:])) & sizeMask
	if max(width, height) > media.MaxSize {
		return fmt.Errorf("vpx decode: %dx%d pixels, and a side has %d at most: %w", width, height, media.MaxSize, ErrCorrupt)
	}
	if width < 1 || height < 1 || (width+15)/16*((height+15)/16)*256 > MaxArea {
		return fmt.Errorf("vpx decode: %dx%d pixels are 0, or more than %d: %w", width, height, MaxArea, ErrCorrupt)
	}
	return nil
}

// open makes sure that there is a library decoder.
func (d *Decoder) open() error {
	if d.c != nil {
		return nil
	}
	var code C.int
	if d.c = C.waldo_vp8_decoder_new(&code); d.c == nil {
		return fmt.Errorf("vpx decoder: library returns code %d", code)
	}
	return nil
}

func (d *Decoder) decode(frame []byte) (*media.I420, error) {
	var width, height C.int
	code := C.waldo_vp8_decoder_decode(d.c, bytePtr(frame), C.int(len(frame)), &width, &height)
	if code != 0 {
		d.drop()
		return nil, fmt.Errorf("vpx decode: library returns code %d: %w", code, ErrCorrupt)
	}
	if width == 0 {
		return nil, nil
	}
	img := media.NewI420(int(width), int(height))
	C.waldo_vp8_decoder_copy(d.c, bytePtr(img.Y), bytePtr(img.U), bytePtr(img.V))
	return img, nil
}

// drop frees the library decoder.
func (d *Decoder) drop() {
	if d.c != nil {
		C.waldo_vp8_decoder_free(d.c)
		d.c = nil
	}
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	d.drop()
	d.closed = true
	return nil
}
