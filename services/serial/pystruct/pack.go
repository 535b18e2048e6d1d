package pystruct

import (
	"fmt"
	"math"
	"slices"
)

// Pack returns the message with these values. Its error is a [*ValueError].
func (f *Format) Pack(values ...any) ([]byte, error) {
	b, err := f.AppendPack(nil, values)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// AppendPack appends the message with these values to dst. After an error, which is a [*ValueError], it
// returns dst unchanged.
func (f *Format) AppendPack(dst []byte, values []any) ([]byte, error) {
	if err := f.checkCount(len(values)); err != nil {
		return dst, err
	}
	all := slices.Grow(dst, f.size)[:len(dst)+f.size]
	message := all[len(dst):]
	clear(message)
	for i, v := range values {
		field := &f.fields[i]
		if problem := f.pack(message[field.Offset:field.Offset+field.Size], field, v); problem != "" {
			return dst, &ValueError{Index: i, Char: field.Char, Problem: problem}
		}
	}
	return all, nil
}

func (f *Format) checkCount(given int) error {
	wanted := len(f.fields)
	switch {
	case given < wanted:
		return &ValueError{Index: given, Char: f.fields[given].Char,
			Problem: fmt.Sprintf("is missing: the format %q takes %d values, not %d", shorten(f.text), wanted, given)}
	case given > wanted:
		return &ValueError{Index: wanted,
			Problem: fmt.Sprintf("is left over: the format %q takes %d values, not %d", shorten(f.text), wanted, given)}
	}
	return nil
}

// pack writes one value into b, which is zero, or returns the problem with it.
func (f *Format) pack(b []byte, field *Field, v any) (problem string) {
	v, problem = plain(v)
	if problem != "" {
		return problem
	}
	switch field.kind {
	case signed, unsigned, pointer:
		return f.packWhole(b, field, v)
	case float:
		return f.packFloat(b, v)
	case boolean:
		if truth(v) {
			b[0] = 1
		}
		return ""
	}
	data, ok := v.([]byte)
	if !ok {
		return describe(v) + " where bytes are required: give []byte or string"
	}
	return packBytes(b, field.kind, data)
}

func (f *Format) packWhole(b []byte, field *Field, v any) (problem string) {
	bits, negative, ok := whole(v)
	if !ok {
		return describe(v) + " where a whole number is required: give an integer, rounded if necessary"
	}
	spare := 64 - 8*len(b)
	fits := true
	switch field.kind {
	case signed:
		fits = int64(bits<<spare)>>spare == int64(bits) && (int64(bits) < 0) == negative
	case unsigned:
		fits = bits<<spare>>spare == bits && !negative
	}
	if !fits {
		return fmt.Sprintf("%d is out of range: use %s", v, rangeText(field))
	}
	f.putBits(b, bits)
	return ""
}

// whole returns the bits of a whole number, and whether it is below zero.
func whole(v any) (bits uint64, negative, ok bool) {
	switch v := v.(type) {
	case int64:
		return uint64(v), v < 0, true
	case uint64:
		return v, false, true
	case bool:
		if v {
			return 1, false, true
		}
		return 0, false, true
	}
	return 0, false, false
}

func (f *Format) packFloat(b []byte, v any) (problem string) {
	x, ok := number(v)
	if !ok {
		return describe(v) + " where a number is required: give a float64 or an integer"
	}
	switch len(b) {
	case 2:
		half, ok := toHalf(x)
		if !ok {
			return fmt.Sprintf("%v is too large for half precision: use -%d to %d", v, maxHalf, maxHalf)
		}
		f.order.PutUint16(b, half)
	case 4:
		single := float32(x)
		if math.IsInf(float64(single), 0) && !math.IsInf(x, 0) && !f.native {
			return fmt.Sprintf("%v is too large for single precision: use -%v to %v", v, float32(math.MaxFloat32),
				float32(math.MaxFloat32))
		}
		f.order.PutUint32(b, math.Float32bits(single))
	default:
		f.order.PutUint64(b, math.Float64bits(x))
	}
	return ""
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case uint64:
		return float64(v), true
	}
	bits, _, ok := whole(v)
	return float64(int64(bits)), ok
}

// truth returns the truth value of a plain value, as in Python.
func truth(v any) bool {
	switch v := v.(type) {
	case int64:
		return v != 0
	case uint64:
		return v != 0
	case float64:
		return v != 0
	case []byte:
		return len(v) > 0
	}
	return v == true
}

func packBytes(b []byte, k kind, data []byte) (problem string) {
	switch {
	case k == character && len(data) != 1:
		return fmt.Sprintf("%d bytes where one is required: give exactly one", len(data))
	case k == pascal && len(b) > 0:
		b[0] = byte(min(copy(b[1:], data), math.MaxUint8))
	case k != pascal:
		copy(b, data)
	}
	return ""
}

// putBits writes the lowest bits into 1, 2, 4 or 8 bytes.
func (f *Format) putBits(b []byte, bits uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(bits)
	case 2:
		f.order.PutUint16(b, uint16(bits))
	case 4:
		f.order.PutUint32(b, uint32(bits))
	default:
		f.order.PutUint64(b, bits)
	}
}

// plain returns an int as int64 and a string as []byte, so that there is one type for each sort of value.
func plain(v any) (_ any, problem string) {
	switch v := v.(type) {
	case int64, uint64, float64, bool, []byte:
		return v, ""
	case int:
		return int64(v), ""
	case string:
		return []byte(v), ""
	case nil:
		return nil, "is nil: give a value"
	}
	return nil, fmt.Sprintf("has type %T: give an int, int64, uint64, float64, bool, []byte or string", v)
}

// describe names a plain value in an error.
func describe(v any) string {
	switch v := v.(type) {
	case float64:
		return fmt.Sprintf("the float64 %v", v)
	case bool:
		return fmt.Sprintf("the bool %v", v)
	case []byte:
		return "bytes"
	}
	return fmt.Sprintf("the integer %d", v)
}

// rangeText returns the limits of a whole number in full, where float64 would round them.
func rangeText(field *Field) string {
	most := ^uint64(0) >> (64 - 8*field.Size)
	if field.kind == signed {
		return fmt.Sprintf("%d to %d", -int64(most>>1)-1, most>>1)
	}
	return fmt.Sprintf("0 to %d", most)
}
