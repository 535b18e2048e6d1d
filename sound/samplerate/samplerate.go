package samplerate

/*
#cgo pkg-config: samplerate
#cgo noescape waldo_src_process
#cgo nocallback waldo_src_process
#include "glue.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Quality is how much work is put into the filter.
type Quality int

const (
	// Fast is SRC_SINC_FASTEST: a signal to noise ratio of 97 dB and 80 % of the bandwidth. Good for speech.
	Fast Quality = iota
	// Medium is SRC_SINC_MEDIUM_QUALITY: 90 % of the bandwidth, at about twice the work.
	Medium
	// Best is SRC_SINC_BEST_QUALITY: 97 % of the bandwidth, at about six times the work.
	Best
	// Linear is SRC_LINEAR: straight lines between samples, at next to no work. Treble suffers, and what does not fit into
	// a lower rate folds back.
	Linear
)

// Limits of what a Converter does.
const (
	MinRatio    = 1.0 / 256
	MaxRatio    = 256
	MaxChannels = 128
)

// ErrClosed is returned by a Converter after Close.
var ErrClosed = errors.New("sample rate converter is closed")

// Converter changes the rate of one stream of sound.
type Converter struct {
	state    *C.SRC_STATE
	channels int
	cleanup  runtime.Cleanup
}

// New makes a Converter for a stream of so many channels.
func New(channels int, quality Quality) (*Converter, error) {
	if channels < 1 || channels > MaxChannels {
		return nil, fmt.Errorf("sample rate: %d channels, must be 1 to %d", channels, MaxChannels)
	}
	kinds := map[Quality]C.int{Fast: C.SRC_SINC_FASTEST, Medium: C.SRC_SINC_MEDIUM_QUALITY, Best: C.SRC_SINC_BEST_QUALITY,
		Linear: C.SRC_LINEAR}
	kind, ok := kinds[quality]
	if !ok {
		return nil, fmt.Errorf("sample rate: quality %d, must be Fast, Medium, Best or Linear", quality)
	}
	var code C.int
	state := C.src_new(kind, C.int(channels), &code)
	if state == nil {
		return nil, fmt.Errorf("sample rate: %s", C.GoString(C.src_strerror(code)))
	}
	c := &Converter{state: state, channels: channels}
	c.cleanup = runtime.AddCleanup(c, func(state *C.SRC_STATE) { C.src_delete(state) }, state)
	return c, nil
}

// Process reads samples from in and writes samples to out until one of them is at its end, and returns how many samples
// were read and written. What was not read has to be given again. A ratio that differs from that of the call before is
// approached evenly over this call. With end set, in is the last of the stream: call it with what is left until made is
// 0, then Reset.
func (c *Converter) Process(in, out []float32, ratio float64, end bool) (used, made int, err error) {
	switch {
	case c.state == nil:
		return 0, 0, ErrClosed
	case !(ratio >= MinRatio && ratio <= MaxRatio):
		return 0, 0, fmt.Errorf("sample rate: ratio %v, must be 1/256 to 256", ratio)
	case len(in)%c.channels != 0 || len(out)%c.channels != 0:
		return 0, 0, fmt.Errorf("sample rate: %d and %d samples, must be whole frames of %d channels", len(in), len(out),
			c.channels)
	case len(out) == 0:
		return 0, 0, nil
	}
	last := C.int(0)
	if end {
		last = 1
	}
	r := C.waldo_src_process(c.state, (*C.float)(unsafe.SliceData(in)), C.long(len(in)/c.channels),
		(*C.float)(unsafe.SliceData(out)), C.long(len(out)/c.channels), C.double(ratio), last)
	runtime.KeepAlive(c)
	if r.error != 0 {
		return 0, 0, fmt.Errorf("sample rate: %s", C.GoString(C.src_strerror(r.error)))
	}
	return int(r.used) * c.channels, int(r.made) * c.channels, nil
}

// Reset forgets all earlier input, as between two streams.
func (c *Converter) Reset() {
	if c.state != nil {
		C.src_reset(c.state)
		runtime.KeepAlive(c)
	}
}

// Close frees the memory. It may be called more than once.
func (c *Converter) Close() error {
	if c.state != nil {
		c.cleanup.Stop()
		C.src_delete(c.state)
		c.state = nil
	}
	return nil
}
