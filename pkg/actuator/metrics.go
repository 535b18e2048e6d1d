package actuator

import (
	"github.com/prometheus/client_golang/prometheus"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/control"
)

type metrics struct {
	commands *prometheus.CounterVec
	stops    *prometheus.CounterVec
	leases   prometheus.Counter
	unkept   prometheus.Counter

	commandAge prometheus.Histogram
	sightAge   prometheus.Histogram
	unseen     prometheus.Counter
	senseless  prometheus.Counter
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
	for cause := control.CauseStart; cause <= control.CauseBlind; cause++ {
		m.stops.WithLabelValues(cause.String()) // from the beginning, so that the first stop is an increase
	}
	m.measureSight()
	latched := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "waldo_control_e_stopped", Help: "1 while an e-stop is latched."}, func() float64 {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.eStop != nil {
			return 1
		}
		return 0
	})
	r.MustRegister(m.commands, m.stops, m.leases, m.unkept, latched, m.commandAge)
	if a.watcher != nil {
		r.MustRegister(m.sightAge, m.unseen, m.senseless, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "waldo_control_allowed_speed",
			Help: "Share of full speed that is allowed by what the driver sees; 0 without a driver.",
		}, func() float64 {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.arbiter.Allowed(a.clock())
		}))
	}
	return m
}

// measureSight makes the metrics about what drivers see, and about the age of their commands.
func (m *metrics) measureSight() {
	ages := []float64{.005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .4, .5, .65, .8, 1, 1.5, 2, 3, 5, 10}
	m.commandAge = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "waldo_control_command_age_seconds", Buckets: ages,
		Help: "Upper bound of the age of commands when they were judged: since the clock was sent that they echo.",
	})
	m.sightAge = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "waldo_control_sight_age_seconds", Buckets: ages,
		Help: "How long before a command was judged the picture was captured that its driver had seen.",
	})
	m.unseen = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "waldo_control_unseen_total",
		Help: "Commands that were not neutral and whose driver had seen no picture that is known."})
	m.senseless = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "waldo_control_announcements_refused_total",
		Help: "Announcements of the camera that drivers must see that made no sense."})
}

// judged notes what became of a command.
func (m *metrics) judged(report *controlv1.CommandReport, c control.Command) {
	m.commands.WithLabelValues(verdictName(report.GetVerdict())).Inc()
	if report.GetVerdict() == controlv1.CommandVerdict_COMMAND_VERDICT_NO_LEASE {
		return // nobody's
	}
	if report.GetAge() != nil {
		m.commandAge.Observe(report.GetAge().AsDuration().Seconds())
	}
	switch {
	case report.GetSight() == nil:
	case c.Seen.Known:
		m.sightAge.Observe((report.GetClock().AsDuration() - c.Seen.At).Seconds())
	case !c.Neutral:
		m.unseen.Inc()
	}
}
