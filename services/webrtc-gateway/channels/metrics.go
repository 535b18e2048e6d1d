package channels

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	channels prometheus.Counter
	dropped  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		channels: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_gateway_channels_total", Help: "Data channels that peers have opened."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_channel_dropped_total",
			Help: "Messages of data channels that were dropped, by reason: calls and results, when too many are under way; stream and topic, " +
				"for a peer that is too slow; flood, of a peer that says too much; garbage, too_large; bus, when it is away.",
		}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.channels, m.dropped)
	}
	return m
}
