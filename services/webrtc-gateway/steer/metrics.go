package steer

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/tracks"
)

type metrics struct {
	target  *prometheus.GaugeVec
	pauses  *prometheus.CounterVec
	reduced *prometheus.GaugeVec
	decides *prometheus.GaugeVec

	paused map[tracks.Stream]bool
}

// names of who decides, as the label `by` has them.
var names = map[decider]string{byNobody: "nobody", byViewers: "viewers", byDriver: "driver"}

func newMetrics(r prometheus.Registerer) *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waldo_gateway_" + name, Help: help},
			append([]string{"device", "stream"}, labels...))
	}
	m := &metrics{
		target: gauge("stream_target_bits_per_second", "Bit rate that a stream should have, given the paths to its "+
			"viewers; 0 if its camera takes no limits, or its unlimited rate is not known."),
		pauses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_stream_pauses_total",
			Help: "How often a stream paused because the path that it follows was full."}, []string{"device", "stream"}),
		reduced: gauge("stream_reduced_viewers",
			"Viewers that get less than the stream, because their paths do not carry it: its small version, or key frames.",
			"version"),
		decides: gauge("stream_steered", "1 for who sets the bit rate of a stream: the driver's path, those of the "+
			"viewers, or nobody's.", "by"),
		paused: make(map[tracks.Stream]bool),
	}
	if r != nil {
		r.MustRegister(m.target, m.pauses, m.reduced, m.decides)
	}
	return m
}

// decided shows what was decided about a stream.
func (m *metrics) decided(s tracks.Stream, p *program) {
	if !p.fixed {
		m.target.WithLabelValues(s.Device, s.Name).Set(float64(p.rate()))
	} else {
		m.target.WithLabelValues(s.Device, s.Name).Set(0)
	}
	pauses := m.pauses.WithLabelValues(s.Device, s.Name) // from the beginning, so that the first one is an increase
	if p.paused && !m.paused[s] {
		pauses.Inc()
	}
	m.paused[s] = p.paused
	for by, name := range names {
		value := 0.0
		if p.by == by {
			value = 1
		}
		m.decides.WithLabelValues(s.Device, s.Name, name).Set(value)
	}
}

// forget removes what changes about a stream that nobody watches any longer.
func (m *metrics) forget(s tracks.Stream) {
	delete(m.paused, s)
	labels := prometheus.Labels{"device": s.Device, "stream": s.Name}
	for _, g := range []*prometheus.GaugeVec{m.target, m.reduced, m.decides} {
		g.DeletePartialMatch(labels)
	}
}

// count shows who gets what.
func (s *Steering) count() {
	type key struct {
		stream tracks.Stream
		version
	}
	counts := make(map[key]int)
	for stream := range s.policy.streams {
		counts[key{stream, small}], counts[key{stream, keys}] = 0, 0
	}
	for _, v := range s.viewers {
		for _, shown := range v.shown {
			counts[key{shown.view.main, shown.view.fit.version}]++
		}
	}
	for k, n := range counts {
		if k.version != whole {
			name := map[version]string{small: "small", keys: "keys"}[k.version]
			s.metrics.reduced.WithLabelValues(k.stream.Device, k.stream.Name, name).Set(float64(n))
		}
	}
}
