package uplink

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/uplink/outbox"
)

// metrics are those of an uplink, across its connections.
type metrics struct {
	messages *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	lost     *prometheus.CounterVec
	age      *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	class := []string{"class"}
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_uplink_sent_total",
			Help: "Messages sent to the hub: control, sound, reading or video."}, class),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_uplink_sent_bytes_total",
			Help: "Their bytes."}, class),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_uplink_lost_total",
			Help: "Messages that somebody at the hub wanted and that were not sent, since the link was too slow or a key " +
				"frame was missing."}, class),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "waldo_uplink_age_seconds",
			Help:    "How long messages had waited when the last of them was sent.",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .3, .5, 1, 2, 5}}, class),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waldo_uplink_streams",
			Help: "Streams that somebody at the hub reads."}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.messages, m.bytes, m.lost, m.age, m.streams} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}

// sent counts a message that was sent.
func (m *metrics) sent(message outbox.Message, age time.Duration) {
	class := message.Class.String()
	m.messages.WithLabelValues(class).Inc()
	m.bytes.WithLabelValues(class).Add(float64(len(message.Raw.Data)))
	m.age.WithLabelValues(class).Observe(age.Seconds())
}

// lose counts messages that were not sent.
func (m *metrics) lose(c outbox.Class, n int) { m.lost.WithLabelValues(c.String()).Add(float64(n)) }
