package talk

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	voices  *prometheus.GaugeVec
	packets *prometheus.CounterVec
	lost    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	m := &metrics{
		voices: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_gateway_voices", Help: "Tracks from peers to the speaker of a device, talking or silent."},
			[]string{"device"}),
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_voice_packets_total", Help: "Packets forwarded to the speaker of a device."},
			[]string{"device"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_gateway_voice_packets_lost_total", Help: "Packets for the speaker of a device that were dropped, by " +
				"reason."}, []string{"device", "where"}),
	}
	reg.MustRegister(m.voices, m.packets, m.lost)
	return m
}

// meters are the metrics of one device.
type meters struct {
	voices                                      prometheus.Gauge
	packets                                     prometheus.Counter
	lostGarbage, lostFlood, lostLate, lostOnBus prometheus.Counter
}

func (m *metrics) of(device string) meters {
	lost := func(where string) prometheus.Counter { return m.lost.WithLabelValues(device, where) }
	return meters{
		voices: m.voices.WithLabelValues(device), packets: m.packets.WithLabelValues(device),
		lostGarbage: lost("garbage"), lostFlood: lost("flood"), lostLate: lost("late"), lostOnBus: lost("bus"),
	}
}
