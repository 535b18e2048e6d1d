package mux

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	undecided   prometheus.GaugeFunc
	connections *prometheus.CounterVec
}

func newMetrics(undecided func() int) *metrics {
	return &metrics{
		undecided: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "waldo_rendezvous_undecided_connections",
			Help: "Connections that have not said yet what they speak.",
		}, func() float64 { return float64(undecided()) }),
		connections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_rendezvous_connections_total",
			Help: "Connections by what became of them: http, turn; unknown and other_protocol for what nobody serves; " +
				"tls_refused, tls_failed; silent for those that said nothing in time, gone for those that were closed before; " +
				"crowded_out for those that made room for others; accept_failed for errors of the system.",
		}, []string{"outcome"}),
	}
}

func (m *metrics) add(outcome string) { m.connections.WithLabelValues(outcome).Inc() }

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.undecided.Describe(ch)
	m.connections.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.undecided.Collect(ch)
	m.connections.Collect(ch)
}
