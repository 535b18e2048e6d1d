package sound

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what hubs do. The zero value is not usable; see [NewMetrics].
type Metrics struct {
	listeners *prometheus.GaugeVec
	sources   prometheus.Gauge
	frames    *prometheus.CounterVec
	lost      *prometheus.CounterVec
	packets   *prometheus.CounterVec
	hop       *prometheus.HistogramVec
}

// Where sound is lost, the values of the label `where`.
const (
	lostOnBus      = "bus"           // never came
	lostLate       = "late"          // came behind its place, or a second time
	lostGarbage    = "garbage"       // could not be understood
	lostByListener = "slow_listener" // the listener's connection was too slow
)

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	device := []string{"device"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help}, append(device, labels...))
	}
	m := &Metrics{
		listeners: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_gateway_listeners", Help: "Receiving tracks of the sound of a device."}, device),
		sources: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_gateway_sounds", Help: "Streams of sound that are held because somebody listens."}),
		frames:  counter("audio_frames_total", "Frames of sound that came from the bus."),
		lost:    counter("audio_frames_lost_total", "Frames of sound that were not passed on, by where they were lost.", "where"),
		packets: counter("audio_packets_total", "RTP packets of sound sent to listeners."),
		hop: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waldo_gateway_audio_hop_seconds", Help: "From the arrival of a frame of sound to its packet written, for each listener.",
			Buckets: []float64{.0001, .00025, .0005, .001, .002, .005, .01, .02, .05, .1, .25},
		}, device),
	}
	reg.MustRegister(m.listeners, m.sources, m.frames, m.lost, m.packets, m.hop)
	return m
}

// meters are the metrics of one device.
type meters struct {
	listeners                                        prometheus.Gauge
	frames, packets                                  prometheus.Counter
	lostOnBus, lostLate, lostGarbage, lostByListener prometheus.Counter
	hop                                              prometheus.Observer
}

func (m *Metrics) of(device string) meters {
	return meters{
		listeners: m.listeners.WithLabelValues(device), frames: m.frames.WithLabelValues(device), packets: m.packets.WithLabelValues(device),
		lostOnBus: m.lost.WithLabelValues(device, lostOnBus), lostLate: m.lost.WithLabelValues(device, lostLate),
		lostGarbage: m.lost.WithLabelValues(device, lostGarbage), lostByListener: m.lost.WithLabelValues(device, lostByListener),
		hop: m.hop.WithLabelValues(device),
	}
}
