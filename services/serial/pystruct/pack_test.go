package pystruct_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

// badValues lists values that cannot be packed, and the text of the error.
var badValues = []struct {
	format string
	values []any
	index  int
	char   byte
	want   string
}{
	{"<hh", []any{1}, 1, 'h', `values[1] ('h'): is missing: the format "<hh" takes 2 values, not 1`},
	{"<hh", []any{1, 2, 3, 4}, 2, 0, `values[2]: is left over: the format "<hh" takes 2 values, not 4`},
	{"<x", []any{1}, 0, 0, `values[0]: is left over: the format "<x" takes 0 values, not 1`},
	{"<b", []any{128}, 0, 'b', `values[0] ('b'): 128 is out of range: use -128 to 127`},
	{"<B", []any{-1}, 0, 'B', `values[0] ('B'): -1 is out of range: use 0 to 255`},
	{"<fh", []any{1, int64(-32769)}, 1, 'h', `values[1] ('h'): -32769 is out of range: use -32768 to 32767`},
	{"<I", []any{int64(1 << 32)}, 0, 'I', `values[0] ('I'): 4294967296 is out of range: use 0 to 4294967295`},
	{"<q", []any{uint64(1 << 63)}, 0, 'q',
		`values[0] ('q'): 9223372036854775808 is out of range: use -9223372036854775808 to 9223372036854775807`},
	{"N", []any{int64(math.MinInt64)}, 0, 'N',
		`values[0] ('N'): -9223372036854775808 is out of range: use 0 to 18446744073709551615`},
	{"<i", []any{3.0}, 0, 'i',
		`values[0] ('i'): the float64 3 where a whole number is required: give an integer, rounded if necessary`},
	{"<i", []any{"3"}, 0, 'i',
		`values[0] ('i'): bytes where a whole number is required: give an integer, rounded if necessary`},
	{"<i", []any{nil}, 0, 'i', `values[0] ('i'): is nil: give a value`},
	{"P", []any{1.5}, 0, 'P',
		`values[0] ('P'): the float64 1.5 where a whole number is required: give an integer, rounded if necessary`},
	{"<i", []any{int32(3)}, 0, 'i',
		`values[0] ('i'): has type int32: give an int, int64, uint64, float64, bool, []byte or string`},
	{"<d", []any{[]byte("1.5")}, 0, 'd',
		`values[0] ('d'): bytes where a number is required: give a float64 or an integer`},
	{"<e", []any{65520.0}, 0, 'e', `values[0] ('e'): 65520 is too large for half precision: use -65504 to 65504`},
	{"<e", []any{-65520}, 0, 'e', `values[0] ('e'): -65520 is too large for half precision: use -65504 to 65504`},
	{">f", []any{-1e39}, 0, 'f',
		`values[0] ('f'): -1e+39 is too large for single precision: use -3.4028235e+38 to 3.4028235e+38`},
	{"?", []any{nil}, 0, '?', `values[0] ('?'): is nil: give a value`},
	{"3s", []any{5}, 0, 's', `values[0] ('s'): the integer 5 where bytes are required: give []byte or string`},
	{"3p", []any{true}, 0, 'p', `values[0] ('p'): the bool true where bytes are required: give []byte or string`},
	{"c", []any{"ab"}, 0, 'c', `values[0] ('c'): 2 bytes where one is required: give exactly one`},
	{"c", []any{[]byte{}}, 0, 'c', `values[0] ('c'): 0 bytes where one is required: give exactly one`},
}

func TestBadValues(t *testing.T) {
	for _, tt := range badValues {
		f := parse(t, tt.format)
		data, err := f.Pack(tt.values...)
		var bad *pystruct.ValueError
		if !errors.As(err, &bad) || data != nil {
			t.Errorf("%q, %v: got %x, %v, want a ValueError", tt.format, tt.values, data, err)
			continue
		}
		if bad.Index != tt.index || bad.Char != tt.char || err.Error() != tt.want {
			t.Errorf("%q, %v: got %d, %q\n%v, want %d, %q\n%s", tt.format, tt.values, bad.Index, bad.Char, err, tt.index,
				tt.char, tt.want)
		}
	}
}

// TestGoValues packs values without CPython vectors: int and string, and 0p, which CPython 3.11 gets wrong.
func TestGoValues(t *testing.T) {
	for _, tt := range []struct {
		format string
		values []any
		want   string
	}{
		{"<hQe", []any{-2, 1 << 30, 3}, "feff" + "0000004000000000" + "0042"},
		{"4spc?", []any{"äb", "", "c", "0"}, "c3a46200" + "00" + "63" + "01"},
		{"?????", []any{0, -1, "", uint64(0), uint64(1)}, "0001000001"},
		{"0p", []any{"abc"}, ""},
		{"b0pxB", []any{1, "abc", 2}, "010002"},
	} {
		data, err := parse(t, tt.format).Pack(tt.values...)
		if err != nil || fmt.Sprintf("%x", data) != tt.want {
			t.Errorf("%q: got %x, %v, want %s", tt.format, data, err, tt.want)
		}
	}
	values, err := parse(t, "b0pxB").Unpack([]byte{1, 0xff, 2})
	if err != nil || !slices.Equal(encode(values), []string{"i1", "b", "i2"}) {
		t.Errorf("unpacked %v, %v", values, err)
	}
}

func TestAppendPack(t *testing.T) {
	f := parse(t, "bxh")
	dst := bytes.Repeat([]byte{0xee}, 16)[:3] // the old bytes must not show through the padding
	got, err := f.AppendPack(dst, []any{1, 2})
	if want := "eeeeee01000200"; err != nil || fmt.Sprintf("%x", got) != want || &got[0] != &dst[0] {
		t.Errorf("got %x, %v, want %s in place", got, err, want)
	}
	got, err = f.AppendPack(dst, []any{1, 99999})
	if err == nil || !bytes.Equal(got, []byte{0xee, 0xee, 0xee}) {
		t.Errorf("after an error: got %x, %v", got, err)
	}
}

func TestUnpackOfAnotherSize(t *testing.T) {
	f := parse(t, "<hB")
	for _, n := range []int{0, 2, 4} {
		values, err := f.Unpack(make([]byte, n))
		want := fmt.Sprintf(`wrong number of bytes: %d, but a message of the format "<hB" has 3`, n)
		if !errors.Is(err, pystruct.ErrSize) || err.Error() != want || values != nil {
			t.Errorf("%d bytes: got %v, %v, want %s", n, values, err, want)
		}
	}
}

func TestUnpackedBytesAreCopies(t *testing.T) {
	data := []byte("abc\x02de")
	values, err := parse(t, "c2s3p").Unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if got := encode(values); !slices.Equal(got, []string{"b61", "b6263", "b6465"}) {
		t.Errorf("got %v", got)
	}
}

// TestAllHalves tries all numbers of half precision: each rounds to itself, the middle between two
// neighbours rounds to the even one, and anything beside the middle to the nearer one.
func TestAllHalves(t *testing.T) {
	f := parse(t, ">e")
	unpack := func(h int) float64 {
		values, err := f.Unpack([]byte{byte(h >> 8), byte(h)})
		if err != nil {
			t.Fatal(err)
		}
		return values[0].(float64)
	}
	check := func(x float64, want int) {
		t.Helper()
		for sign, x := range map[int]float64{0: x, 0x8000: -x} {
			data, err := f.Pack(x)
			if want == 0x7c00 && !math.IsInf(x, 0) {
				if err == nil {
					t.Fatalf("%v packed to %x, want an error", x, data)
				}
			} else if err != nil || int(data[0])<<8|int(data[1]) != want|sign {
				t.Fatalf("%v packed to %x, %v, want %04x", x, data, err, want|sign)
			}
		}
	}
	check(math.Inf(1), 0x7c00)
	for h := range 0x7c00 {
		low, high := unpack(h), unpack(h+1)
		if h == 0x7bff {
			high = 65536 // where the next number would be
		}
		middle := (low + high) / 2
		check(low, h)
		check(math.Nextafter(middle, 0), h)
		check(middle, h+h&1)
		check(math.Nextafter(middle, high), h+1)
	}
}

func TestConcurrentUse(t *testing.T) {
	f := parse(t, "<hi3sfd?")
	var users sync.WaitGroup
	for user := range 8 {
		users.Go(func() {
			for i := range 200 {
				given := []any{int64(user), int64(i), []byte("abc"), 0.5, float64(i), i%2 == 0}
				data, err := f.Pack(given...)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := f.Unpack(data); err != nil || !slices.Equal(encode(got), encode(given)) {
					t.Errorf("got %v, %v, want %v", got, err, given)
					return
				}
			}
		})
	}
	users.Wait()
}
