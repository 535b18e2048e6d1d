package foxglove

import "github.com/prometheus/client_golang/prometheus"

// Where messages are lost, the values of the label `where`.
const (
	lostByClient   = "slow_client" // the client's connection was too slow
	lostByGateway  = "gateway"     // the gateway was too slow
	lostUnreadable = "unreadable"  // they are not what their device says
)

type metrics struct {
	clients, subscriptions prometheus.Gauge
	messages               prometheus.Counter
	lost                   *prometheus.CounterVec
}

// newMetrics registers the metrics with reg, if that is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "waldo_gateway_foxglove_" + name, Help: help})
	}
	m := &metrics{
		clients:       gauge("clients", "Connected clients of Foxglove's protocol."),
		subscriptions: gauge("subscriptions", "Channels to which these have subscribed."),
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_gateway_foxglove_messages_total", Help: "Messages sent to clients of Foxglove's protocol."}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_foxglove_lost_total",
			Help: "Messages that a client of Foxglove's protocol did not get, by where they were lost."}, []string{"where"}),
	}
	if reg != nil {
		reg.MustRegister(m.clients, m.subscriptions, m.messages, m.lost)
	}
	return m
}
