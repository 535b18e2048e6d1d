package server

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	robots        prometheus.Gauge
	underWay      prometheus.Gauge
	registrations *prometheus.CounterVec
	refusals      *prometheus.CounterVec
	requests      prometheus.Counter
}

func newMetrics(to prometheus.Registerer) *metrics {
	m := &metrics{
		robots: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_rendezvous_robots", Help: "Robots that are connected."}),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "waldo_rendezvous_requests_under_way", Help: "Requests to robots that are under way, WebSockets included."}),
		registrations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_rendezvous_registrations_total", Help: "Registrations of robots, by result: accepted or refused."},
			[]string{"result"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waldo_rendezvous_refusals_total", Help: "Requests that were refused before anything else, by reason."},
			[]string{"reason"}),
		requests: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_rendezvous_requests_total", Help: "Requests that went to robots."}),
	}
	if to != nil {
		to.MustRegister(m.robots, m.underWay, m.registrations, m.refusals, m.requests)
	}
	return m
}

func (m *metrics) registered(result string) { m.registrations.WithLabelValues(result).Inc() }
func (m *metrics) refused(reason string)    { m.refusals.WithLabelValues(reason).Inc() }
