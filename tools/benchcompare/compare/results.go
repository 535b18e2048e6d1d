package compare

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/perf/benchfmt"
)

// Metric is one figure of one benchmark.
type Metric struct {
	Benchmark string // without "Benchmark", with sub-benchmarks
	Unit      string // as the benchmark printed it: ns/op, B/op, allocs/op, or a custom unit
}

// Results are the measured values of the benchmarks of one commit, one per run.
type Results struct {
	values map[Metric][]float64
	order  []Metric
	units  benchfmt.UnitMetadataMap
}

// Read adds the output of a run, and returns the number of benchmarks in it.
func (r *Results) Read(output io.Reader) (int, error) {
	if r.values == nil {
		r.values, r.units = make(map[Metric][]float64), make(benchfmt.UnitMetadataMap)
	}
	reader := benchfmt.NewReader(output, "output")
	count := 0
	var broken []error
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.Result:
			count++
			r.add(record)
		case *benchfmt.SyntaxError:
			broken = append(broken, fmt.Errorf("a line of results cannot be read: %w", record))
		}
	}
	for key, unit := range reader.Units() {
		r.units[key] = unit
	}
	return count, errors.Join(append(broken, reader.Err())...)
}

func (r *Results) add(result *benchfmt.Result) {
	for _, value := range result.Values {
		measured, unit := value.Value, value.Unit
		if value.OrigUnit != "" { // ns/op, which is kept as seconds
			measured, unit = value.OrigValue, value.OrigUnit
		}
		metric := Metric{result.Name.String(), unit}
		if _, known := r.values[metric]; !known {
			r.order = append(r.order, metric)
		}
		r.values[metric] = append(r.values[metric], measured)
	}
}
