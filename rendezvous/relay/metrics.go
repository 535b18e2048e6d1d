package relay

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Why a request is refused.
const (
	refusedForged      = "forged"
	refusedExpired     = "expired"
	refusedReplayed    = "replayed"
	refusedRate        = "rate"
	refusedMalformed   = "malformed"
	refusedTotal       = "total"
	refusedRobot       = "robot"
	refusedAddress     = "address"
	refusedPorts       = "ports"
	refusedPeer        = "peer"
	refusedPermissions = "permissions"
	refusedChannels    = "channels"
	refusedMissing     = "no_allocation"
	refusedTransport   = "transport"
	refusedConnections = "connections"
)

// Why a packet is lost.
const (
	lostPermission = "no_permission"
	lostChannel    = "no_channel"
	lostBandwidth  = "bandwidth"
	lostPeer       = "peer"
	lostSending    = "not_sent"
)

type metrics struct {
	allocations *prometheus.GaugeVec
	refused     *prometheus.CounterVec
	lost        *prometheus.CounterVec
	toPeers     flowMetrics
	toClients   flowMetrics
	bytes       *prometheus.CounterVec
	packets     *prometheus.CounterVec
}

type flowMetrics struct{ bytes, packets prometheus.Counter }

func (f flowMetrics) add(packets, bytes int) {
	f.packets.Add(float64(packets))
	f.bytes.Add(float64(bytes))
}

func newMetrics() *metrics {
	m := &metrics{
		allocations: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_relay_allocations",
			Help: "Allocations, by how their client reaches the relay: udp, tcp, tls.",
		}, []string{"transport"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_relay_refused_total",
			Help: "Requests that were refused: forged, expired and replayed credentials; rate for too many from an address; " +
				"malformed; total, robot and address for too many allocations; ports when none is free; transport for what is " +
				"not offered; peer for one that may not be reached; permissions, channels and connections for " +
				"too many of them; no_allocation for what needs one.",
		}, []string{"reason"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_relay_lost_packets_total",
			Help: "Packets that were not passed on: no_permission, no_channel; bandwidth for more than an allocation may " +
				"carry; peer for one that may not be reached; not_sent for errors of the system, or a client that is gone.",
		}, []string{"reason"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_relay_bytes_total", Help: "Data passed on, to peers and to clients, without headers.",
		}, []string{"to"}),
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_relay_packets_total", Help: "Packets passed on, to peers and to clients.",
		}, []string{"to"}),
	}
	m.toPeers = flowMetrics{m.bytes.WithLabelValues("peer"), m.packets.WithLabelValues("peer")}
	m.toClients = flowMetrics{m.bytes.WithLabelValues("client"), m.packets.WithLabelValues("client")}
	return m
}

func (m *metrics) refuse(reason string)      { m.refused.WithLabelValues(reason).Inc() }
func (m *metrics) lose(reason string, n int) { m.lost.WithLabelValues(reason).Add(float64(n)) }

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.allocations, m.refused, m.lost, m.bytes, m.packets}
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
