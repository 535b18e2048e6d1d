package harness

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Metric reads one metric of a process: the sum of all its series, or of those whose labels contain a text such as media_type="video/H264".
func Metric(tb testing.TB, address, name, labels string) float64 {
	tb.Helper()
	response, err := http.Get("http://" + address + "/metrics")
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
		tb.Fatalf("%s serves no metric %s", address, name)
	}
	return sum
}
