package viewing

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// mostLabels is how many viewers have a label of their own.
	mostLabels = 64
	// others is the label of all the rest.
	others = "others"
)

// Meters are the metrics of all viewers.
type Meters struct {
	ages    *prometheus.HistogramVec
	freezes *prometheus.CounterVec
	frozen  *prometheus.CounterVec
	trips   *prometheus.HistogramVec

	mu       sync.Mutex
	labelled int
}

// NewMeters registers the metrics with reg.
func NewMeters(reg prometheus.Registerer) *Meters {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waldo_gateway_" + name, Help: help, Buckets: buckets}, labels)
	}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_gateway_" + name, Help: help},
			[]string{"device", "viewer"})
	}
	m := &Meters{
		ages: histogram("shown_age_seconds", "Age of pictures when they were shown, capture to screen, as viewers report it.",
			[]float64{.01, .02, .035, .05, .075, .1, .15, .2, .3, .5, .8, 1.5, 5}, "device", "viewer"),
		freezes: counter("shown_freezes_total", "How often the picture froze on the screen, as viewers report it."),
		frozen:  counter("shown_frozen_seconds_total", "For how long the picture was frozen, as viewers report it."),
		trips: histogram("round_trip_seconds", "Round trip of the media path, observed once a second.",
			[]float64{.001, .002, .005, .01, .02, .035, .05, .075, .1, .15, .25, .5, 1, 2.5}, "viewer"),
	}
	reg.MustRegister(m.ages, m.freezes, m.frozen, m.trips)
	return m
}

// Viewer is one who watches. It must be closed.
type Viewer struct {
	meters *Meters
	label  string

	mu     sync.Mutex
	last   time.Time // of the last report
	closed bool
}

// Viewer returns a viewer with a name, which must be unique.
func (m *Meters) Viewer(name string) *Viewer {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := &Viewer{meters: m, label: others}
	if m.labelled < mostLabels {
		m.labelled++
		v.label = name
	}
	return v
}

// RoundTrip notes the present round trip to the viewer; 0 if it is not known.
func (v *Viewer) RoundTrip(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if d > 0 && !v.closed {
		v.meters.trips.WithLabelValues(v.label).Observe(d.Seconds())
	}
}

// Close removes the viewer's series. It may be called more than once.
func (v *Viewer) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.closed = true
	if v.label == others {
		return
	}
	m, labels := v.meters, prometheus.Labels{"viewer": v.label}
	m.ages.DeletePartialMatch(labels)
	m.freezes.DeletePartialMatch(labels)
	m.frozen.DeletePartialMatch(labels)
	m.trips.DeletePartialMatch(labels)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.labelled--
}
