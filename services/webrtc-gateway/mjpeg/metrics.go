package mjpeg

import "github.com/prometheus/client_golang/prometheus"

// Where pictures are lost, the values of the label `where`.
const (
	lostOnBus    = "bus"         // never arrived
	lostGarbage  = "garbage"     // no JPEG
	lostByViewer = "slow_viewer" // the viewer's connection was too slow
)

type metrics struct {
	viewers  *prometheus.GaugeVec
	pictures *prometheus.CounterVec
	lost     *prometheus.CounterVec
}

// newMetrics registers the metrics with reg, if that is not nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_mjpeg_" + name, Help: help}, labels)
	}
	m := &metrics{
		viewers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "waldo_gateway_mjpeg_viewers", Help: "Open responses with Motion JPEG of a device."}, []string{"device"}),
		pictures: counter("pictures_total", "JPEG pictures given to viewers.", "device"),
		lost: counter("lost_total", "JPEG pictures that a viewer did not get, by where they were lost.",
			"device", "where"),
	}
	if reg != nil {
		reg.MustRegister(m.viewers, m.pictures, m.lost)
	}
	return m
}

// meters are the metrics of one camera.
type meters struct {
	viewers                  prometheus.Gauge
	pictures                 prometheus.Counter
	lostOnBus, garbage, slow prometheus.Counter
}

func (m *metrics) of(device string) *meters {
	lost := func(where string) prometheus.Counter { return m.lost.WithLabelValues(device, where) }
	return &meters{
		viewers: m.viewers.WithLabelValues(device), pictures: m.pictures.WithLabelValues(device),
		lostOnBus: lost(lostOnBus), garbage: lost(lostGarbage), slow: lost(lostByViewer),
	}
}
