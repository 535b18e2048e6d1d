package bus

import "github.com/prometheus/client_golang/prometheus"

// metrics are the counters every connection keeps, registered or not.
type metrics struct {
	connected prometheus.GaugeFunc
	published prometheus.Counter
	received  prometheus.Counter
	lost      *prometheus.CounterVec
	ignored   *prometheus.CounterVec
	refused   *prometheus.CounterVec
}

func newMetrics(connected func() bool) *metrics {
	return &metrics{
		connected: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "waldo_bus_connected", Help: "1 while the bus is reachable."},
			func() float64 {
				if connected() {
					return 1
				}
				return 0
			}),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_bus_published_total", Help: "Messages given to the bus."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_bus_received_total", Help: "Messages received and decoded."}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_lost_total",
			Help: "Messages lost, by reason: disconnected and refused when sent; split for a lost part, or one that did not " +
				"come in time, slow_reader for what a subscription's policy gave up, queue_full for what it could not even queue.",
		}, []string{"reason"}),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_ignored_total", Help: "Messages that could not be understood, by reason: type, decode, part, " +
				"size."}, []string{"reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_refused_total", Help: "What the server did not allow this connection, by action: publish, " +
				"subscribe."}, []string{"action"}),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.connected, m.published, m.received, m.lost, m.ignored, m.refused}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}
