package compare_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/tools/benchcompare/compare"
)

// printed is the output of runs of one benchmark, one run per value.
func printed(unit string, values ...float64) string {
	var out strings.Builder
	out.WriteString("goos: linux\npkg: example.org/x\n")
	for _, value := range values {
		fmt.Fprintf(&out, "BenchmarkX-2 \t 100 \t %v %s\n", value, unit)
	}
	out.WriteString("PASS\n")
	return out.String()
}

// results reads the output of runs.
func results(t *testing.T, text string) *compare.Results {
	t.Helper()
	var r compare.Results
	if _, err := r.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return &r
}

// six are the values of six equal runs.
func six(value float64) []float64 {
	return []float64{value, value, value, value, value, value}
}

func TestVerdict(t *testing.T) {
	quiet := []float64{100, 101, 100, 99, 100, 100}
	for _, c := range []struct {
		name          string
		unit          string
		before, after []float64
		want          compare.Verdict
	}{
		{"alike", "ns/op", quiet, quiet, compare.Same},
		{"slower by less than the limit", "ns/op", quiet, []float64{108, 109, 108, 107, 108, 108}, compare.Same},
		{"slower", "ns/op", quiet, []float64{120, 121, 120, 119, 120, 120}, compare.Worse},
		{"faster", "ns/op", []float64{120, 121, 120, 119, 120, 120}, quiet, compare.Better},
		{"slower in the median, within the noise", "ns/op",
			[]float64{80, 90, 100, 100, 130, 150}, []float64{90, 110, 130, 130, 150, 200}, compare.Same},
		{"one outlier of many hides nothing", "ns/op",
			[]float64{10, 10, 10, 10, 10, 10, 10, 10, 10, 90}, []float64{20, 20, 20, 20, 20, 20, 20, 20, 20, 20}, compare.Worse},
		{"less than a nanosecond is rounding", "ns/op", six(0.3), six(0.6), compare.Same},
		{"a first allocation", "allocs/op", six(0), six(1), compare.Worse},
		{"no allocation any more", "allocs/op", six(1), six(0), compare.Better},
		{"a few bytes are rounding", "B/op", six(2), six(10), compare.Same},
		{"more bytes", "B/op", quiet, six(200), compare.Worse},
		{"a rate that falls", "messages/s", quiet, []float64{50, 50, 50, 50, 50, 51}, compare.Worse},
		{"a rate that rises", "MB/s", quiet, []float64{150, 150, 150, 150, 150, 151}, compare.Better},
		{"a percentile", "p99-ms", quiet, []float64{150, 150, 150, 150, 150, 151}, compare.Worse},
		{"load of a processor", "%core", quiet, []float64{150, 150, 150, 150, 150, 151}, compare.Worse},
		{"a bit rate is neither good nor bad", "Mbit/s", quiet, []float64{50, 50, 50, 50, 50, 51}, compare.Unjudged},
		{"a size is neither good nor bad", "kB", quiet, []float64{50, 50, 50, 50, 50, 51}, compare.Unjudged},
		{"a difference of two times may be negative", "added-p50-µs", six(-1), quiet, compare.Unjudged},
		{"too few runs", "ns/op", quiet[:5], []float64{200, 200, 200, 200, 200}, compare.Unjudged},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := results(t, printed(c.unit, c.before...)), results(t, printed(c.unit, c.after...))
			rows, onlyBefore, onlyAfter := compare.Compare(before, after, 1.1)
			if len(rows) != 1 || len(onlyBefore) != 0 || len(onlyAfter) != 0 {
				t.Fatalf("got %d rows, %v, %v", len(rows), onlyBefore, onlyAfter)
			}
			if rows[0].Verdict != c.want || rows[0].Unit != c.unit || rows[0].Benchmark != "X-2" {
				t.Errorf("got %+v, want %q", rows[0], c.want)
			}
		})
	}
}

func TestBenchmarkDeclaresWhatIsBetter(t *testing.T) {
	const declared = "Unit kB better=lower\n"
	small, large := printed("kB", 1, 1, 1, 1, 1, 1), printed("kB", 2, 2, 2, 2, 2, 2)
	rows, _, _ := compare.Compare(results(t, declared+small), results(t, declared+large), 1.1)
	if rows[0].Verdict != compare.Worse {
		t.Errorf("got %+v", rows[0])
	}
}

func TestMetricsOfOneCommit(t *testing.T) {
	before := results(t, "BenchmarkX/a-2 1 5 ns/op 1 old\nBenchmarkX/gone-2 1 5 ns/op\n")
	after := results(t, "BenchmarkX/a-2 1 5 ns/op 1 new\n")
	rows, onlyBefore, onlyAfter := compare.Compare(before, after, 1.1)
	only := fmt.Sprint(onlyBefore, onlyAfter)
	if len(rows) != 1 || only != "[{X/a-2 old} {X/gone-2 ns/op}] [{X/a-2 new}]" {
		t.Errorf("got %v, %s", rows, only)
	}
}

func TestWriteRows(t *testing.T) {
	before := results(t, printed("ns/op", 100, 100, 100, 101, 99, 100)+"BenchmarkXlong/1-2 1 0 allocs/op\n")
	after := results(t, printed("ns/op", 210, 200, 200, 200, 200, 9000)+"BenchmarkXlong/1-2 1 1 allocs/op\n")
	rows, _, _ := compare.Compare(before, after, 1.1)
	var out bytes.Buffer
	if err := compare.WriteRows(&out, rows); err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"  X-2            ns/op  100  ±1%  200  ±>999%  x2.00  WORSE\n" +
		"  Xlong/1-2  allocs/op    0   ±∞    1      ±∞     x∞  not judged\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if mean, n := compare.Typical(rows); mean != 2 || n != 1 {
		t.Errorf("got a mean of %v over %d, want 2 over 1", mean, n)
	}
}

func TestReadTellsBrokenLines(t *testing.T) {
	var r compare.Results
	n, err := r.Read(strings.NewReader("BenchmarkX-2 1 5 ns/op\nBenchmarkY-2 1 five ns/op\n"))
	if n != 1 || err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %d benchmarks and %v", n, err)
	}
}

// FuzzRead feeds output of test programs, which may print anything.
func FuzzRead(f *testing.F) {
	f.Add("BenchmarkX-2 1 5 ns/op 3 B/op 1 allocs/op\nUnit ms better=lower\n", "BenchmarkX-2 1 7 ns/op\n")
	f.Add("BenchmarkX-2 1 NaN ns/op\nBenchmarkX-2 1 -Inf x/s\n", "BenchmarkX-2 1 1e308 ns/op\nBenchmarkX 2 0 x/s\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		var olds, news compare.Results
		_, _ = olds.Read(strings.NewReader(before))
		_, _ = news.Read(strings.NewReader(after))
		rows, _, _ := compare.Compare(&olds, &news, 1.1)
		if err := compare.WriteRows(new(bytes.Buffer), rows); err != nil {
			t.Fatal(err)
		}
		compare.Typical(rows)
	})
}

// FuzzParseRenames checks that accepted renames can be applied to any folder.
func FuzzParseRenames(f *testing.F) {
	for _, c := range renameCases {
		f.Add(c.list, "a/x/deep")
	}
	f.Fuzz(func(t *testing.T, list, folder string) {
		if renames, err := compare.ParseRenames(list); err == nil {
			compare.Match([]compare.Function{{Package: folder, Name: "BenchmarkX"}}, nil, renames)
		}
	})
}
