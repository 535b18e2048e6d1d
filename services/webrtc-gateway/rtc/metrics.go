package rtc

import (
	"errors"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/pkg/socket"
)

type metrics struct {
	peers                               prometheus.Gauge
	refused, given, connected, repaired prometheus.Counter
	connect                             prometheus.Histogram
	calls, lost                         *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help}, labels)
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
		calls: vector("udp_calls_failed_total", "System calls that failed to send UDP packets: segments and messages are "+
			"calls for several, which others replace where they are refused.", "call", "reason"),
		lost: vector("udp_packets_unsent_total", "UDP packets that the system did not take.", "reason"),
	}
	reg.MustRegister(m.peers, m.refused, m.given, m.connected, m.repaired, m.connect, m.calls, m.lost)
	return m
}

// unsent counts packets that did not leave as they should.
func (m *metrics) unsent(f socket.Failure) {
	reason := reasonOf(f.Err)
	m.calls.WithLabelValues(string(f.Call), reason).Inc()
	if f.Lost > 0 {
		m.lost.WithLabelValues(reason).Add(float64(f.Lost))
	}
}

// reasonOf is the name of a system error, such as ENOBUFS.
func reasonOf(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if name := unix.ErrnoName(errno); name != "" {
			return name
		}
	}
	return "other"
}
