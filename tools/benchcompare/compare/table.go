package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/perf/benchmath"
)

// mostNoise is the noise in percent above which more digits are meaningless.
const mostNoise = 999

// WriteRows writes one line per row: the medians of both commits with the half width of their intervals, the
// ratio, and the verdict.
func WriteRows(w io.Writer, rows []Row) error {
	width := 0
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row.Benchmark))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintf(table, "%-*s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", width, row.Benchmark, row.Unit,
			number(row.Before.Center), noise(row.Before), number(row.After.Center), noise(row.After), times(
				row.Ratio), row.Verdict)
	}
	return table.Flush()
}

func number(value float64) string {
	if math.Abs(value) >= 1000 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 4, 64)
}

// noise is the half width of an interval in percent of the median.
func noise(s benchmath.Summary) string {
	width := 100 * max(s.Hi/s.Center-1, 1-s.Lo/s.Center)
	if s.Center > 0 && width > mostNoise && !math.IsInf(width, 0) {
		return fmt.Sprintf("±>%d%%", mostNoise)
	}
	return "±" + s.PctRangeString()
}

func times(ratio float64) string {
	switch {
	case ratio < 0:
		return "-"
	case math.IsInf(ratio, 0):
		return "x∞"
	}
	return fmt.Sprintf("x%.2f", ratio)
}

// Typical is the geometric mean of the ratios of ns/op, or 1 without any.
func Typical(rows []Row) (mean float64, n int) {
	sum := 0.0
	for _, row := range rows {
		if row.Unit == "ns/op" && row.Ratio > 0 && !math.IsInf(row.Ratio, 0) {
			sum += math.Log(row.Ratio)
			n++
		}
	}
	return math.Exp(sum / float64(max(n, 1))), n
}
