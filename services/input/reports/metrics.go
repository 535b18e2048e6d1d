package reports

import (
	"github.com/prometheus/client_golang/prometheus"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/services/input/codes"
)

// Reasons of a resync.
const (
	resyncOpened = "opened" // the device came
	resyncAway   = "away"   // the device went
	resyncLost   = "lost"   // the kernel lost events
)

type metrics struct {
	reports prometheus.Counter
	events  map[inputv1.EventKind]prometheus.Counter
	resyncs *prometheus.CounterVec
	slow    prometheus.Counter
	readers prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_input_events_total", Help: "Events in these reports, by kind."}, []string{"kind"})
	m := &metrics{
		events: map[inputv1.EventKind]prometheus.Counter{},
		reports: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_input_reports_total", Help: "Reports made, with or without readers."}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_input_resyncs_total", Help: "Reports made by comparing states: the device came or went, or " +
				"the kernel lost events."},
			[]string{"reason"}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_input_slow_readers_total", Help: "Calls of gRPC readers that were ended because the reader " +
				"was too slow."}),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_input_readers", Help: "Readers over gRPC now."}),
	}
	for _, name := range codes.KindNames() {
		kind, _ := codes.ParseKind(name)
		m.events[kind] = events.WithLabelValues(name)
	}
	for _, reason := range []string{resyncOpened, resyncAway, resyncLost} {
		m.resyncs.WithLabelValues(reason) // shown as 0 from the start
	}
	if r != nil {
		r.MustRegister(m.reports, events, m.resyncs, m.slow, m.readers)
	}
	return m
}

// count counts a report.
func (m *metrics) count(events []*inputv1.Event) {
	m.reports.Inc()
	for _, e := range events {
		m.events[e.GetKind()].Inc()
	}
}
