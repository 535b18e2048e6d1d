package device

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
)

// mapLines pairs lines of /proc/self/maps with what may be unmapped of them.
var mapLines = []struct {
	line string
	want mapping
}{
	{"00400000-009a5000 r-xp 00000000 fe:00 10018934    /bin/waldo-input", mapping{0x400000, 0x5a5000}},
	{"009a5000-01012000 r--p 005a5000 fe:00 10018934    /bin/waldo input (deleted)", mapping{0x9a5000, 0x66d000}},
	{"01012000-01082000 rw-p 00c12000 fe:00 10018934    /bin/waldo-input", mapping{}},
	{"c000000000-c000400000 rw-p 00000000 00:00 0", mapping{}},
	{"7f0000001000-7f0000002000 r--s 00000000 fe:00 8    /dev/video0", mapping{}},
	{"7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0    [vdso]", mapping{}},
	{"nonsense-7ffd00002000 r-xp 00000000 fe:00 9    /x", mapping{}},
	{"5000-4000 r-xp 00000000 fe:00 9    /x", mapping{}},
	{"", mapping{}},
}

func TestFileMapping(t *testing.T) {
	for _, tt := range mapLines {
		if got := fileMapping(strings.Fields(tt.line)); got != tt.want {
			t.Errorf("%q is %x, want %x", tt.line, got, tt.want)
		}
	}
}

func FuzzFileMapping(f *testing.F) {
	for _, tt := range mapLines {
		f.Add(tt.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if m := fileMapping(strings.Fields(line)); m.start+m.length < m.start {
			t.Errorf("%q is %x", line, m)
		}
	})
}

func TestFilePages(t *testing.T) {
	const changed, away = pagePresent, pageOfFile // a page of the loader, and one that is not in memory
	var pagemap []byte
	for _, e := range []uint64{pagePresent | pageOfFile, pagePresent | pageOfFile | 1<<56, changed, away, 0, pagePresent |
		pageOfFile} {
		pagemap = binary.NativeEndian.AppendUint64(pagemap, e)
	}
	want := []mapping{{0x1000, 0x1000}, {0x5000, 0x1000}}
	if got := filePages(bytes.NewReader(pagemap), mapping{0x1000, 0x5000}, 0x1000); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got := filePages(bytes.NewReader(pagemap), mapping{0x5000, 0x2000}, 0x1000); got != nil {
		t.Errorf("of what is not described got %x", got)
	}
}

// TestTrim: the program runs on, with fewer of its own pages in memory.
func TestTrim(t *testing.T) {
	before := residentFiles(t)
	trim()
	if after := residentFiles(t); after > before*3/4 {
		t.Errorf("%d bytes of files are in memory, %d before", after, before)
	}
	trim() // may be called again
}

// residentFiles is how much of the files that may be unmapped is in memory.
func residentFiles(t *testing.T) (sum uint64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	for line := range strings.Lines(string(text)) {
		for _, part := range filePages(pages, fileMapping(strings.Fields(line)), uint64(os.Getpagesize())) {
			sum += part.length
		}
	}
	return sum
}
