package rtc

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	peers                               prometheus.Gauge
	refused, given, connected, repaired prometheus.Counter
	connect                             prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help})
	}
	m := &metrics{
		peers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_gateway_peers", Help: "WebRTC connections, connected or connecting."}),
		refused:   counter("peers_refused_total", "Connections refused because there were too many."),
		given:     counter("peers_given_up_total", "Connections that failed, or did not connect in time."),
		connected: counter("peers_connected_total", "Connections that were established."),
		repaired:  counter("peers_repaired_total", "Interruptions of connections that ended well: a path was found again."),
		connect: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "waldo_gateway_peer_connect_seconds", Help: "Time from the first offer to the connection.",
			Buckets: []float64{.01, .02, .05, .1, .15, .2, .3, .5, 1, 2, 5, 15},
		}),
	}
	reg.MustRegister(m.peers, m.refused, m.given, m.connected, m.repaired, m.connect)
	return m
}
