package service

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	audiov1 "github.com/waldo-robot/waldo/api/gen/go/waldo/audio/v1"
	"github.com/waldo-robot/waldo/services/audio/capture"
	"github.com/waldo-robot/waldo/services/audio/pcm"
	"github.com/waldo-robot/waldo/services/audio/playout"
)

// Fill is called by a thread that must not wait: it costs no memory, whatever is listened to and set.
func TestFillAllocatesNothing(t *testing.T) {
	mixer, err := playout.New(playout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f := pcm.Format{Rate: 48000, Channels: 1}
	s := &Speaker{Format: f, Mixer: mixer, Volume: &pcm.Volume{}, Meter: &pcm.Meter{}, Tap: capture.NewTap(480),
		Played: prometheus.NewCounter(prometheus.CounterOpts{Name: "played"})}
	s.Volume.Set(&audiov1.Volume{GainDb: 20})
	samples := make([]float32, 480)
	if n := testing.AllocsPerRun(1000, func() { s.Fill(samples) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
