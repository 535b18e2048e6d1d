package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/waldo-robot/waldo/e2e/harness"
)

const dashboardFile = "../deploy/grafana/waldo.json"

// board is the form that Grafana imports from a file; the second version is for its API.
type board = dashboard.Dashboard //nolint:staticcheck // deprecated, and the only one that every Grafana since 11 imports

// fitsGrafana checks a dashboard against Grafana's own schema. The error of the strict reader is never nil, see
// findings/grafana-strict-json.sh.
func fitsGrafana(data []byte) error {
	plugins.RegisterDefaultPlugins()
	var d board
	var found cog.BuildErrors
	err := d.UnmarshalJSONStrict(data)
	if errors.As(err, &found) && len(found) == 0 {
		err = nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	return d.Validate()
}

// TestDashboardFitsGrafana: the dashboard has only fields that Grafana knows, and those that it needs.
func TestDashboardFitsGrafana(t *testing.T) {
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsGrafana(data); err != nil {
		t.Error(err)
	}
	for _, field := range []string{"legendFormat", "drawStyle", "gridPos", "expr", "displayMode", "schemaVersion"} {
		wrong := bytes.Replace(data, []byte(`"`+field+`"`), []byte(`"`+field+`X"`), 1)
		if fitsGrafana(wrong) == nil {
			t.Errorf("a dashboard with %sX in place of %s is not refused", field, field)
		}
	}
}

// query is what a panel asks Prometheus for.
type query struct {
	panel, text string
	metrics     []string // without the endings of histograms
	labels      []string // by which it groups, and that it compares
}

// queries reads all of them.
func queries(t *testing.T) (all []query) {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	var d board
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Panel == nil {
			continue // a row
		}
		for _, target := range p.Panel.Targets {
			all = append(all, parseQuery(t, *p.Panel.Title, target.(*prometheus.Dataquery).Expr))
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != nil {
			all = append(all, parseQuery(t, a.Name, *a.Expr))
		}
	}
	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(definition(v)); m != nil {
			q := parseQuery(t, v.Name, m[1])
			q.labels = append(q.labels, m[2])
			all = append(all, q)
		}
	}
	return all
}

func definition(v dashboard.VariableModel) string {
	if v.Definition == nil {
		return ""
	}
	return *v.Definition
}

// parseQuery reads one. Grafana fills in its variables.
func parseQuery(t *testing.T, panel, text string) query {
	t.Helper()
	filled := strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m").Replace(text)
	e, err := metricsql.Parse(filled)
	if err != nil {
		t.Fatalf("%s: %v in %s", panel, err, text)
	}
	q := query{panel: panel, text: text}
	metricsql.VisitAll(e, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.AggrFuncExpr:
			q.labels = append(q.labels, e.Modifier.Args...)
		case *metricsql.MetricExpr:
			for _, f := range slices.Concat(e.LabelFilterss...) {
				if f.Label == "__name__" {
					q.metrics = append(q.metrics, strings.TrimSuffix(f.Value, "_bucket"))
				} else {
					q.labels = append(q.labels, f.Label)
				}
			}
		}
	})
	return q
}

// served are the metrics of all processes of a robot, by name, with their labels.
type served map[string][]string

var seriesForm = regexp.MustCompile(`^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `)

func (s served) read(t *testing.T, url string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	for lines := bufio.NewScanner(io.LimitReader(response.Body, 8<<20)); lines.Scan(); {
		m := seriesForm.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		s[m[1]] = append(s[m[1]], "")
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			s[m[1]] = append(s[m[1]], label[1])
		}
	}
}

// lacks says what a query needs and the robot does not serve; empty if nothing. The labels robot and device are those
// of deploy/grafana/targets.
func (s served) lacks(q query) string {
	for _, metric := range q.metrics {
		labels, ok := s[metric]
		if !ok {
			return metric
		}
		for _, label := range q.labels {
			if !slices.Contains(append(labels, "robot", "device"), label) {
				return fmt.Sprintf("the label %s of %s", label, metric)
			}
		}
	}
	return ""
}

// TestDashboardAsksForWhatThereIs: each metric and label that the dashboard uses is served by a robot that is driven.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	all := queries(t)
	if len(all) < 20 {
		t.Fatalf("only %d queries", len(all))
	}
	r := startSeeing(t)
	front, motors := r.robot.Device(t, "front"), r.robot.Device(t, "motors")
	r.page.Tile(t, "front").WaitFrames(t, 30)
	r.goFull(t, byKey)
	harness.Until(t, "all that the dashboard asks for is served", func() error {
		found := make(served)
		for _, url := range []string{"http://" + front.MetricsAddress, "http://" + motors.MetricsAddress, r.robot.URL} {
			found.read(t, url+"/metrics")
		}
		var missing []error
		for _, q := range all {
			if what := found.lacks(q); what != "" {
				missing = append(missing, fmt.Errorf("panel %s: there is no %s", q.panel, what))
			}
		}
		return errors.Join(missing...)
	})
}

// TestDashboardTargets: Prometheus is told where each process serves its metrics, also after a restart.
func TestDashboardTargets(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: frontCard})
	front := robot.Device(t, "front")
	file := harness.WriteFile(t, "waldo.json", "[]")
	harness.Start(t, []string{"WALDO_NATS=" + robot.NATS}, "python3", "../deploy/grafana/targets", "--waldo",
		harness.Bin(t, "waldo"), "--out", file, "--every", "0.1")
	listed := func(d harness.Device) {
		t.Helper()
		harness.Until(t, "the camera is listed at "+d.MetricsAddress, func() error {
			var groups []struct {
				Targets []string
				Labels  map[string]string
			}
			data, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(data, &groups)
			}
			if err != nil {
				return err
			}
			if len(groups) != 1 || groups[0].Targets[0] != d.MetricsAddress || groups[0].Labels["device"] != "front" ||
				groups[0].Labels["robot"] != "e2e" {
				return fmt.Errorf("%s", data)
			}
			return nil
		})
	}
	listed(front)
	harness.Crash(t, front.PID)
	awaitNewLife(t, robot, front)
	listed(robot.Device(t, "front"))
}
