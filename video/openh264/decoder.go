//go:build cgo

package openh264

/*
#cgo noescape waldo_decoder_decode
#cgo nocallback waldo_decoder_decode
#cgo noescape waldo_decoder_copy
#cgo nocallback waldo_decoder_copy
#include "glue.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
)

// ErrNeedKey is wrapped by errors about pictures that cannot be decoded because the stream has not had a key frame yet,
// or none since the last error. Continue with the next key frame.
var ErrNeedKey = errors.New("needs a key frame first")

// ErrCorrupt is wrapped by errors about bytes that are not H.264, or not of a kind that openh264 decodes.
var ErrCorrupt = errors.New("not decodable")

const (
	maxAccessUnit    = 16 << 20 // bytes; a 4K key frame at the finest quality is smaller
	maxParameterSets = 32
)

// A Decoder turns H.264 into pictures. See the package comment for concurrency.
//
// It guards the library, older versions of which could be led into memory errors by streams that change size without a
// key frame: only slices and parameter sets reach it, a new size begins with a new library decoder and a key frame, and
// so does everything after an error.
type Decoder struct {
	c      *C.waldo_decoder // nil until a key frame comes, and after an error
	sets   [][]byte         // the SPS of the stream and the PPSs since, for the next library decoder
	closed bool

	number uint64            // of access units with slices
	times  [window]time.Time // of the last of them
	ready  []picture         // taken out of the library, the next to be returned first
}

// picture is a decoded picture and when it was captured.
type picture struct {
	*media.I420
	at time.Time
}

// window is how many access units the library may hold back; the most that a stream can ask for is 16.
const window = 32

// NewDecoder returns a decoder that waits for a key frame.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode decodes one Annex B access unit. The picture is fresh memory, or nil if none is ready: the unit had no slices,
// or the stream has B frames, which come out in display order, one at a time. An error wraps ErrNeedKey, ErrCorrupt or
// ErrClosed, and the decoder resumes at the next key frame. The data is not kept.
func (d *Decoder) Decode(accessUnit []byte) (*media.I420, error) {
	img, _, err := d.DecodeAt(accessUnit, time.Time{})
	return img, err
}

// DecodeAt is Decode of an access unit that was captured at that time, and returns when the picture was captured.
func (d *Decoder) DecodeAt(accessUnit []byte, at time.Time) (*media.I420, time.Time, error) {
	if err := d.decodeAt(accessUnit, at); err != nil {
		return nil, time.Time{}, err
	}
	p := d.take()
	return p.I420, p.at, nil
}

// take takes the next picture, if there is one.
func (d *Decoder) take() (p picture) {
	if len(d.ready) > 0 {
		p, d.ready = d.ready[0], d.ready[1:]
	}
	return p
}

// decodeAt decodes an access unit into ready.
func (d *Decoder) decodeAt(accessUnit []byte, at time.Time) error {
	if d.closed {
		return ErrClosed
	}
	if len(accessUnit) > maxAccessUnit {
		return fmt.Errorf("openh264 decode: access unit of %d bytes, the limit is %d: %w", len(accessUnit),
			maxAccessUnit, ErrCorrupt)
	}
	unit, err := d.sort(accessUnit)
	if err != nil {
		d.drop()
		return fmt.Errorf("openh264 decode: %w", err)
	}
	if unit.slices == nil {
		return nil
	}
	if unit.key {
		d.drain()
	}
	d.number++
	d.times[d.number%window] = at
	used := d.c != nil
	err = d.decode(unit)
	if err != nil && unit.key && used {
		return d.decode(unit) // the fault may be in an earlier unit; a new library decoder starts clean
	}
	return err
}

// drain takes out what the library holds back, and drops it if there was something. With a key frame it would spoil the
// last of these pictures (2.3.1); and it does not free all memory of pictures that were taken out in the middle of a
// stream.
func (d *Decoder) drain() {
	before := len(d.ready)
	for have := -1; d.c != nil && have != len(d.ready) && len(d.ready) < window; {
		have = len(d.ready)
		_ = d.run(nil) // it has dropped the library decoder, as after any error
	}
	if len(d.ready) > before {
		d.drop()
	}
}

// Flush returns the next of the pictures that are still held back at the end of a stream with B frames, nil after the
// last.
func (d *Decoder) Flush() (*media.I420, error) {
	if d.closed {
		return nil, ErrClosed
	}
	var err error
	if len(d.ready) == 0 && d.c != nil {
		err = d.run(nil)
	}
	return d.take().I420, err
}

// Close frees the decoder. It may be called more than once.
func (d *Decoder) Close() error {
	d.drop()
	d.closed, d.ready = true, nil
	return nil
}

// unit is the part of an access unit that may reach the library, with start codes.
type unit struct {
	sets, slices []byte
	hasSPS, key  bool
}

// sort picks the slices and parameter sets out of an access unit. It keeps the sets, and drops the library decoder if
// the SPS is new.
func (d *Decoder) sort(accessUnit []byte) (u unit, err error) {
	found := false
	for nal := range annexb.NALs(accessUnit) {
		found = true
		switch annexb.Type(nal) {
		case annexb.TypeSPS:
			if err := d.newSPS(nal); err != nil {
				return unit{}, err
			}
			u.sets, u.hasSPS = annexb.Append(u.sets, nal), true
		case annexb.TypePPS:
			d.newPPS(nal)
			u.sets = annexb.Append(u.sets, nal)
		case annexb.TypeIDR, annexb.TypeSlice:
			key := annexb.Type(nal) == annexb.TypeIDR
			if u.slices != nil && key != u.key {
				return unit{}, fmt.Errorf("access unit mixes slices of a key frame with others: %w", ErrCorrupt)
			}
			u.slices, u.key = annexb.Append(u.slices, nal), key
		}
	}
	if !found {
		return unit{}, fmt.Errorf("%d bytes without a NAL unit (Annex B start code): %w", len(accessUnit), ErrCorrupt)
	}
	return u, nil
}

func (d *Decoder) newSPS(sps []byte) error {
	info, err := annexb.ParseSPS(sps)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if (info.Width+15)/16*((info.Height+15)/16) > maxMacroblocks {
		return fmt.Errorf("%dx%d is more than %d macroblocks: %w", info.Width, info.Height, maxMacroblocks, ErrCorrupt)
	}
	if len(d.sets) == 0 || !bytes.Equal(d.sets[0], sps) {
		d.drop()
	}
	d.sets = [][]byte{bytes.Clone(sps)} // its PPSs follow; an old one may be damaged
	return nil
}

// newPPS keeps a PPS. One without an SPS has nothing to refer to; the oldest makes room.
func (d *Decoder) newPPS(pps []byte) {
	if len(d.sets) == 0 || slices.ContainsFunc(d.sets, func(set []byte) bool { return bytes.Equal(set, pps) }) {
		return
	}
	if len(d.sets) == maxParameterSets {
		d.sets = slices.Delete(d.sets, 1, 2)
	}
	d.sets = append(d.sets, bytes.Clone(pps))
}

// prepare makes sure that there is a library decoder that can take u: an old one, or a new one if u is a key frame.
func (d *Decoder) prepare(u *unit) error {
	if d.c != nil {
		return nil
	}
	if !u.key {
		return ErrNeedKey
	}
	if len(d.sets) < 2 {
		return fmt.Errorf("key frame without SPS and PPS: %w", ErrCorrupt)
	}
	if d.c = C.waldo_decoder_new(); d.c == nil {
		return errors.New("library returns no decoder: out of memory")
	}
	if u.hasSPS {
		return nil
	}
	u.sets = nil // they came earlier
	for _, set := range d.sets {
		u.sets = annexb.Append(u.sets, set)
	}
	return nil
}

func (d *Decoder) decode(u unit) error {
	if err := d.prepare(&u); err != nil {
		return fmt.Errorf("openh264 decode: %w", err)
	}
	return d.run(slices.Concat(u.sets, u.slices))
}

// framePending is the one state that is not an error: the picture is not complete.
const framePending = C.dsFramePending

// run has the library decode, and adds the picture to ready if there is one.
func (d *Decoder) run(data []byte) error {
	var ready C.int
	state := C.waldo_decoder_decode(d.c, bytePtr(data), C.int(len(data)), C.uint64_t(d.number), &ready)
	if state&^framePending != 0 {
		d.drop()
		return fmt.Errorf("openh264 decode: library returns state %#x: %w", int(state), ErrCorrupt)
	}
	if ready == 0 {
		return nil
	}
	width, height := int(d.c.width), int(d.c.height)
	if width < 1 || height < 1 || width > media.MaxSize || height > media.MaxSize {
		d.drop()
		return fmt.Errorf("openh264 decode: picture of %dx%d: %w", width, height, ErrCorrupt)
	}
	img := media.NewI420(width, height)
	C.waldo_decoder_copy(d.c, bytePtr(img.Y), bytePtr(img.U), bytePtr(img.V))
	d.ready = append(d.ready, picture{img, d.times[uint64(d.c.number)%window]})
	return nil
}

// drop frees the library decoder; the next key frame makes a new one.
func (d *Decoder) drop() {
	if d.c != nil {
		C.waldo_decoder_free(d.c)
		d.c = nil
	}
}
