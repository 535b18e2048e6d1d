//go:build cgo

package vpx

/*
#cgo pkg-config: vpx
#cgo noescape waldo_vp8_encode
#cgo nocallback waldo_vp8_encode
#cgo noescape waldo_vp8_copy
#cgo nocallback waldo_vp8_copy
#include "glue.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/waldo-robot/waldo/pkg/media"
	_ "github.com/waldo-robot/waldo/video/malloc" // bounds the memory that the library leaves behind
)

// ErrClosed is what every method returns after Close.
var ErrClosed = errors.New("vpx: closed")

// Limits of an Encoder. VP8 itself ends at 16383 pixels; the area is the limit of H.264 level 5.2, so that no picture
// costs more than there.
const (
	MinSide = 2
	MaxSide = 4096
	MaxArea = 36864 * 256 // pixels, in blocks of 16x16

	minBitrate  = 10_000
	maxBitrate  = 200_000_000
	maxThreads  = 4
	maxDuration = time.Second
)

// Config describes what an Encoder makes. Width and Height are required; the zero value of everything else works.
type Config struct {
	Width, Height int // in pixels: MinSide to MaxSide, together at most MaxArea
	// bits per second, 10000 to 200000000; 0 picks one for the size at 30 pictures per second (2 Mbit/s at 720p)
	Bitrate int
	Threads int // 1 to 4; 0 means 1, which is the most efficient
}

// Packet is one encoded picture.
type Packet struct {
	Data []byte // a VP8 frame
	Key  bool   // decoding can begin here
}

// An Encoder turns pictures of one size into VP8. See the package comment for concurrency.
type Encoder struct {
	c      *C.waldo_vp8
	config Config
	end    time.Duration // of the last picture
	begun  bool
}

// NewEncoder returns an encoder, or an error that names the Config field at fault.
func NewEncoder(config Config) (*Encoder, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("vpx encoder: %w", err)
	}
	var code C.int
	c := C.waldo_vp8_new(C.int(config.Width), C.int(config.Height), kilobits(config.Bitrate), C.int(config.Threads), &code)
	if c == nil {
		return nil, fmt.Errorf("vpx encoder: the library refuses %+v: code %d", config, code)
	}
	return &Encoder{c: c, config: config}, nil
}

// Encode encodes one picture, which must have the configured size. Its bits are the bitrate times its duration, which
// may be up to a second. With forceKey, or if it is the first, it becomes a key frame. The data is fresh memory; img is
// not kept.
func (e *Encoder) Encode(img *media.I420, forceKey bool, duration time.Duration) (Packet, error) {
	if e.c == nil {
		return Packet{}, ErrClosed
	}
	if err := img.Validate(); err != nil {
		return Packet{}, fmt.Errorf("vpx encode: %w", err)
	}
	if img.Width != e.config.Width || img.Height != e.config.Height {
		return Packet{}, fmt.Errorf("vpx encode: picture is %dx%d, but the encoder was made for %dx%d",
			img.Width, img.Height, e.config.Width, e.config.Height)
	}
	if duration < time.Millisecond || duration > maxDuration {
		return Packet{}, fmt.Errorf("vpx encode: duration %v: must be 1 ms to %v", duration, maxDuration)
	}
	n := int(C.waldo_vp8_encode(e.c, bytePtr(img.Y), bytePtr(img.U), bytePtr(img.V), C.int(img.StrideY),
		C.int(img.StrideC),
		C.int64_t(e.end.Microseconds()), C.int64_t(duration.Microseconds()), boolInt(forceKey || !e.begun)))
	e.end += duration
	if n <= 0 {
		return Packet{}, fmt.Errorf("vpx encode: library returns code %d", -n)
	}
	e.begun = true
	data := make([]byte, n)
	key := C.waldo_vp8_copy(e.c, bytePtr(data), C.int(n)) != 0
	return Packet{Data: data, Key: key}, nil
}

// SetBitrate changes the target, in bits per second (10000 to 200000000), starting with the next picture. It needs no
// key frame.
func (e *Encoder) SetBitrate(bps int) error {
	if e.c == nil {
		return ErrClosed
	}
	config := e.config
	config.Bitrate = bps
	if err := config.validate(); err != nil {
		return fmt.Errorf("vpx set bitrate: %w", err)
	}
	if code := C.waldo_vp8_set_bitrate(e.c, kilobits(bps)); code != 0 {
		return fmt.Errorf("vpx set bitrate %d: library returns code %d", bps, code)
	}
	e.config = config
	return nil
}

// Close frees the encoder. It may be called more than once.
func (e *Encoder) Close() error {
	if e.c != nil {
		C.waldo_vp8_free(e.c)
		e.c = nil
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Bitrate == 0 {
		const bitsPerPixel = 0.0723 * 30 // 2 Mbit/s at 1280x720
		c.Bitrate = int(min(max(bitsPerPixel*float64(c.Width)*float64(c.Height), 100_000), maxBitrate))
	}
	return c
}

func (c Config) validate() error {
	blocks := (c.Width + 15) / 16 * ((c.Height + 15) / 16)
	switch {
	case c.Width < MinSide || c.Width > MaxSide:
		return fmt.Errorf("width %d: must be %d to %d; scale or crop the picture", c.Width, MinSide, MaxSide)
	case c.Height < MinSide || c.Height > MaxSide:
		return fmt.Errorf("height %d: must be %d to %d; scale or crop the picture", c.Height, MinSide, MaxSide)
	case blocks*256 > MaxArea:
		return fmt.Errorf("size %dx%d: more than %d pixels in blocks of 16x16; scale the picture down", c.Width, c.Height,
			MaxArea)
	case c.Bitrate < minBitrate || c.Bitrate > maxBitrate:
		return fmt.Errorf("bitrate %d: must be %d to %d bits per second", c.Bitrate, minBitrate, maxBitrate)
	case c.Threads < 1 || c.Threads > maxThreads:
		return fmt.Errorf("threads %d: must be 1 to %d", c.Threads, maxThreads)
	}
	return nil
}

func kilobits(bps int) C.int { return C.int(bps / 1000) }

func bytePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func boolInt(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
