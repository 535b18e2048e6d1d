package pipeline

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/media"
)

// Reasons for dropping a picture.
const (
	dropSource     = "source"      // the hardware or its driver lost it, or it arrived damaged
	dropLate       = "late"        // a newer one came before a variant got to it
	dropBroken     = "broken"      // it could not be decoded or encoded
	dropSkipped    = "skipped"     // the encoder skipped it to keep its bitrate
	dropLimit      = "limit"       // left out to keep the limit of a stream's bitrate
	dropPaused     = "paused"      // the stream was paused by a limit
	dropSlowReader = "slow_reader" // a reader did not take it in time
)

type metrics struct {
	captured   prometheus.Counter
	encoded    *prometheus.CounterVec
	passed     *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	decoded    *prometheus.CounterVec
	cpu        *prometheus.CounterVec
	spent      atomic.Int64 // the sum of cpu, ns
	dropped    *prometheus.CounterVec
	keysWanted prometheus.Counter
	keysMade   prometheus.Counter
	readers    prometheus.Gauge
	streams    streamMetrics
	turn       func() (end func()) // see Config
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		captured: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_camera_captured_total", Help: "Pictures captured. Does not change while nobody watches."}),
		encoded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_camera_encoded_total", Help: "Pictures encoded, once for all readers of a format."},
			[]string{"media_type"}),
		passed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_camera_passed_total", Help: "Pictures passed through as the source compressed them."},
			[]string{"media_type"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waldo_camera_encode_seconds", Help: "Time to encode one picture.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 11)}, []string{"media_type"}),
		decoded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_camera_decoded_total", Help: "Pictures decoded, by what the source compressed them to."},
			[]string{"media_type"}),
		cpu: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_camera_cpu_seconds_total", Help: "CPU time of making pictures, by step: decode (with turning) takes " +
				"the source's media type, scale and encode make the reader's."},
			[]string{"step", "media_type"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_camera_dropped_total", Help: "Pictures captured that did not reach a reader, by reason."},
			[]string{"reason"}),
		keysWanted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_camera_key_frames_requested_total", Help: "Requests for a key frame, from RPCs and from new or slow " +
				"readers."}),
		keysMade: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_camera_key_frames_total", Help: "Key frames encoded."}),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_camera_readers", Help: "Current readers, over gRPC and the bus together."}),
	}
	m.streams = newStreamMetrics()
	for _, reason := range []string{dropSource, dropLate, dropBroken, dropSkipped, dropLimit, dropPaused,
		dropSlowReader} {
		m.dropped.WithLabelValues(reason) // shown as 0 from the start
	}
	if r != nil {
		m.streams.register(r)
		r.MustRegister(m.captured, m.encoded, m.passed, m.seconds, m.decoded, m.cpu, m.dropped, m.keysWanted, m.keysMade,
			m.readers)
	}
	return m
}

func (m *metrics) drop(reason string, n uint64) {
	if n > 0 {
		m.dropped.WithLabelValues(reason).Add(float64(n))
	}
}

// decodedOne counts a picture, if there is one.
func (m *metrics) decodedOne(mediaType string, img *media.I420) {
	if img != nil {
		m.decoded.WithLabelValues(mediaType).Inc()
	}
}

func (m *metrics) encodedIn(mediaType string, d time.Duration) {
	m.encoded.WithLabelValues(mediaType).Inc()
	m.seconds.WithLabelValues(mediaType).Observe(d.Seconds())
}
