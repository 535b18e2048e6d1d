package keyframe

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests *prometheus.CounterVec
	answers  *prometheus.GaugeVec
}

func newMetrics(to prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_ingest_key_frame_requests_total",
			Help: "Times the camera was asked for a key frame."}, []string{"way"}),
		answers: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waldo_ingest_key_frame_answer_seconds",
			Help: "Time from asking to the key frame, as measured once; 0 if the camera ignores it."}, []string{"way"}),
	}
	if to != nil {
		to.MustRegister(m.requests, m.answers)
	}
	return m
}
