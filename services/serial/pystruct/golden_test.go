package pystruct_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

// about is what CPython's results depend on.
type about struct {
	Python, Native string
}

// golden is the output of testdata/golden.py, which describes the vectors. nil stands for an error.
type golden struct {
	about
	Formats      []formatVector
	Pack, Unpack []vector
}

type formatVector struct {
	format        string
	size, nValues *int
}

// vector is a message: its format, its values and its bytes in hexadecimal.
type vector struct {
	format string
	values []string
	data   *string
}

func (v *formatVector) UnmarshalJSON(b []byte) error {
	var format string
	err := json.Unmarshal(b, &[]any{&format, &v.size, &v.nValues})
	v.format = fromLatin1(format)
	return err
}

// UnmarshalJSON reads values and bytes in either order: only values are a list.
func (v *vector) UnmarshalJSON(b []byte) error {
	var format string
	err := json.Unmarshal(b, &[]any{&format, &v.values, &v.data})
	if err != nil {
		err = json.Unmarshal(b, &[]any{&format, &v.data, &v.values})
	}
	v.format = fromLatin1(format)
	return err
}

// fromLatin1 returns the bytes that are written as one character each.
func fromLatin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func toLatin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// encode writes values as testdata/oracle.py does. A value of a type that Unpack must not return shows
// as such.
func encode(values []any) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			texts[i] = fmt.Sprintf("i%d", v)
		case uint64:
			texts[i] = fmt.Sprintf("i%d", v)
			if v <= math.MaxInt64 {
				texts[i] += " as uint64"
			}
		case float64:
			texts[i] = fmt.Sprintf("d%016x", math.Float64bits(v))
		case bool:
			texts[i] = map[bool]string{true: "T", false: "F"}[v]
		case []byte:
			texts[i] = "b" + hex.EncodeToString(v)
		default:
			texts[i] = fmt.Sprintf("%T", v)
		}
	}
	return texts
}

func decode(t testing.TB, texts []string) []any {
	t.Helper()
	values := make([]any, len(texts))
	for i, text := range texts {
		var err error
		switch rest := text[1:]; text[0] {
		case 'i':
			if values[i], err = strconv.ParseInt(rest, 10, 64); err != nil {
				values[i], err = strconv.ParseUint(rest, 10, 64)
			}
		case 'd':
			var b []byte
			if b, err = hex.DecodeString(rest); err == nil {
				values[i] = math.Float64frombits(binary.BigEndian.Uint64(b))
			}
		case 'b':
			values[i], err = hex.DecodeString(rest)
		default:
			values[i] = text == "T"
		}
		if err != nil {
			t.Fatalf("value %q: %v", text, err)
		}
	}
	return values
}

func readGolden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Formats) < 1000 || len(g.Pack) < 1000 || len(g.Unpack) < 1000 {
		t.Fatalf("%d formats, %d to pack, %d to unpack: testdata/golden.json is not whole", len(g.Formats), len(g.Pack),
			len(g.Unpack))
	}
	return g
}

func TestGoldenFormats(t *testing.T) {
	for _, v := range readGolden(t).Formats {
		f, err := pystruct.Parse(v.format)
		switch {
		case v.size == nil && err == nil:
			t.Errorf("%q: accepted, but CPython refuses it", v.format)
		case v.size == nil:
		case err != nil:
			t.Errorf("%q: %v", v.format, err)
		case f.Size() != *v.size || v.nValues != nil && len(f.Fields()) != *v.nValues:
			t.Errorf("%q: %d bytes and %d values, want %d and %v", v.format, f.Size(), len(f.Fields()), *v.size, v.nValues)
		}
	}
}

func TestGoldenPack(t *testing.T) {
	for _, v := range readGolden(t).Pack {
		f, err := pystruct.Parse(v.format)
		if err != nil {
			t.Errorf("%q: %v", v.format, err)
			continue
		}
		checkPack(t, f, v)
		if v.data != nil && len(*v.data) != 2*f.Size() {
			t.Errorf("%q: bad vector", v.format)
		}
	}
}

func checkPack(t *testing.T, f *pystruct.Format, v vector) {
	t.Helper()
	data, err := f.Pack(decode(t, v.values)...)
	switch {
	case v.data == nil && err == nil:
		t.Errorf("%q packs %v to %x, but CPython refuses it", v.format, v.values, data)
	case v.data == nil:
	case err != nil:
		t.Errorf("%q packing %v: %v, want %s", v.format, v.values, err, *v.data)
	case hex.EncodeToString(data) != *v.data:
		t.Errorf("%q packs %v to %x, want %s", v.format, v.values, data, *v.data)
	}
}

func TestGoldenUnpack(t *testing.T) {
	for _, v := range readGolden(t).Unpack {
		f, err := pystruct.Parse(v.format)
		if err != nil {
			t.Errorf("%q: %v", v.format, err)
			continue
		}
		checkUnpack(t, f, v)
	}
}

func checkUnpack(t *testing.T, f *pystruct.Format, v vector) {
	t.Helper()
	data, err := hex.DecodeString(*v.data)
	if err != nil {
		t.Fatal(err)
	}
	values, err := f.Unpack(data)
	switch {
	case v.values == nil && err == nil:
		t.Errorf("%q unpacks %s to %v, but CPython refuses it", v.format, *v.data, encode(values))
	case v.values == nil:
	case err != nil:
		t.Errorf("%q unpacking %s: %v, want %v", v.format, *v.data, err, v.values)
	case !slices.Equal(encode(values), v.values):
		t.Errorf("%q unpacks %s to %v, want %v", v.format, *v.data, encode(values), v.values)
	}
}

// python returns a command that runs a script of testdata, and skips the test where there is no Python.
func python(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("NOT CHECKED against Python: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{filepath.Join("testdata", script)}, args...)...)
	cmd.Stderr = t.Output()
	return cmd
}

// TestGoldenIsWhatCPythonMakes runs the script that produced the golden file. A different Python may
// produce a different file.
func TestGoldenIsWhatCPythonMakes(t *testing.T) {
	made := filepath.Join(t.TempDir(), "golden.json")
	if err := python(t, "golden.py", made).Run(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	var here about
	if err := json.Unmarshal(got, &here); err != nil {
		t.Fatal(err)
	}
	if recorded := readGolden(t).about; here != recorded {
		t.Skipf("NOT CHECKED: testdata/golden.json is of %+v, but python3 is %+v", recorded, here)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("testdata/golden.json:%d is not what %s makes: run golden.py. It makes\n%s\nnot\n%s",
				i+1, here.Python, gotLines[i], wantLines[i])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Fatalf("testdata/golden.json has %d lines, %s makes %d: run golden.py", len(wantLines), here.Python, len(gotLines))
	}
}
