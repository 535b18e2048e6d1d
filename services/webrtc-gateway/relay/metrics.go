package relay

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what relays do. The zero value is not usable; see [NewMetrics].
type Metrics struct {
	viewers     *prometheus.GaugeVec
	relays      prometheus.Gauge
	frames      *prometheus.CounterVec
	lost        *prometheus.CounterVec
	keyRequests *prometheus.CounterVec
	packets     *prometheus.CounterVec
	resent      *prometheus.CounterVec
	hop         *prometheus.HistogramVec
	glass       *prometheus.HistogramVec
}

// Where frames are lost, the values of the label `where`.
const (
	lostOnBus    = "bus"         // never came
	lostUnusable = "unusable"    // came after a loss, before a key frame
	lostGarbage  = "garbage"     // could not be understood
	lostByViewer = "slow_viewer" // the viewer's connection was too slow
)

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	device := []string{"device"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help}, append(device, labels...))
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waldo_gateway_" + name, Help: help,
			Buckets: []float64{.0001, .00025, .0005, .001, .0015, .002, .003, .005, .01, .02, .035, .05, .1, .25, 1},
		}, device)
	}
	m := &Metrics{
		viewers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_gateway_viewers", Help: "Receiving tracks of a device."}, device),
		relays: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_gateway_relays", Help: "Streams that are held because somebody looks."}),
		frames:      counter("frames_total", "Frames that came from the bus."),
		lost:        counter("frames_lost_total", "Frames that were not passed on, by where they were lost.", "where"),
		keyRequests: counter("key_frame_requests_total", "Key frames asked of the device."),
		packets:     counter("rtp_packets_total", "RTP packets sent to viewers."),
		resent:      counter("rtp_packets_resent_total", "RTP packets sent again because a viewer missed them."),
		hop:         histogram("frame_hop_seconds", "From the arrival of a frame to its last packet written, for each viewer."),
		glass:       histogram("frame_capture_to_sent_seconds", "From the capture of a frame to its last packet written, for each viewer."),
	}
	reg.MustRegister(m.viewers, m.relays, m.frames, m.lost, m.keyRequests, m.packets, m.resent, m.hop, m.glass)
	return m
}

// meters are the metrics of one device.
type meters struct {
	viewers                              prometheus.Gauge
	frames, keyRequests, packets, resent prometheus.Counter
	lostOnBus, lostUnusable              prometheus.Counter
	lostGarbage, lostByViewer            prometheus.Counter
	hop, glass                           prometheus.Observer
}

func (m *Metrics) of(device string) meters {
	return meters{
		viewers: m.viewers.WithLabelValues(device), frames: m.frames.WithLabelValues(device),
		keyRequests: m.keyRequests.WithLabelValues(device),
		packets:     m.packets.WithLabelValues(device), resent: m.resent.WithLabelValues(device),
		lostOnBus: m.lost.WithLabelValues(device, lostOnBus), lostUnusable: m.lost.WithLabelValues(device, lostUnusable),
		lostGarbage: m.lost.WithLabelValues(device, lostGarbage), lostByViewer: m.lost.WithLabelValues(device, lostByViewer),
		hop: m.hop.WithLabelValues(device), glass: m.glass.WithLabelValues(device),
	}
}
