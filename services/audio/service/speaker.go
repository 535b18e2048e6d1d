package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/services/audio/capture"
	"github.com/waldo-robot/waldo/services/audio/pcm"
	"github.com/waldo-robot/waldo/services/audio/playout"
)

// Speaker is what is on the way to a speaker: all talkers mixed, as loud as is set, measured, and heard by those who listen to it.
type Speaker struct {
	Format pcm.Format
	Mixer  *playout.Mixer
	Volume *pcm.Volume
	Meter  *pcm.Meter
	Tap    *capture.Tap
	Heard  *capture.Pipeline // fed by Tap
	Played prometheus.Counter
}

// Fill makes the next sound for the speaker. It never waits for a talker. It is for one goroutine at a time.
func (s *Speaker) Fill(samples []float32) {
	s.Mixer.Read(samples)
	s.Volume.Apply(samples, s.Format.Channels)
	pcm.Clean(samples) // it may be set louder than full scale
	s.Meter.Add(samples)
	s.Tap.Put(samples)
	s.Played.Add(float64(len(samples) / s.Format.Channels))
}
