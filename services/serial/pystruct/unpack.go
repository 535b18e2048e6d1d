package pystruct

import (
	"bytes"
	"fmt"
	"math"
)

// Unpack returns the values of a message, one for each of the format's fields. If the size of data
// differs from the format's, the error wraps [ErrSize].
func (f *Format) Unpack(data []byte) ([]any, error) {
	if len(data) != f.size {
		return nil, fmt.Errorf("%w: %d, but a message of the format %q has %d", ErrSize, len(data), shorten(f.text), f.size)
	}
	values := make([]any, len(f.fields))
	for i := range f.fields {
		field := &f.fields[i]
		values[i] = f.unpack(field.kind, data[field.Offset:field.Offset+field.Size])
	}
	return values, nil
}

func (f *Format) unpack(k kind, b []byte) any {
	switch k {
	case signed:
		spare := 64 - 8*len(b)
		return int64(f.bits(b)<<spare) >> spare
	case unsigned, pointer:
		u := f.bits(b)
		if u > math.MaxInt64 {
			return u
		}
		return int64(u)
	case float:
		return f.float(b)
	case boolean:
		return b[0] != 0
	case pascal:
		return bytes.Clone(pascalContent(b))
	}
	return bytes.Clone(b)
}

// bits reads 1, 2, 4 or 8 bytes.
func (f *Format) bits(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(f.order.Uint16(b))
	case 4:
		return uint64(f.order.Uint32(b))
	}
	return f.order.Uint64(b)
}

func (f *Format) float(b []byte) float64 {
	switch len(b) {
	case 2:
		return fromHalf(f.order.Uint16(b))
	case 4:
		return float64(math.Float32frombits(f.order.Uint32(b)))
	}
	return math.Float64frombits(f.order.Uint64(b))
}

// pascalContent returns as many bytes as the first byte of b counts, as far as b reaches.
func pascalContent(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	return b[1:min(1+int(b[0]), len(b))]
}
