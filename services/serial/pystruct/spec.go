package pystruct

import (
	"fmt"
	"math"
	"strings"
)

// kind is how a format character interprets bytes.
type kind byte

const (
	padding kind = iota
	character
	text
	pascal
	boolean
	signed
	unsigned
	pointer // unsigned, and accepts negative numbers for their bits
	float
)

// spec describes a format character.
type spec struct {
	char byte
	kind kind
	size int // bytes of one item; in native mode also its alignment
}

const (
	standardChars = "xcbB?hHiIlLqQefdsp"
	nativeChars   = "nNP" // in native mode only
)

// lookup returns the spec of a format character, or what is wrong with it.
func lookup(c byte, native bool) (s spec, problem string) {
	switch {
	case strings.IndexByte(nativeChars, c) >= 0 && !native:
		return s, "has a size in native mode only: use q or Q, which have 8 bytes, or begin the format with @"
	case strings.IndexByte(standardChars+nativeChars, c) < 0:
		return s, unknown(c, native)
	}
	return spec{char: c, kind: kindOf(c), size: sizeOf(c, native)}, ""
}

func kindOf(c byte) kind {
	switch c {
	case 'c':
		return character
	case 's':
		return text
	case 'p':
		return pascal
	case '?':
		return boolean
	case 'b', 'h', 'i', 'l', 'q', 'n':
		return signed
	case 'B', 'H', 'I', 'L', 'Q', 'N':
		return unsigned
	case 'P':
		return pointer
	case 'e', 'f', 'd':
		return float
	}
	return padding
}

func sizeOf(c byte, native bool) int {
	switch c {
	case 'h', 'H', 'e':
		return 2
	case 'i', 'I', 'f':
		return 4
	case 'l', 'L':
		if native {
			return 8
		}
		return 4
	case 'q', 'Q', 'd', 'n', 'N', 'P':
		return 8
	}
	return 1
}

// unknown describes what is wrong with a character that is not in the tables.
func unknown(c byte, native bool) string {
	switch {
	case strings.IndexByte("@=<>!", c) >= 0:
		return "is a byte order, which can only be the very first character: move it there, or remove it"
	case isSpace(c):
		return "separates a count from its format character: remove the white space"
	}
	known := standardChars
	if native {
		known += nativeChars
	}
	return fmt.Sprintf("is not a format character: use one of %s", strings.Join(strings.Split(known, ""), " "))
}

// limits returns for numbers whether they are whole, and their range.
func limits(k kind, size int) (whole bool, low, high float64) {
	bits := 8 * size
	switch k {
	case signed:
		return true, -math.Ldexp(1, bits-1), below(bits - 1)
	case unsigned, pointer:
		return true, 0, below(bits)
	case float:
		high = [...]float64{2: maxHalf, 4: math.MaxFloat32, 8: math.MaxFloat64}[size]
		return false, -high, high
	}
	return false, 0, 0
}

// below returns the greatest whole number below 2 to the power of bits that is a float64.
func below(bits int) float64 {
	if bits <= 53 {
		return math.Ldexp(1, bits) - 1
	}
	return math.Nextafter(math.Ldexp(1, bits), 0)
}
