package pystruct_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

func FuzzParse(f *testing.F) {
	for _, tt := range badFormats {
		f.Add(tt.format)
	}
	for _, tt := range largest {
		f.Add(tt.format)
	}
	for i, v := range readGolden(f).Formats {
		if i%7 == 0 || len(v.format) > 2 {
			f.Add(v.format)
		}
	}
	f.Fuzz(func(t *testing.T, format string) {
		parsed, err := pystruct.Parse(format)
		if err != nil {
			checkFormatError(t, format, err)
			return
		}
		again, err := pystruct.Parse(parsed.String())
		if err != nil || parsed.String() != format || !reflect.DeepEqual(parsed, again) {
			t.Fatalf("%q: String is %q, which is parsed to another format (%v)", format, parsed, err)
		}
		end := 0
		for _, field := range parsed.Fields() {
			if field.Offset < end || field.Size < 0 || field.Min > field.Max {
				t.Fatalf("%q: %+v behind %d", format, field, end)
			}
			end = field.Offset + field.Size
		}
		if parsed.Size() < end || parsed.Size() > pystruct.MaxSize || len(parsed.Fields()) > pystruct.MaxValues {
			t.Fatalf("%q: %d bytes, %d values", format, parsed.Size(), len(parsed.Fields()))
		}
	})
}

func checkFormatError(t *testing.T, format string, err error) {
	t.Helper()
	var bad *pystruct.FormatError
	if !errors.As(err, &bad) || bad.Format != format || bad.Offset < 0 || bad.Offset >= len(format) ||
		len(bad.Error()) > 1000 {
		t.Fatalf("%q: %+v", format, err)
	}
}

// FuzzUnpack takes a format and the bytes of a message, which are cut or filled with 0xa5 to the right size.
func FuzzUnpack(f *testing.F) {
	for i, v := range readGolden(f).Unpack {
		data, err := hex.DecodeString(*v.data)
		if err != nil {
			f.Fatal(err)
		}
		if i%7 == 0 {
			f.Add(v.format, data)
		}
	}
	for _, tt := range badFormats {
		f.Add(tt.format, []byte{})
	}
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		parsed, err := pystruct.Parse(format)
		if err != nil {
			return
		}
		if _, err := parsed.Unpack(data); (err == nil) != (len(data) == parsed.Size()) {
			t.Fatalf("%q unpacks %d bytes: %v", format, len(data), err)
		}
		data = append(data, bytes.Repeat([]byte{0xa5}, parsed.Size())...)[:parsed.Size()]
		values, err := parsed.Unpack(data)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := parsed.Pack(values...)
		if err != nil {
			t.Fatalf("%q unpacks %x to %v, which cannot be packed: %v", format, data, encode(values), err)
		}
		if want := canonical(parsed, data, values); !bytes.Equal(packed, want) {
			t.Fatalf("%q unpacks %x to %v, and packs %x, want %x", format, data, encode(values), packed, want)
		}
		again, err := parsed.Unpack(packed)
		if err != nil || !slices.Equal(encode(again), encode(values)) {
			t.Fatalf("%q packs %v to %x, and unpacks %v, %v", format, encode(values), packed, encode(again), err)
		}
	})
}

// canonical returns the message with everything that values do not carry in its canonical form: padding
// and the bytes behind a Pascal string are zero, true is 1, and a NaN is quiet, in half precision
// without payload. Everything else must survive.
func canonical(f *pystruct.Format, data []byte, values []any) []byte {
	want := make([]byte, len(data))
	for i, field := range f.Fields() {
		to, from := want[field.Offset:field.Offset+field.Size], data[field.Offset:field.Offset+field.Size]
		x, _ := values[i].(float64)
		switch {
		case field.Char == 'p' && field.Size > 0:
			n := min(int(from[0]), field.Size-1)
			to[0] = byte(n)
			copy(to[1:], from[1:1+n])
		case field.Char == '?' && from[0] != 0:
			to[0] = 1
		case math.IsNaN(x) && field.Char != 'd':
			quieten(f, field, to, from)
		default:
			copy(to, from)
		}
	}
	return want
}

// quieten copies a NaN of half or single precision, and sets its first bit of fraction.
func quieten(f *pystruct.Format, field pystruct.Field, to, from []byte) {
	first, second := 0, 1 // the most significant bytes
	if s := f.String(); s[0] != '>' && s[0] != '!' {
		first, second = field.Size-1, field.Size-2
	}
	if field.Char == 'e' {
		to[first], to[second] = from[first]&0x80|0x7e, 0
		return
	}
	copy(to, from)
	to[second] |= 0x40
}
