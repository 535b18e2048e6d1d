package pystruct_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

func parse(t testing.TB, format string) *pystruct.Format {
	t.Helper()
	f, err := pystruct.Parse(format)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const (
	nativeKnown   = "use one of x c b B ? h H i I l L q Q e f d s p n N P"
	standardKnown = "use one of x c b B ? h H i I l L q Q e f d s p"
	tooLarge      = "makes the message larger than 65536 bytes, the maximum: make it smaller"
	tooMany       = "makes more than 4096 values, the maximum: pack many of a kind as bytes (s)"
)

// badFormats lists formats that must be refused, the position of the fault, and the text of the error.
// It also seeds the fuzz tests.
var badFormats = []struct {
	format string
	offset int
	want   string
}{
	{"<hk", 2, `struct format "<hk": "k" at offset 2 is not a format character: ` + standardKnown},
	{"hk", 1, `struct format "hk": "k" at offset 1 is not a format character: ` + nativeKnown},
	{"h\x00", 1, `struct format "h\x00": "\x00" at offset 1 is not a format character: ` + nativeKnown},
	{"hä", 1, `struct format "hä": "ä" at offset 1 is not a format character: ` + nativeKnown},
	{"12\xff", 2, `struct format "12\xff": "\xff" at offset 2 is not a format character: ` + nativeKnown},
	{"h-1h", 1, `struct format "h-1h": "-" at offset 1 is not a format character: ` + nativeKnown},
	{" <h", 1,
		`struct format " <h": "<" at offset 1 is a byte order, which can only be the very first character: move it there, or remove it`},
	{"3 h", 1, `struct format "3 h": " " at offset 1 separates a count from its format character: remove the white space`},
	{"<h12", 2,
		`struct format "<h12": "1" at offset 2 is a count with nothing to count: add a format character, or remove it`},
	{"<n", 1,
		`struct format "<n": "n" at offset 1 has a size in native mode only: use q or Q, which have 8 bytes, or begin the format with @`},
	{">2P", 2,
		`struct format ">2P": "P" at offset 2 has a size in native mode only: use q or Q, which have 8 bytes, or begin the format with @`},
	{"65537x", 0, `struct format "65537x": "6" at offset 0 ` + tooLarge},
	{"b65529x0q h", 10, `struct format "b65529x0q h": "h" at offset 10 ` + tooLarge},
	{"h 99999999999999999999h", 2, `struct format "h 99999999999999999999h": "9" at offset 2 ` + tooLarge},
	{"18446744073709551617b", 0, `struct format "18446744073709551617b": "1" at offset 0 ` + tooLarge}, // 1 in 64 bits
	{"8193q", 0, `struct format "8193q": "8" at offset 0 ` + tooLarge},
	{"4097b", 0, `struct format "4097b": "4" at offset 0 ` + tooMany},
	{"4096b0s", 5, `struct format "4096b0s": "0" at offset 5 ` + tooMany},
	{strings.Repeat("h", 70) + "k", 70,
		`struct format "` + strings.Repeat("h", 64) + `…": "k" at offset 70 is not a format character: ` + nativeKnown},
}

func TestBadFormats(t *testing.T) {
	for _, tt := range badFormats {
		f, err := pystruct.Parse(tt.format)
		var bad *pystruct.FormatError
		if !errors.As(err, &bad) || f != nil {
			t.Errorf("%q: got %v, %v, want a FormatError", tt.format, f, err)
			continue
		}
		if bad.Format != tt.format || bad.Offset != tt.offset || err.Error() != tt.want {
			t.Errorf("%q: got offset %d\n%v, want %d\n%s", tt.format, bad.Offset, err, tt.offset, tt.want)
		}
	}
}

// largest lists formats that are just small enough.
var largest = []struct {
	format        string
	size, nValues int
}{
	{"65536x", 65536, 0},
	{"65536s", 65536, 1},
	{"65535p", 65535, 1},
	{"4096?61440x", 65536, 4096},
	{"b65528x0q", 65536, 1},
	{strings.Repeat("0s", 4096), 0, 4096},
	{strings.Repeat("0q ", 100_000), 0, 0},
}

func TestLargestFormats(t *testing.T) {
	for _, tt := range largest {
		f := parse(t, tt.format)
		if f.Size() != tt.size || len(f.Fields()) != tt.nValues {
			t.Errorf("%.20q: %d bytes and %d values, want %d and %d", tt.format, f.Size(), len(f.Fields()), tt.size, tt.nValues)
		}
	}
}

func TestFields(t *testing.T) {
	f := parse(t, "@c2h3xi?5sf0p3pdeQ")
	if got := f.String(); got != "@c2h3xi?5sf0p3pdeQ" {
		t.Errorf("String is %q", got)
	}
	want := []string{
		"c 0+1 0..0", "h 2+2 -32768..32767 whole", "h 4+2 -32768..32767 whole",
		"i 12+4 -2.147483648e+09..2.147483647e+09 whole", "? 16+1 0..0",
		"s 17+5 0..0", "f 24+4 -3.4028234663852886e+38..3.4028234663852886e+38", "p 28+0 0..0", "p 28+3 0..0",
		"d 32+8 -1.7976931348623157e+308..1.7976931348623157e+308", "e 40+2 -65504..65504",
		"Q 48+8 0..1.844674407370955e+19 whole",
	}
	fields := f.Fields()
	for i, field := range fields {
		got := fmt.Sprintf("%c %d+%d %v..%v", field.Char, field.Offset, field.Size, field.Min, field.Max)
		if field.Whole {
			got += " whole"
		}
		if i >= len(want) || got != want[i] {
			t.Errorf("field %d: got %s, want %q", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(fields) != len(want) || f.Size() != 56 {
		t.Errorf("%d fields and %d bytes, want %d and 56", len(fields), f.Size(), len(want))
	}
	fields[0].Offset = 99
	if f.Fields()[0].Offset != 0 {
		t.Error("a caller can change the format")
	}
}

// TestLimitsCanBePacked checks what Field promises: Min and Max can be packed, and, except with 64 bits,
// nothing beyond.
func TestLimitsCanBePacked(t *testing.T) {
	for _, c := range "bBhHiIlLqQnNPefd" {
		for _, prefix := range []string{"@", "<", ">"} {
			f, err := pystruct.Parse(prefix + string(c))
			if err != nil {
				continue // n, N and P outside native mode
			}
			field := f.Fields()[0]
			for _, x := range []float64{field.Min, field.Max} {
				if _, err := f.Pack(asGiven(field, x)); err != nil {
					t.Errorf("%v: %v", f, err)
				}
			}
			if !field.Whole || field.Size == 8 {
				continue
			}
			for _, x := range []float64{field.Min - 1, field.Max + 1} {
				if _, err := f.Pack(asGiven(field, x)); err == nil {
					t.Errorf("%v packs %v", f, x)
				}
			}
		}
	}
}

func asGiven(field pystruct.Field, x float64) any {
	switch {
	case field.Whole && x > math.MaxInt64/2:
		return uint64(x)
	case field.Whole:
		return int64(x)
	}
	return x
}
