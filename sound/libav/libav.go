//go:build cgo && !nolibav

package libav

/*
#cgo pkg-config: libavcodec libavutil
#cgo noescape waldo_ear_send
#cgo nocallback waldo_ear_send
#cgo noescape waldo_ear_take
#cgo nocallback waldo_ear_take
#include "glue.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// Errors that those of a Decoder wrap.
var (
	ErrCorrupt = errors.New("not decodable")
	ErrClosed  = errors.New("decoder is closed")
)

const (
	maxBlock  = 64 << 10 // bytes; a block of AAC has at most 8 KiB
	maxConfig = 64       // bytes of an AudioSpecificConfig
)

// Decoder turns blocks of one stream into samples. See the package comment.
type Decoder struct {
	id      uint32
	told    pcm.Format // of G.726
	bits    int
	config  []byte
	c       *C.waldo_ear // nil until a block comes, and after an error
	closed  bool
	samples []float32
}

// Sound is what a block holds.
type Sound struct {
	Samples []float32 // within -1 and 1, interleaved
	Format  pcm.Format
	// Late is how long before the time of the block the first sample was recorded.
	Late time.Duration
}

const (
	highEfficiency = 2048 // samples of each channel that a block has only in HE-AAC; those of AAC-LC have half as many
	filters        = 962  // samples that the filter banks of HE-AAC take, at its rate
)

// NewAAC returns a decoder for AAC that is described by an AudioSpecificConfig (ISO/IEC 14496-3, 1.6), at most 64
// bytes.
func NewAAC(config []byte) (*Decoder, error) {
	if len(config) < 2 || len(config) > maxConfig {
		return nil, fmt.Errorf("libav: an AudioSpecificConfig of %d bytes, must be 2 to %d: %w", len(config), maxConfig,
			ErrCorrupt)
	}
	return (&Decoder{id: C.AV_CODEC_ID_AAC, config: bytes.Clone(config)}).tried()
}

// Order is how the codes of G.726 lie in bytes.
type Order int

const (
	// LowFirst is that of RTP (RFC 3551, 4.5.4).
	LowFirst Order = iota
	// HighFirst is that of ATM (ITU-T I.366.2, annex E).
	HighFirst
)

// NewG726 returns a decoder for G.726, mono, of 8 to 192 kHz (cameras: 8 or 16) and 2 to 5 bits a sample.
func NewG726(rate, bits int, order Order) (*Decoder, error) {
	switch {
	case bits < 2 || bits > 5:
		return nil, fmt.Errorf("libav: G.726 of %d bits, must be 2 to 5: %w", bits, ErrCorrupt)
	case rate < pcm.MinRate || rate > pcm.MaxRate:
		return nil, fmt.Errorf("libav: G.726 of %d Hz, must be %d to %d: %w", rate, pcm.MinRate, pcm.MaxRate, ErrCorrupt)
	}
	d := &Decoder{id: C.AV_CODEC_ID_ADPCM_G726LE, told: pcm.Format{Rate: rate, Channels: 1}, bits: bits}
	if order == HighFirst {
		d.id = C.AV_CODEC_ID_ADPCM_G726
	}
	return d.tried()
}

// tried is a decoder that the library has taken.
func (d *Decoder) tried() (*Decoder, error) {
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("libav: %w", err)
	}
	return d, nil
}

// Decode decodes the next block. The samples are valid until the next call; there may be none. The data is not kept. An
// error wraps ErrCorrupt or ErrClosed; decoding goes on with the next block.
func (d *Decoder) Decode(data []byte) (Sound, error) {
	s, err := d.decode(data)
	if err != nil {
		d.Reset()
		return Sound{}, fmt.Errorf("libav decode: %w", err)
	}
	return s, nil
}

// Reset forgets what came before, as after a loss.
func (d *Decoder) Reset() {
	if d.c != nil {
		C.waldo_ear_free(d.c)
		d.c = nil
	}
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	d.Reset()
	d.closed = true
	return nil
}

func (d *Decoder) open() error {
	if d.c != nil {
		return nil
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	c := C.waldo_ear_config{id: d.id, rate: C.int(d.told.Rate), channels: C.int(d.told.Channels), bits: C.int(d.bits),
		config_size: C.int(len(d.config))}
	if len(d.config) > 0 {
		pinner.Pin(&d.config[0])
		c.config = bytePtr(d.config)
	}
	if d.c = C.waldo_ear_new(&c); d.c == nil {
		return fmt.Errorf("the library refuses this kind of sound: %w", ErrCorrupt)
	}
	return nil
}

func (d *Decoder) decode(data []byte) (s Sound, err error) {
	switch {
	case d.closed:
		return s, ErrClosed
	case len(data) == 0 || len(data) > maxBlock:
		return s, fmt.Errorf("%d bytes, must be 1 to %d: %w", len(data), maxBlock, ErrCorrupt)
	}
	if err := d.open(); err != nil {
		return s, err
	}
	if rc := C.waldo_ear_send(d.c, bytePtr(data), C.int(len(data))); rc < 0 {
		return s, failure(rc)
	}
	s.Samples = d.samples[:0]
	for {
		switch rc := C.waldo_ear_receive(d.c); {
		case rc < 0:
			return s, failure(rc)
		case rc == 0:
			pcm.Clean(s.Samples)
			d.samples = s.Samples
			return s, nil
		}
		if err := d.take(&s); err != nil {
			return s, err
		}
	}
}

// take adds the sound that is ready to that of the same block.
func (d *Decoder) take(s *Sound) error {
	f := pcm.Format{Rate: int(d.c.rate), Channels: int(d.c.channels)}
	switch {
	case f.Channels < 1 || f.Channels > pcm.MaxChannels:
		return fmt.Errorf("%d channels, must be 1 or %d: %w", f.Channels, pcm.MaxChannels, ErrCorrupt)
	case f.Rate < pcm.MinRate || f.Rate > pcm.MaxRate:
		return fmt.Errorf("%d Hz, must be %d to %d: %w", f.Rate, pcm.MinRate, pcm.MaxRate, ErrCorrupt)
	case len(s.Samples) > 0 && f != s.Format:
		return fmt.Errorf("%v and %v in one block: %w", s.Format, f, ErrCorrupt)
	}
	s.Format = f
	begin, n := len(s.Samples), int(d.c.samples)*f.Channels
	if n == 0 {
		return nil
	}
	if d.id == C.AV_CODEC_ID_AAC && d.c.samples == highEfficiency {
		s.Late = f.Duration(filters)
	}
	s.Samples = slices.Grow(s.Samples, n)[:begin+n]
	if rc := C.waldo_ear_take(d.c, (*C.float)(unsafe.Pointer(&s.Samples[begin]))); rc < 0 {
		return failure(rc)
	}
	return nil
}

func failure(rc C.int) error {
	var text [C.AV_ERROR_MAX_STRING_SIZE]C.char
	C.av_strerror(rc, &text[0], C.AV_ERROR_MAX_STRING_SIZE)
	return fmt.Errorf("the library says %q: %w", C.GoString(&text[0]), ErrCorrupt)
}

func bytePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
