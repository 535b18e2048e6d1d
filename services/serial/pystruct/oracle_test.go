package pystruct_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/services/serial/pystruct"
)

// request and answer are what testdata/oracle.py reads and writes.
type request struct {
	Format string   `json:"format"`
	Values []string `json:"values"`
	Data   string   `json:"data"`
}

type answer struct {
	Size     *int
	Packed   *string
	Unpacked []string
}

// TestRandomFormatsAgainstPython lets the installed Python judge other formats, values and bytes every time.
func TestRandomFormatsAgainstPython(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	requests := make([]request, 5000)
	for i := range requests {
		requests[i] = randomRequest(r)
	}
	here, answers := ask(t, requests)
	recorded := readGolden(t).about
	if here.Native != recorded.Native {
		t.Skipf("NOT CHECKED: native is %s to python3, not %s", here.Native, recorded.Native)
	}
	if here.Python != recorded.Python {
		t.Logf("NOT CHECKED where numbers are NaN, which %s may treat unlike %s", here.Python, recorded.Python)
	}
	counts := map[string]int{}
	for i, q := range requests {
		counts[compare(t, q, answers[i], here.Python == recorded.Python)]++
	}
	t.Logf("%s: %v", here.Python, counts)
	if counts["packed"] < 1000 || counts["refused format"] < 100 || counts["refused values"] < 100 {
		t.Errorf("the requests are too much alike: %v", counts)
	}
}

// ask has one Python answer all requests.
func ask(t *testing.T, requests []request) (about, []answer) {
	t.Helper()
	var in bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, q := range requests {
		q.Format = toLatin1(q.Format)
		if err := encoder.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := python(t, "oracle.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	var here about
	answers := make([]answer, len(requests))
	if err := decoder.Decode(&here); err != nil {
		t.Fatal(err)
	}
	for i := range answers {
		if err := decoder.Decode(&answers[i]); err != nil {
			t.Fatalf("answer to %+v: %v", requests[i], err)
		}
	}
	return here, answers
}

// compare checks one answer, and returns its kind. An answer that depends on the version of Python is
// checked only if exact, which means that the version is right.
func compare(t *testing.T, q request, a answer, exact bool) string {
	t.Helper()
	f, err := pystruct.Parse(q.Format)
	switch {
	case err != nil && strings.Contains(err.Error(), "the maximum"):
		return "too large"
	case err != nil:
		if a.Size != nil {
			t.Errorf("%q: %v, but Python knows its size, %d", q.Format, err, *a.Size)
		}
		return "refused format"
	case a.Size == nil || *a.Size != f.Size():
		t.Errorf("%q has %d bytes, want %v", q.Format, f.Size(), a.Size)
		return "bad"
	}
	if exact || !hasNaN(decode(t, q.Values)) {
		checkPack(t, f, vector{q.Format, q.Values, a.Packed})
	}
	if exact || a.Unpacked != nil && !hasNaN(decode(t, a.Unpacked)) {
		checkUnpack(t, f, vector{q.Format, a.Unpacked, &q.Data})
	}
	if a.Packed == nil {
		return "refused values"
	}
	return "packed"
}

func hasNaN(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool { x, ok := v.(float64); return ok && math.IsNaN(x) })
}

func randomRequest(r *rand.Rand) request {
	q := request{Format: randomFormat(r), Values: []string{}}
	f, err := pystruct.Parse(q.Format)
	if err != nil {
		return q
	}
	data := make([]byte, f.Size())
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	q.Data = hex.EncodeToString(data)
	var values []any
	for _, field := range f.Fields() {
		c := field.Char
		if r.IntN(60) == 0 {
			c = anyOf(r, "h?ds") // a value intended for another field
		}
		values = append(values, randomValue(r, c, field))
	}
	if r.IntN(30) == 0 {
		values = append(values, int64(1))
	}
	q.Values = encode(values)
	return q
}

func anyOf(r *rand.Rand, s string) byte { return s[r.IntN(len(s))] }

// randomFormat makes mostly valid formats. There is no 0p, with which older versions of Python write out
// of bounds, and no NUL, which the oldest take for the end.
func randomFormat(r *rand.Rand) string {
	var b strings.Builder
	prefix := []string{"", "@", "=", "<", ">", "!"}[r.IntN(6)]
	chars := "xcbB?hHiIlLqQefdspefd"
	if prefix == "" || prefix == "@" || r.IntN(30) == 0 {
		chars += "nNP"
	}
	b.WriteString(prefix)
	for range r.IntN(9) {
		if r.IntN(6) == 0 {
			b.WriteByte(anyOf(r, " \t\n\v\f\r"))
		}
		count := ""
		if r.IntN(3) == 0 {
			count = strconv.Itoa(r.IntN(6) * r.IntN(6))
		}
		switch c := anyOf(r, chars); {
		case r.IntN(60) == 0:
			b.WriteString(count + string([]byte{byte(1 + r.IntN(255))}))
		case c == 'p' && count == "0":
			b.WriteByte(c)
		default:
			b.WriteString(count + string(c))
		}
	}
	return strings.ReplaceAll(b.String(), "0p", "1p")
}

func randomValue(r *rand.Rand, c byte, field pystruct.Field) any {
	switch c {
	case '?':
		return r.IntN(2) == 0
	case 'c', 's', 'p':
		n := 1
		if c != 'c' || r.IntN(20) == 0 {
			n = r.IntN(field.Size + 3)
		}
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case 'e', 'f', 'd':
		return randomNumber(r, field)
	}
	return randomWhole(r, field)
}

// randomWhole draws numbers that mostly fit, often only just.
func randomWhole(r *rand.Rand, field pystruct.Field) any {
	bits := 8 * min(max(field.Size, 1), 8)
	spare := r.IntN(bits) + 64 - bits
	if field.Min < 0 && r.IntN(2) == 0 {
		return int64(r.Uint64()|1<<63) >> spare
	}
	u := r.Uint64() >> spare
	if r.IntN(4) == 0 {
		u = math.MaxUint64>>spare + uint64(r.IntN(2))
	}
	if u > math.MaxInt64 {
		return u
	}
	return int64(u)
}

// randomNumber draws from all bit patterns, from numbers that a smaller precision rounds, and from whole
// numbers.
func randomNumber(r *rand.Rand, field pystruct.Field) any {
	switch r.IntN(4) {
	case 0:
		return math.Float64frombits(r.Uint64())
	case 1:
		return randomWhole(r, field)
	}
	exponent := map[int]int{2: r.IntN(44) - 27, 4: r.IntN(282) - 152, 8: r.IntN(2098) - 1074}[max(field.Size, 2)]
	digits := map[int]int{2: 12, 4: 25, 8: 53}[max(field.Size, 2)]
	x := math.Ldexp(float64(r.Uint64()>>(64-digits)), exponent-digits+1)
	if r.IntN(3) == 0 {
		x = math.Nextafter(x, math.Inf(r.IntN(2)*2-1))
	}
	return math.Copysign(x, float64(r.IntN(2)*2-1))
}
