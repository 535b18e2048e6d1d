package channels

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	channels prometheus.Counter
	dropped  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		channels: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_gateway_channels_total", Help: "Data channels opened by peers."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_channel_dropped_total",
			Help: "Messages of data channels that were dropped, by reason: calls and results, too many in flight; stream and " +
				"topic, the peer is too slow; flood, the peer sends too much; garbage; too_large; role, it may only read; bus, " +
				"it is unreachable.",
		}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.channels, m.dropped)
	}
	return m
}
