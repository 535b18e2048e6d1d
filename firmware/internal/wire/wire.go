// Package wire is the rover's serial protocol from the host's side: it encodes commands and decodes telemetry. It also
// computes which commands a board has to find in a stream of bytes, independently of the board's own code, so that one
// can be checked against the other.
//
// Numbers are little-endian, and the CRC-8 (polynomial 0x07, initial value 0) covers the bytes between start byte and
// CRC:
//
//	command    0xA5 | int16 left | int16 right | crc8
//	telemetry  0x5A | uint32 uptime | int16 left, right | int32 x, y | int16 heading | uint16 battery | uint8 flags | crc8
package wire

import (
	"bytes"
	"encoding/binary"
)

// Frames begin with these bytes and have these sizes.
const (
	CommandStart   = 0xA5
	CommandSize    = 6
	TelemetryStart = 0x5A
	TelemetrySize  = 23
)

// The bits of [Telemetry.Flags].
const (
	FlagWatchdog = 1 << 0 // the watchdog has stopped the motors
	FlagMoving   = 1 << 1 // a motor turns
)

const (
	fullDuty  = 255
	partialMs = 50 // a board drops the bytes of an incomplete frame when they are older
)

// Command is the duty of each side, forward positive. A board limits it to 255 in either direction.
type Command struct{ Left, Right int16 }

// Encode returns the whole frame.
func (c Command) Encode() []byte {
	frame := []byte{CommandStart}
	frame = binary.LittleEndian.AppendUint16(frame, uint16(c.Left))
	frame = binary.LittleEndian.AppendUint16(frame, uint16(c.Right))
	return append(frame, CRC8(frame[1:]))
}

// Clamped returns the command as a board executes it.
func (c Command) Clamped() Command {
	return Command{min(max(c.Left, -fullDuty), fullDuty), min(max(c.Right, -fullDuty), fullDuty)}
}

// Telemetry is what a board reports about itself.
type Telemetry struct {
	Uptime      uint32 // ms since the board started
	Left, Right int16  // duty applied, -255 to 255
	X, Y        int32  // mm since the start, forward and to the left
	Heading     int16  // milliradians, -3142 to 3142, counterclockwise
	Battery     uint16 // mV
	Flags       uint8
}

// Command returns the state of the motors as a command.
func (t Telemetry) Command() Command { return Command{t.Left, t.Right} }

// Reader finds telemetry in a stream of bytes. Its zero value is ready.
type Reader struct {
	rest []byte
	// Skipped counts the bytes outside all frames.
	Skipped int
}

// Take adds bytes and returns the frames that they complete.
func (r *Reader) Take(b []byte) (frames []Telemetry) {
	r.rest = append(r.rest, b...)
	for len(r.rest) >= TelemetrySize {
		frame := r.rest[:TelemetrySize]
		if frame[0] != TelemetryStart || CRC8(frame[1:TelemetrySize-1]) != frame[TelemetrySize-1] {
			r.Skipped++
			r.rest = r.rest[1:]
			continue
		}
		var t Telemetry
		_, _ = binary.Decode(frame[1:], binary.LittleEndian, &t) // it is long enough
		frames = append(frames, t)
		r.rest = r.rest[TelemetrySize:]
	}
	return frames
}

// Byte is a byte and its time of arrival in milliseconds. Times wrap around.
type Byte struct {
	Value byte
	At    uint32
}

// Commands returns what a board executes from a stream: every frame with the right CRC that arrived in time and does
// not share a byte with an earlier one.
func Commands(stream []Byte) (commands []Command) {
	for i := 0; i+CommandSize <= len(stream); i++ {
		frame := stream[i : i+CommandSize]
		if frame[CommandSize-1].At-frame[0].At > partialMs {
			continue
		}
		var b []byte
		for _, x := range frame {
			b = append(b, x.Value)
		}
		if c, ok := decode(b); ok {
			commands = append(commands, c.Clamped())
			i += CommandSize - 1
		}
	}
	return commands
}

// Possible returns everything that a board may execute from a stream, with any pauses and from any starting point.
func Possible(stream []byte) map[Command]bool {
	commands := make(map[Command]bool)
	for i := 0; i+CommandSize <= len(stream); i++ {
		if c, ok := decode(stream[i : i+CommandSize]); ok {
			commands[c.Clamped()] = true
		}
	}
	return commands
}

func decode(frame []byte) (c Command, ok bool) {
	c.Left = int16(binary.LittleEndian.Uint16(frame[1:]))
	c.Right = int16(binary.LittleEndian.Uint16(frame[3:]))
	return c, bytes.Equal(frame, c.Encode())
}

// CRC8 is the checksum of a payload, also known as CRC-8/SMBUS.
func CRC8(payload []byte) (crc byte) {
	for _, b := range payload {
		crc ^= b
		for range 8 {
			carry := crc >> 7
			crc = crc<<1 ^ carry*0x07
		}
	}
	return crc
}
