package board

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/serial/frame"
)

type metrics struct {
	readBytes, messages, unread, slow, written prometheus.Counter
	discarded, dropped                         *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "waldo_serial_" + name, Help: help})
	}
	vector := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "waldo_serial_" + name, Help: help}, []string{"reason"})
	}
	m := &metrics{
		readBytes: counter("read_bytes_total", "Bytes sent by the board."),
		messages:  counter("read_messages_total", "Messages sent by the board."),
		unread:    counter("read_errors_total", "Messages of the board that could not be read."),
		slow:      counter("slow_reader_lost_total", "Messages lost by readers that were too slow."),
		written:   counter("written_messages_total", "Messages written to the board."),
		discarded: vector("discarded_bytes_total", "Bytes from the board that belong to no message, by reason: "+
			"misaligned, checksum, paused, too_long, interrupted."),
		dropped: vector("dropped_commands_total", "Accepted commands that did not reach the board, by reason: "+
			"superseded by a newer one, stopped, late."),
	}
	if r != nil {
		r.MustRegister(m.readBytes, m.messages, m.unread, m.slow, m.written, m.discarded, m.dropped)
	}
	return m
}

func (m *metrics) discard(why frame.Reason, n int) {
	m.discarded.WithLabelValues(string(why)).Add(float64(n))
}
