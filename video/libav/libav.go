//go:build cgo && !nolibav

package libav

/*
#cgo pkg-config: libavcodec libavutil
#cgo noescape waldo_av_decode
#cgo nocallback waldo_av_decode
#cgo noescape waldo_av_take
#cgo nocallback waldo_av_take
#include "glue.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/waldo-robot/waldo/pkg/media"
	_ "github.com/waldo-robot/waldo/video/malloc" // bounds what the library leaves behind
)

// Errors that those of a Decoder wrap. Decoding goes on with the next key frame.
var (
	ErrNeedKey = errors.New("needs a key frame first")
	ErrCorrupt = errors.New("not decodable")
	ErrClosed  = errors.New("decoder is closed")
)

const (
	maxUnit   = 16 << 20   // bytes; a 4K key frame at the finest quality is smaller
	maxPixels = 35_651_584 // of level 6.2 of H.264 and H.265
)

// kind is what is particular to a media type.
type kind struct {
	id   uint32
	part func(nal []byte) part
}

var kinds = map[string]kind{
	media.H264:  {id: C.AV_CODEC_ID_H264, part: partOfH264},
	media.H265:  {id: C.AV_CODEC_ID_HEVC, part: partOfH265},
	media.MPEG4: {id: C.AV_CODEC_ID_MPEG4},
	media.JPEG:  {id: C.AV_CODEC_ID_MJPEG},
}

// A Decoder turns the frames of one stream into pictures. See the package comment.
type Decoder struct {
	kind    kind
	pixels  int64       // at most, in a picture
	c       *C.waldo_av // nil until a key frame comes, and after an error
	closed  bool
	unit    []byte // what goes to the library next
	number  int64  // of the unit that went there last
	started [window]time.Time
}

// window is how many units the library may hold back; the most that a stream can ask for is 16.
const window = 32

// NewDecoder returns a decoder for media.H264, H265, MPEG4 or JPEG that waits for a key frame.
func NewDecoder(mediaType string) (*Decoder, error) {
	k, ok := kinds[mediaType]
	if !ok {
		return nil, fmt.Errorf("libav: %w: cannot decode %q", media.ErrFormat, mediaType)
	}
	return &Decoder{kind: k, pixels: maxPixels}, nil
}

// Decode decodes the next frame, which was captured at that time and is a key frame or not. The picture is fresh
// memory and comes with its own time; it is nil if none is ready. An error wraps ErrNeedKey, ErrCorrupt or ErrClosed.
// The data is not kept.
func (d *Decoder) Decode(data []byte, key bool, at time.Time) (*media.I420, time.Time, error) {
	img, at, err := d.decode(data, key, at)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("libav decode: %w", err)
	}
	return img, at, nil
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	d.drop()
	d.closed = true
	return nil
}

func (d *Decoder) decode(data []byte, key bool, at time.Time) (img *media.I420, shown time.Time, err error) {
	ready, err := d.gather(data)
	switch {
	case err != nil:
		d.unit = nil
		d.drop()
		return nil, shown, err
	case !ready:
		return nil, shown, nil
	}
	defer func() { d.unit = d.unit[:0] }()
	if d.c == nil && !key {
		return nil, shown, ErrNeedKey
	}
	used := d.c != nil
	img, shown, err = d.run(at)
	if err != nil && key && used {
		return d.run(at) // the fault may lie in what came before
	}
	return img, shown, err
}

// gather adds what matters of a frame to the unit, and reports whether that is a picture now.
func (d *Decoder) gather(data []byte) (ready bool, err error) {
	switch {
	case d.closed:
		return false, ErrClosed
	case len(data) == 0:
		return false, fmt.Errorf("no data: %w", ErrCorrupt)
	case len(data)+len(d.unit) > maxUnit:
		return false, fmt.Errorf("%d bytes, at most %d: %w", len(data)+len(d.unit), maxUnit, ErrCorrupt)
	case d.kind.part == nil:
		d.unit = append(d.unit[:0], data...)
		return true, nil
	}
	return d.gatherParts(data)
}

func (d *Decoder) open() error {
	if d.c != nil {
		return nil
	}
	if d.c = C.waldo_av_new(d.kind.id, C.int64_t(d.pixels)); d.c == nil {
		return errors.New("the library gives no decoder: out of memory, or it was built without this one")
	}
	return nil
}

// run decodes the unit.
func (d *Decoder) run(at time.Time) (*media.I420, time.Time, error) {
	if err := d.open(); err != nil {
		return nil, time.Time{}, err
	}
	d.number++
	d.started[d.number%window] = at
	switch rc := C.waldo_av_decode(d.c, bytePtr(d.unit), C.int(len(d.unit)), C.int64_t(d.number)); rc {
	case 0:
		return nil, time.Time{}, nil
	case 1:
		img, at, err := d.take()
		if err != nil {
			d.drop()
		}
		return img, at, err
	default:
		d.drop()
		return nil, time.Time{}, failure(rc)
	}
}

// take takes the picture out of the library.
func (d *Decoder) take() (*media.I420, time.Time, error) {
	width, height, number := int(d.c.width), int(d.c.height), int64(d.c.number)
	if width < 1 || height < 1 || width > media.MaxSize || height > media.MaxSize {
		return nil, time.Time{}, fmt.Errorf("picture of %dx%d, at most %d either way: %w", width, height, media.MaxSize,
			ErrCorrupt)
	}
	if number > d.number || number <= d.number-window {
		return nil, time.Time{}, fmt.Errorf("picture of a frame that is long gone: %w", ErrCorrupt)
	}
	img := media.NewI420(width, height)
	if rc := C.waldo_av_take(d.c, bytePtr(img.Y), bytePtr(img.U), bytePtr(img.V)); rc != 0 {
		return nil, time.Time{}, failure(rc)
	}
	return img, d.started[number%window], nil
}

// drop frees the library's decoder. The next key frame makes a new one: what a damaged frame left behind can spoil good
// ones that follow, even after the library was told to forget all pictures.
func (d *Decoder) drop() {
	if d.c != nil {
		C.waldo_av_free(d.c)
		d.c = nil
	}
}

func failure(rc C.int) error {
	var text [C.AV_ERROR_MAX_STRING_SIZE]C.char
	C.av_strerror(rc, &text[0], C.AV_ERROR_MAX_STRING_SIZE)
	return fmt.Errorf("the library says %q: %w", C.GoString(&text[0]), ErrCorrupt)
}

func bytePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
