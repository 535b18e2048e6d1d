package bus

import "github.com/prometheus/client_golang/prometheus"

// metrics are the counters every connection keeps, registered or not.
type metrics struct {
	connected prometheus.Gauge
	published prometheus.Counter
	received  prometheus.Counter
	lost      *prometheus.CounterVec
	ignored   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_bus_connected", Help: "1 while the bus is reachable."}),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_bus_published_total", Help: "Messages given to the bus."}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_bus_received_total", Help: "Messages received and decoded."}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_lost_total", Help: "Messages lost, by reason: disconnected, slow_consumer, split."}, []string{"reason"}),
		ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_bus_ignored_total", Help: "Messages that could not be understood, by reason: type, decode, part."}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.connected, m.published, m.received, m.lost, m.ignored)
	}
	return m
}
