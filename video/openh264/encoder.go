//go:build cgo

package openh264

/*
#cgo pkg-config: openh264
#cgo noescape waldo_encoder_encode
#cgo nocallback waldo_encoder_encode
#cgo noescape waldo_encoder_copy
#cgo nocallback waldo_encoder_copy
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
var ErrClosed = errors.New("openh264: closed")

// Limits of openh264 itself and of H.264 level 5.2.
const (
	minSide        = 16
	maxSide        = 4096
	maxMacroblocks = 36864
	minBitrate     = 10_000
	maxBitrate     = 200_000_000
	minFrameRate   = 1
	maxFrameRate   = 60
	maxThreads     = 4
	safeQP         = 28 // noise of any size fits openh264's buffer at this quantiser; at 24 it may not
)

// Config describes what an Encoder makes. Width and Height are required; the zero value of everything else works.
type Config struct {
	Width, Height int     // in pixels: even, at least 16, together at most 36864 macroblocks of 16x16 (4096x2304)
	FrameRate     float64 // pictures per second, 1 to 60, which Bitrate is spread over; 0 means 30
	Bitrate       int     // bits per second, 10000 to 200000000; 0 picks one for the size and rate (2 Mbit/s at 720p30)
	Threads       int     // 1 to 4, one slice of the picture each; 0 means 1, which is the most efficient

	// AllowSkip lets the encoder skip pictures when the content does not fit the bitrate at its coarsest quality.
	// Without it every picture is encoded, and such content exceeds the bitrate (by half, measured at 720p and 500
	// kbit/s of noise): for driving, a steady picture rate is worth more, and the caller can lower the size.
	AllowSkip bool
}

// Packet is one encoded picture.
type Packet struct {
	Data []byte // an Annex B access unit; empty if the picture was skipped
	Key  bool   // decoding can begin here
}

// An Encoder turns pictures of one size into H.264. See the package comment for concurrency.
type Encoder struct {
	c       *C.waldo_encoder
	config  Config
	wantKey bool // a request outlives skipped pictures
	minQP   int  // 0, or safeQP after a picture was too large for the library
}

// NewEncoder returns an encoder, or an error that names the Config field at fault.
func NewEncoder(config Config) (*Encoder, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("openh264 encoder: %w", err)
	}
	e := &Encoder{config: config}
	if err := e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

// open makes the library encoder.
func (e *Encoder) open() error {
	var code C.int
	e.c = C.waldo_encoder_new(C.int(e.config.Width), C.int(e.config.Height), C.float(e.config.FrameRate),
		C.int(e.config.Bitrate),
		C.int(e.config.Threads), boolInt(e.config.AllowSkip), C.int(e.minQP), &code)
	if e.c == nil {
		return fmt.Errorf("openh264 encoder: the library refuses %+v: code %d", e.config, code)
	}
	return nil
}

// Encode encodes one picture, which must have the configured size. With forceKey, or if it is the first, it becomes a
// key frame; if that picture is skipped, the next one becomes the key frame. A picture of pure noise may become one
// unasked.
//
// The time pts is only for the library's records: the bits of a picture follow from FrameRate alone, so a caller with
// another picture rate should call SetFrameRate. The data is fresh memory; img is not kept.
func (e *Encoder) Encode(img *media.I420, forceKey bool, pts time.Duration) (Packet, error) {
	if e.c == nil {
		return Packet{}, ErrClosed
	}
	if err := img.Validate(); err != nil {
		return Packet{}, fmt.Errorf("openh264 encode: %w", err)
	}
	if img.Width != e.config.Width || img.Height != e.config.Height {
		return Packet{}, fmt.Errorf("openh264 encode: picture is %dx%d, but the encoder was made for %dx%d",
			img.Width, img.Height, e.config.Width, e.config.Height)
	}
	e.wantKey = e.wantKey || forceKey
	n, err := e.encode(img, pts)
	if err != nil {
		return Packet{}, fmt.Errorf("openh264 encode: %w", err)
	}
	if n == 0 {
		return Packet{}, nil
	}
	data := make([]byte, n)
	key := C.waldo_encoder_copy(e.c, bytePtr(data)) != 0
	e.wantKey = e.wantKey && !key
	return Packet{Data: data, Key: key}, nil
}

// encode returns the size of the access unit, 0 for a skipped picture.
//
// The library has an output buffer of fixed size, and gives up on a picture that is larger: finely coded noise. Such a
// picture is encoded by a new library encoder with a coarser limit, until the next requested key frame.
func (e *Encoder) encode(img *media.I420, pts time.Duration) (size int, err error) {
	if e.wantKey && e.minQP > 0 {
		if err := e.reopen(0); err != nil {
			return 0, err
		}
	}
	size = e.encodeOnce(img, pts)
	if size < 0 && e.minQP == 0 {
		if err := e.reopen(safeQP); err != nil {
			return 0, err
		}
		size = e.encodeOnce(img, pts)
	}
	if size < 0 {
		return 0, fmt.Errorf("library returns code %d", -size)
	}
	return size, nil
}

func (e *Encoder) encodeOnce(img *media.I420, pts time.Duration) int {
	return int(C.waldo_encoder_encode(e.c, bytePtr(img.Y), bytePtr(img.U), bytePtr(img.V),
		C.int(img.StrideY), C.int(img.StrideC), C.int64_t(pts.Milliseconds()), boolInt(e.wantKey)))
}

func (e *Encoder) reopen(minQP int) error {
	C.waldo_encoder_free(e.c)
	e.minQP = minQP
	return e.open()
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
		return fmt.Errorf("openh264 set bitrate: %w", err)
	}
	if code := C.waldo_encoder_set_bitrate(e.c, C.int(bps)); code != 0 {
		return fmt.Errorf("openh264 set bitrate %d: library returns code %d", bps, code)
	}
	e.config = config
	return nil
}

// SetFrameRate sets how many pictures per second (1 to 60) come from now on, so that they share the bits of a second
// evenly.
func (e *Encoder) SetFrameRate(fps float64) error {
	if e.c == nil {
		return ErrClosed
	}
	config := e.config
	config.FrameRate = fps
	if err := config.validate(); err != nil {
		return fmt.Errorf("openh264 set frame rate: %w", err)
	}
	if code := C.waldo_encoder_set_frame_rate(e.c, C.float(fps)); code != 0 {
		return fmt.Errorf("openh264 set frame rate %g: library returns code %d", fps, code)
	}
	e.config = config
	return nil
}

// Close frees the encoder. It may be called more than once.
func (e *Encoder) Close() error {
	if e.c != nil {
		C.waldo_encoder_free(e.c)
		e.c = nil
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.FrameRate == 0 {
		c.FrameRate = 30
	}
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Bitrate == 0 {
		const bitsPerPixel = 0.0723 // 2 Mbit/s at 1280x720, 30 a second
		bps := bitsPerPixel * float64(c.Width) * float64(c.Height) * c.FrameRate
		c.Bitrate = int(min(max(bps, 100_000), maxBitrate))
	}
	return c
}

func (c Config) validate() error {
	for _, side := range []struct {
		name  string
		value int
	}{{"width", c.Width}, {"height", c.Height}} {
		if side.value < minSide || side.value > maxSide || side.value%2 != 0 {
			return fmt.Errorf("%s %d: must be even and %d to %d; scale or crop the picture", side.name, side.value, minSide,
				maxSide)
		}
	}
	blocks := (c.Width + 15) / 16 * ((c.Height + 15) / 16)
	switch {
	case blocks > maxMacroblocks:
		return fmt.Errorf("size %dx%d: more than %d macroblocks of 16x16; scale the picture down", c.Width, c.Height,
			maxMacroblocks)
	case !(c.FrameRate >= minFrameRate && c.FrameRate <= maxFrameRate): // also false for NaN
		return fmt.Errorf("frame rate %g: must be %d to %d per second", c.FrameRate, minFrameRate, maxFrameRate)
	case c.Bitrate < minBitrate || c.Bitrate > maxBitrate:
		return fmt.Errorf("bitrate %d: must be %d to %d bits per second", c.Bitrate, minBitrate, maxBitrate)
	case c.Threads < 1 || c.Threads > maxThreads:
		return fmt.Errorf("threads %d: must be 1 to %d", c.Threads, maxThreads)
	}
	return nil
}

func bytePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func boolInt(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
