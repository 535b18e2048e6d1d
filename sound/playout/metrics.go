package playout

import "github.com/prometheus/client_golang/prometheus"

// metrics are counted in the speaker's callback, so every counter is looked up beforehand.
type metrics struct {
	received  prometheus.Counter
	late      prometheus.Counter // its turn was over
	duplicate prometheus.Counter
	malformed prometheus.Counter // not a packet of Opus with a place in a stream
	garbage   prometheus.Counter // the decoder could not make sense of it
	skipped   prometheus.Counter // left out, because too much was waiting
	tooMany   prometheus.Counter
	tooLong   prometheus.Counter

	byFEC, byPLC prometheus.Counter
	stalls       prometheus.Counter

	invalid, clipped prometheus.Counter

	refusedTooMany, refusedTooLong prometheus.Counter

	talkers prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	received := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "waldo_audio_packets_received_total", Help: "Packets of talkers of the network."})
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_audio_packets_dropped_total", Help: "Packets of talkers of the network that were not played, by " +
			"reason."}, []string{"reason"})
	concealed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_audio_packets_concealed_total", Help: "Packets that were missing or broken, by what was played " +
			"instead: the copy in the next one (fec), or what the decoder made up (plc)."}, []string{"by"})
	stalls := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "waldo_audio_playout_stalls_total", Help: "Times when a talker of the network had no sound left, as at the " +
			"end of what they said."})
	repaired := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_audio_samples_repaired_total", Help: "Samples of programs that could not be played as they were, by " +
			"what was wrong: no number (invalid), or beyond full scale (clipped)."}, []string{"what"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "waldo_audio_talkers_refused_total", Help: "Talkers who were refused or cut off, by reason."},
		[]string{"reason"})
	talkers := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "waldo_audio_talkers", Help: "Talkers now: of the network while they talk, programs as long as they are " +
			"connected."})
	if r != nil {
		r.MustRegister(received, dropped, concealed, stalls, repaired, refused, talkers)
	}
	return &metrics{
		received:       received,
		late:           dropped.WithLabelValues("late"),
		duplicate:      dropped.WithLabelValues("duplicate"),
		malformed:      dropped.WithLabelValues("malformed"),
		garbage:        dropped.WithLabelValues("garbage"),
		skipped:        dropped.WithLabelValues("skipped"),
		tooMany:        dropped.WithLabelValues("too_many"),
		tooLong:        dropped.WithLabelValues("too_long"),
		byFEC:          concealed.WithLabelValues("fec"),
		byPLC:          concealed.WithLabelValues("plc"),
		stalls:         stalls,
		invalid:        repaired.WithLabelValues("invalid"),
		clipped:        repaired.WithLabelValues("clipped"),
		refusedTooMany: refused.WithLabelValues("too_many"),
		refusedTooLong: refused.WithLabelValues("too_long"),
		talkers:        talkers,
	}
}
