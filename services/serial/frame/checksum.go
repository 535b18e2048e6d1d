package frame

import (
	"fmt"
	"slices"
	"strings"
)

// Checksum is a way to check that a message is intact. It follows the message's payload and does not
// cover start bytes.
type Checksum string

// Checksums. The check value of each is its value for the nine bytes "123456789".
const (
	NoChecksum Checksum = ""
	Sum8       Checksum = "sum8" // sum of the bytes modulo 256; check value 0xDD
	XOR8       Checksum = "xor8" // exclusive or of the bytes; check value 0x31
	CRC8       Checksum = "crc8" // CRC-8/SMBUS: polynomial 0x07, start 0; check value 0xF4
	// CRC-16/MODBUS: polynomial 0x8005 reflected, start 0xFFFF, low byte first; check value 0x4B37
	CRC16 Checksum = "crc16"
)

var checksums = []Checksum{Sum8, XOR8, CRC8, CRC16}

// UnmarshalText reads the name of a checksum, as used in the configuration.
func (c *Checksum) UnmarshalText(text []byte) error {
	if name := Checksum(text); name == "none" {
		*c = NoChecksum
	} else if slices.Contains(checksums, name) {
		*c = name
	} else {
		return fmt.Errorf("%.64q is not a checksum: use none, sum8, xor8, crc8 or crc16", text)
	}
	return nil
}

// Size is how many bytes the checksum has.
func (c Checksum) Size() int {
	switch c {
	case NoChecksum:
		return 0
	case CRC16:
		return 2
	default:
		return 1
	}
}

// Append appends the checksum of a payload to dst.
func (c Checksum) Append(dst, payload []byte) []byte {
	switch c {
	case Sum8:
		return append(dst, fold(payload, func(sum, b byte) byte { return sum + b }))
	case XOR8:
		return append(dst, fold(payload, xor))
	case CRC8:
		return append(dst, fold(payload, crc8))
	case CRC16:
		crc := crc16(payload)
		return append(dst, byte(crc), byte(crc>>8))
	default:
		return dst
	}
}

// holds tells whether a message ends with the checksum of the bytes before it.
func (c Checksum) holds(message []byte) bool {
	payload := message[:len(message)-c.Size()]
	var room [2]byte
	return string(c.Append(room[:0], payload)) == string(message[len(payload):])
}

func fold(payload []byte, step func(sum, b byte) byte) (sum byte) {
	for _, b := range payload {
		sum = step(sum, b)
	}
	return sum
}

func xor(sum, b byte) byte { return sum ^ b }

func crc8(crc, b byte) byte {
	crc ^= b
	for range 8 {
		if crc&0x80 != 0 {
			crc = crc<<1 ^ 0x07
		} else {
			crc <<= 1
		}
	}
	return crc
}

func crc16(payload []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range payload {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// String names the checksum.
func (c Checksum) String() string {
	if c == NoChecksum {
		return "none"
	}
	return string(c)
}

// Names lists the checksums, for help.
func Names() string {
	names := []string{"none"}
	for _, c := range checksums {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}
