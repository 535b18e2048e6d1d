package pipeline

import "github.com/prometheus/client_golang/prometheus"

// labels are the values of the labels that name a stream in the metrics: media_type and size.
func (s Stream) labels() []string {
	if s.Small {
		return []string{s.MediaType, "small"}
	}
	return []string{s.MediaType, "usual"}
}

// streamMetrics say what the streams on the bus that are encoded have at present, and how often that changed.
type streamMetrics struct {
	limit, target, width, height, rate *prometheus.GaugeVec
	pauses, resized                    *prometheus.CounterVec
}

func newStreamMetrics() streamMetrics {
	labels := []string{"media_type", "size"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waldo_camera_stream_" + name, Help: help}, labels)
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_camera_stream_" + name, Help: help}, labels)
	}
	return streamMetrics{
		limit: gauge("limit_bits_per_second", "The lowest limit of a stream's bit rate; 0 for none. Streams that nobody "+
			"reads have no value."),
		target: gauge("target_bits_per_second", "The bit rate that the encoder is told."),
		width:  gauge("width_pixels", "Width of the pictures."),
		height: gauge("height_pixels", "Height of the pictures."),
		rate:   gauge("rate_hertz", "Pictures per second, before any are left out because others were too large."),
		pauses: counter("pauses_total", "How often limits have stopped a stream for a moment."),
		resized: counter("resizes_total", "How often pictures have changed their size because of limits: each time costs a "+
			"key frame."),
	}
}

func (m *streamMetrics) register(r prometheus.Registerer) {
	r.MustRegister(m.limit, m.target, m.width, m.height, m.rate, m.pauses, m.resized)
}

// show says what a stream has.
func (m *streamMetrics) show(s Stream, o order) {
	labels := s.labels()
	m.limit.WithLabelValues(labels...).Set(float64(o.limit))
	m.target.WithLabelValues(labels...).Set(float64(o.bitrate))
	m.width.WithLabelValues(labels...).Set(float64(o.step.Width))
	m.height.WithLabelValues(labels...).Set(float64(o.step.Height))
	m.rate.WithLabelValues(labels...).Set(o.step.Rate)
}

// forget takes back what show said: the stream is not encoded any more.
func (m *streamMetrics) forget(s Stream) {
	for _, gauge := range []*prometheus.GaugeVec{m.limit, m.target, m.width, m.height, m.rate} {
		gauge.DeleteLabelValues(s.labels()...)
	}
}
