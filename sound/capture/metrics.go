package capture

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Reasons for which sound is dropped.
const (
	dropLate       = "late"        // a variant could not follow
	dropBroken     = "broken"      // it could not be converted or encoded
	dropSlowReader = "slow_reader" // a listener did not take it in time
)

// Metrics counts for all pipelines of a process, by where the sound is from.
type Metrics struct {
	captured *prometheus.CounterVec
	repaired *prometheus.CounterVec
	made     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	dropped  *prometheus.CounterVec
	readers  *prometheus.GaugeVec
}

// NewMetrics registers waldo_audio_*; a nil registerer is nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"tap"}, labels...))
	}
	m := &Metrics{
		captured: counter("waldo_audio_captured_samples_total",
			"Samples captured per channel. Stands still while nobody listens."),
		repaired: counter("waldo_audio_repaired_samples_total",
			"Captured samples that were repaired: invalid ones, and those clipped to full scale.", "reason"),
		made: counter("waldo_audio_frames_total", "Frames encoded, once for all listeners of a format.", "media_type"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waldo_audio_make_seconds", Help: "Time to convert and encode one captured block for one format.",
			Buckets: prometheus.ExponentialBuckets(0.00002, 2, 12)}, []string{"tap", "media_type"}),
		dropped: counter("waldo_audio_dropped_total", "Blocks and frames that did not reach a listener, by reason.",
			"reason"),
		readers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_audio_readers", Help: "Listeners now, over gRPC and the bus together."}, []string{"tap"}),
	}
	if r != nil {
		r.MustRegister(m.captured, m.repaired, m.made, m.seconds, m.dropped, m.readers)
	}
	return m
}

// tapMetrics are those of one pipeline, looked up beforehand.
type tapMetrics struct {
	all                        *Metrics
	tap                        string
	captured, invalid, clipped prometheus.Counter
	readers                    prometheus.Gauge
}

// of returns the metrics of a tap. Its counters are shown as 0 from then on.
func (m *Metrics) of(tap string) tapMetrics {
	for _, reason := range []string{dropLate, dropBroken, dropSlowReader} {
		m.dropped.WithLabelValues(tap, reason)
	}
	return tapMetrics{
		all: m, tap: tap, captured: m.captured.WithLabelValues(tap), readers: m.readers.WithLabelValues(tap),
		invalid: m.repaired.WithLabelValues(tap, "invalid"), clipped: m.repaired.WithLabelValues(tap, "clipped"),
	}
}

func (m *tapMetrics) repair(invalid, clipped int) {
	m.invalid.Add(float64(invalid))
	m.clipped.Add(float64(clipped))
}

func (m *tapMetrics) drop(reason string, n uint64) {
	if n > 0 {
		m.all.dropped.WithLabelValues(m.tap, reason).Add(float64(n))
	}
}

// variantMetrics are those of one format.
type variantMetrics struct {
	made    prometheus.Counter
	seconds prometheus.Observer
}

func (m *tapMetrics) of(mediaType string) variantMetrics {
	return variantMetrics{made: m.all.made.WithLabelValues(m.tap, mediaType),
		seconds: m.all.seconds.WithLabelValues(m.tap, mediaType)}
}
