package compare

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/perf/benchmath"
)

// confidence is the confidence of the intervals around medians.
const confidence = 0.95

// MinRuns is the smallest number of runs of each commit for which a median has an interval at all.
const MinRuns = 6

// least are the differences below which a ratio is only rounding: a nanosecond, a size class of the allocator, an
// allocation.
var least = map[string]float64{"ns/op": 1, "B/op": 16, "allocs/op": 1}

// Row compares one figure of two commits.
type Row struct {
	Metric
	Before, After benchmath.Summary // median, and its interval
	Ratio         float64           // of the medians, after / before
	Verdict       Verdict
}

// Verdict is the direction in which a figure has moved.
type Verdict string

// The verdicts. A figure has moved when the ratio is beyond the limit, the intervals of the medians do not
// overlap, and the difference is more than rounding.
const (
	Same     Verdict = ""
	Worse    Verdict = "WORSE"
	Better   Verdict = "better"
	Unjudged Verdict = "not judged" // unknown whether more is better, or too few values
)

// Compare judges every figure that both commits have, in the order in which they were measured. A figure is worse
// when it is worse by more than the ratio limit. The other results are the metrics that only one commit has.
func Compare(before, after *Results, limit float64) (rows []Row, onlyBefore, onlyAfter []Metric) {
	for _, metric := range after.order {
		old, found := before.values[metric]
		if !found {
			onlyAfter = append(onlyAfter, metric)
			continue
		}
		rows = append(rows, judge(metric, old, after.values[metric], after.direction(metric.Unit), limit))
	}
	for _, metric := range before.order {
		if _, found := after.values[metric]; !found {
			onlyBefore = append(onlyBefore, metric)
		}
	}
	return rows, onlyBefore, onlyAfter
}

func judge(metric Metric, before, after []float64, direction int, limit float64) Row {
	row := Row{Metric: metric, Before: summary(before), After: summary(after)}
	row.Ratio = ratio(row.Before.Center, row.After.Center)
	if direction == 0 || len(before) < MinRuns || len(after) < MinRuns || row.Ratio < 0 {
		row.Verdict = Unjudged
		return row
	}
	growth := row.Ratio // above 1 when the figure has grown
	apart := row.Before.Hi < row.After.Lo || row.After.Hi < row.Before.Lo
	if !apart || math.Abs(row.After.Center-row.Before.Center) < least[metric.Unit] {
		return row
	}
	if direction > 0 {
		growth = ratio(row.After.Center, row.Before.Center)
	}
	switch {
	case growth > limit:
		row.Verdict = Worse
	case growth < 1/limit:
		row.Verdict = Better
	}
	return row
}

func summary(values []float64) benchmath.Summary {
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(sample, confidence)
}

// ratio is the ratio of two medians: 1 if both are 0, and -1 when a ratio makes no sense because a median is negative.
func ratio(before, after float64) float64 {
	switch {
	case before < 0 || after < 0:
		return -1
	case before == after:
		return 1
	case before == 0:
		return math.Inf(1)
	}
	return after / before
}

// direction is +1 if more of a unit is better, -1 if less is better, and 0 if that is unknown. A benchmark's
// declaration ("Unit frames better=higher") comes first. Otherwise higher rates of events are better, and lower times
// and loads; bit rates and sizes are neither.
func (r *Results) direction(unit string) int {
	if known := r.units.GetBetter(unit); known != 0 {
		return known
	}
	if strings.HasSuffix(unit, "/s") {
		if strings.HasSuffix(unit, "bit/s") {
			return 0
		}
		return 1
	}
	words := strings.FieldsFunc(unit, func(c rune) bool { return !unicode.IsLetter(c) })
	for _, word := range words {
		switch word {
		case "ns", "µs", "us", "ms", "sec", "core", "cpu":
			return -1
		}
	}
	return 0
}
