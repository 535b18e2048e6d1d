// Package sketch is the part of the rover's firmware that does not need a board, compiled for this computer, so that
// it can be tested with any clock and any number of bytes. protocol.h and odometry.h are links to the files of the
// firmware, because Go's build cache watches only this folder.
package sketch

// #cgo CXXFLAGS: -std=gnu++11 -Wall -Wextra -Werror
// #include "sketch.h"
import "C"

import (
	"unsafe"

	"github.com/waldo-robot/waldo/firmware/internal/wire"
)

// CommandReader is the firmware's reader of commands. It holds C memory until it is closed.
type CommandReader struct{ c unsafe.Pointer }

// NewCommandReader makes an empty reader.
func NewCommandReader() *CommandReader { return &CommandReader{C.sketch_reader_new()} }

// Close frees the reader.
func (r *CommandReader) Close() { C.sketch_reader_free(r.c) }

// Take adds a byte and returns whether it completes a command.
func (r *CommandReader) Take(b wire.Byte) (c wire.Command, ok bool) {
	var left, right C.int16_t
	ok = bool(C.sketch_reader_take(r.c, C.uint8_t(b.Value), C.uint32_t(b.At), &left, &right))
	return wire.Command{Left: int16(left), Right: int16(right)}, ok
}

// Forget drops bytes that are too old at a time in milliseconds.
func (r *CommandReader) Forget(now uint32) { C.sketch_reader_forget(r.c, C.uint32_t(now)) }

// Odometry is the firmware's odometry. It holds C memory until it is closed.
type Odometry struct{ c unsafe.Pointer }

// NewOdometry makes an odometry at the start position.
func NewOdometry() *Odometry { return &Odometry{C.sketch_odometry_new()} }

// Close frees the odometry.
func (o *Odometry) Close() { C.sketch_odometry_free(o.c) }

// Roll takes the ticks of both wheels since the last call.
func (o *Odometry) Roll(left, right int16) {
	C.sketch_odometry_roll(o.c, C.int16_t(left), C.int16_t(right))
}

// Pose returns the position in mm and the heading in milliradians.
func (o *Odometry) Pose() (x, y int32, heading int16) {
	var cx, cy C.int32_t
	var ch C.int16_t
	C.sketch_odometry_pose(o.c, &cx, &cy, &ch)
	return int32(cx), int32(cy), int16(ch)
}

// Telemetry returns the frame that the firmware makes from t.
func Telemetry(t wire.Telemetry) []byte {
	frame := make([]byte, wire.TelemetrySize)
	C.sketch_telemetry(C.uint32_t(t.Uptime), C.int16_t(t.Left), C.int16_t(t.Right), C.int32_t(t.X), C.int32_t(t.Y),
		C.int16_t(t.Heading),
		C.uint16_t(t.Battery), C.uint8_t(t.Flags), (*C.uint8_t)(&frame[0]))
	return frame
}
