package connect

import "github.com/prometheus/client_golang/prometheus"

// register makes the line's figures known.
func (l *Line) register(to prometheus.Registerer) {
	if to == nil {
		return
	}
	to.MustRegister(
		l.gauge("waldo_ingest_connected", "1 while pictures come from the camera, else 0.", func(s Status) float64 {
			if s.State == Connected {
				return 1
			}
			return 0
		}),
		l.gauge("waldo_ingest_frame_rate_hz", "Pictures per second that the camera sends.",
			func(s Status) float64 { return s.FPS }),
		l.gauge("waldo_ingest_width_px", "Width of the camera's pictures.",
			func(s Status) float64 { return float64(s.Width) }),
		l.gauge("waldo_ingest_height_px", "Height of the camera's pictures.",
			func(s Status) float64 { return float64(s.Height) }),
		l.gauge("waldo_ingest_delay_seconds", "How much later than the earliest possible pictures arrive.",
			func(s Status) float64 { return s.Delay.Seconds() }),
		l.gauge("waldo_ingest_key_frame_interval_seconds", "Time between key frames of the camera, 0 if unknown.",
			func(s Status) float64 { return s.KeyInterval.Seconds() }),
		l.counter("waldo_ingest_reconnects_total", "Attempts to connect after the first.",
			func(s Status) float64 { return float64(s.Reconnects) }),
		l.counter("waldo_ingest_connects_total", "Attempts to connect that led to a picture.",
			func(s Status) float64 { return float64(s.Connects) }),
	)
}

func (l *Line) gauge(name, help string, value func(Status) float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
		func() float64 { return value(l.Status()) })
}

func (l *Line) counter(name, help string, value func(Status) float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
		func() float64 { return value(l.Status()) })
}
