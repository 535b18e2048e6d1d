package actuator

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	commands *prometheus.CounterVec
	stops    *prometheus.CounterVec
	leases   prometheus.Counter
	unkept   prometheus.Counter
}

func newMetrics(r prometheus.Registerer, a *Actuator) *metrics {
	m := &metrics{
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_control_commands_total", Help: "Commands judged, by verdict; all but accepted were refused."},
			[]string{"verdict"}),
		stops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_control_stops_total", Help: "How often the hardware was made to stand still, by cause."},
			[]string{"cause"}),
		leases: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_control_leases_total", Help: "Leases granted."}),
		unkept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_control_e_stops_not_kept_total", Help: "E-stops that could not be written to their file."}),
	}
	latched := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "waldo_control_e_stopped", Help: "1 while an e-stop is latched."}, func() float64 {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.eStop != nil {
			return 1
		}
		return 0
	})
	r.MustRegister(m.commands, m.stops, m.leases, m.unkept, latched)
	return m
}
