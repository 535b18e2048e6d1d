package pystruct

import "math"

// Numbers of half precision (IEEE 754 binary16) have a sign bit, five bits of exponent and ten bits of
// fraction.
const (
	maxHalf      = 65504
	halfSign     = 0x8000
	halfInfinity = 0x7c00
	halfNaN      = 0x7e00
)

// toHalf rounds to the nearest number of half precision, ties to even. ok is false if that would be
// beyond the greatest. The payload of a NaN is lost, its sign is kept.
func toHalf(x float64) (half uint16, ok bool) {
	sign := uint16(math.Float64bits(x) >> 48 & halfSign)
	switch {
	case math.IsNaN(x):
		return sign | halfNaN, true
	case math.IsInf(x, 0):
		return sign | halfInfinity, true
	case x == 0:
		return sign, true
	}
	_, exponent := math.Frexp(x)
	exponent = max(exponent, -13) // subnormal numbers have the exponent of the least normal one
	units := math.RoundToEven(math.Ldexp(math.Abs(x), 11-exponent))
	// A normal number has 1024 units or more, and so adds one to the exponent in the bits above it. 2048
	// units add one more.
	bits := (exponent+13)<<10 + int(units)
	return sign | uint16(min(bits, halfInfinity)), bits < halfInfinity
}

// fromHalf returns the same number; every NaN becomes the quiet one of its sign.
func fromHalf(half uint16) float64 {
	var x float64
	exponent, fraction := int(half>>10&31), float64(half&1023)
	switch {
	case exponent == 0:
		x = math.Ldexp(fraction, -24)
	case exponent < 31:
		x = math.Ldexp(1024+fraction, exponent-25)
	case fraction == 0:
		x = math.Inf(1)
	default:
		x = math.Float64frombits(0x7ff8 << 48)
	}
	if half&halfSign != 0 {
		x = math.Copysign(x, -1)
	}
	return x
}
