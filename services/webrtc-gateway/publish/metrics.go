package publish

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	publications              *prometheus.GaugeVec
	published, lostOnBus      *prometheus.CounterVec // by device and stream
	lostOnWay, garbage, flood *prometheus.CounterVec // by device
	keysAsked, resends        *prometheus.CounterVec // by device
}

func newMetrics(reg prometheus.Registerer) *metrics {
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_publish_" + name, Help: help},
			append([]string{"device"}, labels...))
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		publications: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_gateway_publications", Help: "Peers that send video or sound to a device."}, []string{"device"}),
		published: counter("frames_total", "Frames sent to a device.", "stream"),
		lostOnBus: counter("bus_lost_total", "Frames that could not be sent to a device.", "stream"),
		lostOnWay: counter("lost_packets_total", "Video packets of a publisher that did not arrive, or too late."),
		garbage:   counter("garbage_packets_total", "Packets of a publisher that could not be read, or came too late."),
		flood:     counter("flood_packets_total", "Packets of sound beyond what is allowed, which were dropped."),
		keysAsked: counter("key_requests_total", "Key frames asked of a publisher."),
		resends:   counter("resend_requests_total", "Packets asked of a publisher again."),
	}
	reg.MustRegister(m.publications)
	return m
}
