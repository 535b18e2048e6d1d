package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMessage says that a message is no protobuf.
var ErrMessage = errors.New("a message that cannot be read")

// field is a field of a message: a number or bytes.
type field struct {
	number protowire.Number
	varint uint64
	bytes  []byte // of a text or message, nil for numbers
}

// int is the value of an int32 or an enum.
func (f field) int() int32 { return int32(f.varint) }

// fields calls take with the fields of a message, in their order. Of types other than varint and bytes it leaves them
// out.
func fields(b []byte, take func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMessage, protowire.ParseError(n))
		}
		b = b[n:]
		f, known := field{number: number}, true
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			if f.bytes == nil {
				f.bytes = []byte{}
			}
		default:
			n, known = protowire.ConsumeFieldValue(number, kind, b), false
		}
		if n < 0 {
			return fmt.Errorf("%w: field %d: %w", ErrMessage, number, protowire.ParseError(n))
		}
		b = b[n:]
		if !known {
			continue
		}
		if err := take(f); err != nil {
			return err
		}
	}
	return nil
}

// number appends a field unless its value is 0, as proto3 does.
func number[T ~int32 | ~int64 | ~uint32 | ~uint64](b []byte, n protowire.Number, value T) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(value))
}

// text appends a field unless it is empty.
func text(b []byte, n protowire.Number, value string) []byte {
	if value == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), value)
}

// message appends a message as a field.
func message(b []byte, n protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), body)
}
