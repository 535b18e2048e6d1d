package harness

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Metric reads one metric of a process: the sum of all its series, or of those whose labels contain a text, such as
// media_type="video/H264".
func Metric(tb testing.TB, address, name, labels string) float64 {
	tb.Helper()
	return metric(tb, http.DefaultClient, "http://"+address+"/metrics", name, labels)
}

// Metric is Metric of one of the robot's devices, wherever the robot is.
func (r *Robot) Metric(tb testing.TB, d Device, name, labels string) float64 {
	tb.Helper()
	return metric(tb, r.where().client(), "http://"+d.MetricsAddress+"/metrics", name, labels)
}

// GatewayMetric is Metric of the robot's gateway, wherever the robot is.
func (r *Robot) GatewayMetric(tb testing.TB, name, labels string) float64 {
	tb.Helper()
	return metric(tb, r.where().client(), r.URL+"/metrics?token="+Token, name, labels)
}

func metric(tb testing.TB, client *http.Client, url, name, labels string) float64 {
	tb.Helper()
	response, err := client.Get(url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	sum, found := 0.0, false
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		base, rest, _ := strings.Cut(series, "{")
		if base != name || !strings.Contains(rest, labels) {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value[strings.LastIndex(value, " ")+1:]), 64)
		if err != nil {
			tb.Fatalf("%s: %v", lines.Text(), err)
		}
		sum, found = sum+n, true
	}
	if !found && labels == "" {
		tb.Fatalf("%s does not serve a metric %s", url, name)
	}
	return sum
}

// Histogram is a histogram of durations that a process serves.
type Histogram struct {
	bounds []float64 // upper bounds in seconds, rising; the last is infinite
	counts []float64 // number of durations up to each bound
}

// ReadHistogram reads a histogram of a process; its only labels are those of the buckets and of the device.
func ReadHistogram(tb testing.TB, address, name, device string) Histogram {
	tb.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	var h Histogram
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		var bound, count float64
		if _, err := fmt.Sscanf(lines.Text(), name+"_bucket{device=\""+device+"\",le=\"%f\"} %f", &bound,
			&count); err == nil {
			h.bounds, h.counts = append(h.bounds, bound), append(h.counts, count)
		}
	}
	if len(h.bounds) == 0 {
		tb.Fatalf("%s does not serve a histogram %s of %s", address, name, device)
	}
	return h
}

// Since returns the durations counted since an earlier reading.
func (h Histogram) Since(earlier Histogram) Histogram {
	counts := slices.Clone(h.counts)
	for i, n := range earlier.counts {
		counts[i] -= n
	}
	return Histogram{h.bounds, counts}
}

// Quantile returns the upper bound, in seconds, of the bucket that the share q of all durations reaches.
func (h Histogram) Quantile(q float64) float64 {
	want := q * h.counts[len(h.counts)-1]
	return h.bounds[slices.IndexFunc(h.counts, func(n float64) bool { return n >= want })]
}

// Within returns the share of durations that are at most one of the bounds, in seconds.
func (h Histogram) Within(bound float64) float64 {
	return h.counts[slices.Index(h.bounds, bound)] / h.counts[len(h.counts)-1]
}
