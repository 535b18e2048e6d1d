package pystruct

import (
	"encoding/binary"
	"slices"
)

// Limits of a format.
const (
	MaxSize   = 64 << 10 // bytes of a message
	MaxValues = 4096     // values of a message
)

// Format describes messages of one layout. [Parse] makes one.
type Format struct {
	text   string
	native bool
	order  binary.ByteOrder
	size   int
	fields []Field
}

// Field is the position of one value in a message, and its type and limits.
type Field struct {
	// Char is the format character, for example 'h'.
	Char byte
	// Offset and Size are in bytes.
	Offset, Size int
	// Min and Max are the limits of a number, and 0 for other values. Each float64 between them, rounded
	// to a whole number if Whole is set, can be packed. With 64 bits the whole numbers extend a little
	// above Max, where float64 cannot represent them all.
	Min, Max float64
	// Whole means that the value is a whole number.
	Whole bool

	kind kind
}

// String returns the format as it was given to Parse.
func (f *Format) String() string { return f.text }

// Size returns the number of bytes of a message.
func (f *Format) Size() int { return f.size }

// Fields returns the values of a message, in order: `3h` gives three, `3s` one and `3x` none.
func (f *Format) Fields() []Field { return slices.Clone(f.fields) }

// add appends the items of one unit to the layout.
func (f *Format) add(u unit) error {
	offset := f.size
	if f.native {
		offset = (offset + u.spec.size - 1) / u.spec.size * u.spec.size
	}
	f.size = offset + u.count*u.spec.size
	if f.size > MaxSize {
		return badFormat(f.text, u.offset, "makes the message larger than %d bytes, the maximum: make it smaller", MaxSize)
	}
	field := Field{Char: u.spec.char, Offset: offset, Size: u.spec.size, kind: u.spec.kind}
	field.Whole, field.Min, field.Max = limits(field.kind, field.Size)
	n := u.count
	switch u.spec.kind {
	case padding:
		return nil
	case text, pascal:
		field.Size, n = u.count, 1
	}
	if len(f.fields)+n > MaxValues {
		return badFormat(f.text, u.offset, "makes more than %d values, the maximum: pack many of a kind as bytes (s)",
			MaxValues)
	}
	for range n {
		f.fields = append(f.fields, field)
		field.Offset += field.Size
	}
	return nil
}
