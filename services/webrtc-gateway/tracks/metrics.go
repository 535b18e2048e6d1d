package tracks

import (
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/webrtc-gateway/repair"
)

// Metrics are the metrics of a hub. The zero value is not usable; see [NewMetrics].
type Metrics struct{ video, audio kindMetrics }

// kindMetrics are the metrics of all streams of a kind.
type kindMetrics struct {
	slow      string // value of the label `where` for frames lost by receivers
	sources   prometheus.Gauge
	receivers *prometheus.GaugeVec
	frames    *prometheus.CounterVec
	lost      *prometheus.CounterVec
	packets   *prometheus.CounterVec
	hop       *prometheus.HistogramVec
	// Of video only.
	keyRequests *prometheus.CounterVec
	resent      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	glass       *prometheus.HistogramVec
}

// Where frames are lost, the values of the label `where`.
const (
	lostOnBus      = "bus"           // never arrived
	lostUnusable   = "unusable"      // arrived after a loss and before a key frame, or in another codec than negotiated
	lostLate       = "late"          // arrived out of order, or twice
	lostGarbage    = "garbage"       // invalid
	lostByViewer   = "slow_viewer"   // the viewer's connection was too slow
	lostByListener = "slow_listener" // the listener's connection was too slow
)

// NewMetrics registers the metrics with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		video: kindMetrics{
			slow:        lostByViewer,
			sources:     gauge("relays", "Video streams held because somebody watches."),
			receivers:   gauges("viewers", "Receiving tracks of a device."),
			frames:      counter("frames_total", "Frames received from the bus."),
			lost:        counter("frames_lost_total", "Frames not forwarded, by where they were lost.", "where"),
			keyRequests: counter("key_frame_requests_total", "Key frames requested from the device."),
			packets:     counter("rtp_packets_total", "RTP packets sent to viewers."),
			resent:      counter("rtp_packets_resent_total", "RTP packets retransmitted because a viewer missed them."),
			refused: counter("rtp_resends_refused_total", "Missed RTP packets that were not sent again, by reason.",
				"why"),
			hop: histogram("frame_hop_seconds", "Time from the arrival of a frame to the write of its last packet, "+
				"for each viewer.", videoBuckets),
			glass: histogram("frame_capture_to_sent_seconds",
				"Time from the capture of a frame to the write of its last packet, for each viewer.", videoBuckets),
		},
		audio: kindMetrics{
			slow:      lostByListener,
			sources:   gauge("sounds", "Audio streams held because somebody listens."),
			receivers: gauges("listeners", "Receiving audio tracks of a device."),
			frames:    counter("audio_frames_total", "Audio frames received from the bus."),
			lost:      counter("audio_frames_lost_total", "Audio frames not forwarded, by where they were lost.", "where"),
			packets:   counter("audio_packets_total", "RTP audio packets sent to listeners."),
			hop: histogram("audio_hop_seconds", "Time from the arrival of an audio frame to the write of its packet, for "+
				"each listener.",
				[]float64{.0001, .00025, .0005, .001, .002, .005, .01, .02, .05, .1, .25}),
		},
	}
	for _, k := range []*kindMetrics{&m.video, &m.audio} {
		reg.MustRegister(k.sources, k.receivers, k.frames, k.lost, k.packets, k.hop)
	}
	reg.MustRegister(m.video.keyRequests, m.video.resent, m.video.refused, m.video.glass)
	return m
}

var videoBuckets = []float64{.0001, .00025, .0005, .001, .0015, .002, .003, .005, .01, .02, .035, .05, .1, .25, 1}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: "waldo_gateway_" + name, Help: help})
}

func gauges(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "waldo_gateway_" + name, Help: help}, []string{"device"})
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help}, append([]string{"device"}, labels...))
}

func histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Name: "waldo_gateway_" + name, Help: help, Buckets: buckets}, []string{"device"})
}

// meters are the metrics of one stream.
type meters struct {
	sources, receivers     prometheus.Gauge
	frames, packets        prometheus.Counter
	lostOnBus, lostGarbage prometheus.Counter
	lostUnusable, lostLate prometheus.Counter
	lostByReceiver         prometheus.Counter
	hop                    prometheus.Observer
	keyRequests, resent    prometheus.Counter                    // nil for sound
	refused                map[repair.Verdict]prometheus.Counter // likewise
	glass                  prometheus.Observer                   // likewise
}

func (m *Metrics) of(kind webrtc.RTPCodecType, device string) *meters {
	k := &m.video
	if kind == webrtc.RTPCodecTypeAudio {
		k = &m.audio
	}
	lost := func(where string) prometheus.Counter { return k.lost.WithLabelValues(device, where) }
	of := &meters{
		sources: k.sources, receivers: k.receivers.WithLabelValues(device),
		frames: k.frames.WithLabelValues(device), packets: k.packets.WithLabelValues(device),
		lostOnBus: lost(lostOnBus), lostGarbage: lost(lostGarbage), lostUnusable: lost(lostUnusable),
		lostByReceiver: lost(k.slow), hop: k.hop.WithLabelValues(device),
	}
	if kind == webrtc.RTPCodecTypeAudio {
		of.lostLate = lost(lostLate)
		return of
	}
	of.keyRequests, of.resent = k.keyRequests.WithLabelValues(device), k.resent.WithLabelValues(device)
	of.glass = k.glass.WithLabelValues(device)
	of.refused = make(map[repair.Verdict]prometheus.Counter)
	for _, v := range repair.Refusals() {
		of.refused[v] = k.refused.WithLabelValues(device, v.String())
	}
	return of
}

// refuse counts a packet that is not sent again.
func (m *meters) refuse(v repair.Verdict) { m.refused[v].Inc() }

// sent records the latency of a frame.
func (m *meters) sent(f *frame, now time.Time) {
	m.hop.Observe(now.Sub(f.received).Seconds())
	if m.glass != nil {
		m.glass.Observe(now.Sub(f.capture).Seconds())
	}
}
