package simboard

import (
	"encoding/binary"
	"time"

	"github.com/waldo-robot/waldo/pkg/simworld"
)

const (
	commandStart  = 0xA5
	commandSize   = 6
	telemetryAt   = 0x5A
	telemetrySize = 23
	// forgotten is the age at which bytes of an incomplete command are discarded.
	forgotten = 50 * time.Millisecond
)

// Flags of telemetry.
const (
	flagWatchdog uint8 = 1 << iota // the watchdog has stopped the motors
	flagMoving                     // a motor turns
	flagBumper                     // the rover touches something
)

// command is the duty of each side as sent, not yet limited to its range.
type command struct{ left, right int16 }

// parser finds commands in the bytes written to the board.
type parser struct {
	bytes [commandSize]byte      // of a frame that is not complete; the first is the start byte
	at    [commandSize]time.Time // when each came
	n     int
}

// feed takes the next byte, and returns the command that it completes, if any.
func (p *parser) feed(b byte, now time.Time) (c command, ok bool) {
	for p.n > 0 && now.Sub(p.at[0]) > forgotten {
		p.skip()
	}
	if p.n == 0 && b != commandStart {
		return c, false
	}
	p.bytes[p.n], p.at[p.n] = b, now
	if p.n++; p.n < commandSize {
		return c, false
	}
	payload := p.bytes[1 : commandSize-1]
	if crc8(payload) != p.bytes[commandSize-1] {
		p.skip()
		return c, false
	}
	p.n = 0
	return command{int16(binary.LittleEndian.Uint16(payload)), int16(binary.LittleEndian.Uint16(payload[2:]))}, true
}

// skip advances to the next start byte within the bytes read.
func (p *parser) skip() {
	next := 1
	for next < p.n && p.bytes[next] != commandStart {
		next++
	}
	copy(p.at[:], p.at[next:p.n])
	p.n = copy(p.bytes[:], p.bytes[next:p.n])
}

// telemetry is the board's report on itself.
type telemetry struct {
	uptime      uint32
	left, right int16
	odometry    simworld.Odometry
	battery     uint16
	flags       uint8
}

// append adds the frame to b.
func (t telemetry) append(b []byte) []byte {
	b = append(b, telemetryAt)
	payload := len(b)
	b = binary.LittleEndian.AppendUint32(b, t.uptime)
	b = binary.LittleEndian.AppendUint16(b, uint16(t.left))
	b = binary.LittleEndian.AppendUint16(b, uint16(t.right))
	b = binary.LittleEndian.AppendUint32(b, uint32(t.odometry.X))
	b = binary.LittleEndian.AppendUint32(b, uint32(t.odometry.Y))
	b = binary.LittleEndian.AppendUint16(b, uint16(t.odometry.Heading))
	b = binary.LittleEndian.AppendUint16(b, t.battery)
	b = append(b, t.flags)
	return append(b, crc8(b[payload:]))
}

// crc8 is CRC-8/SMBUS: polynomial 0x07, not reflected, start value and final exclusive-or zero.
func crc8(data []byte) (crc byte) {
	for _, b := range data {
		crc ^= b
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x07
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
