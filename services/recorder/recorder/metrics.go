package recorder

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of a recorder.
type metrics struct {
	messages  prometheus.Counter
	bytes     prometheus.Counter
	files     prometheus.Counter
	failures  prometheus.Counter
	keyFrames prometheus.Counter
}

func newMetrics(to prometheus.Registerer, r *recorder) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		messages: counter("waldo_recorder_messages_total", "Messages recorded, or kept for the pre-roll."),
		bytes:    counter("waldo_recorder_bytes_total", "Their bytes."),
		files:    counter("waldo_recorder_files_total", "Files completed."),
		failures: counter("waldo_recorder_failures_total", "Recordings that ended because of an error."),
		keyFrames: counter("waldo_recorder_key_frame_requests_total",
			"Requests for key frames, at the beginning of files and while none came by itself."),
	}
	lost := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "waldo_recorder_lost_total",
		Help: "Messages that were lost: the disk, or the recorder, was too slow, they did not come, or could not be read."},
		func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return float64(r.lostNow())
		})
	recording := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "waldo_recorder_recording",
		Help: "1 while it records."}, func() float64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.reel == nil {
			return 0
		}
		return 1
	})
	var errs []error
	for _, c := range []prometheus.Collector{m.messages, m.bytes, m.files, m.failures, m.keyFrames, lost, recording} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}
