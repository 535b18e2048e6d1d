package playout

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// Speaker is everything on the way to a speaker: all talkers are mixed, made as loud as is set, measured, and heard by
// those who listen to the speaker. Make it with [NewSpeaker].
type Speaker struct {
	Mixer  *Mixer
	Volume *pcm.Volume
	Heard  *capture.Pipeline // what the speaker plays

	channels int
	meter    pcm.Meter
	tap      *capture.Tap
	played   prometheus.Counter
}

// NewSpeaker returns a speaker that takes blocks of about so many frames. Heard carries what it plays to those who
// listen. It fails if the configuration of its mixer is out of range.
func NewSpeaker(config Config, block int, heard *capture.Pipeline) (*Speaker, error) {
	mixer, err := New(config)
	if err != nil {
		return nil, err
	}
	s := &Speaker{
		Mixer: mixer, Volume: &pcm.Volume{}, Heard: heard,
		channels: mixer.config.Channels, tap: capture.NewTap(2 * block * mixer.config.Channels),
		played: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "waldo_audio_played_samples_total",
			Help: "Samples given to the speaker of each channel. Silence counts, unless the speaker rests meanwhile, as null " +
				"does."}),
	}
	if config.Metrics != nil {
		if err := config.Metrics.Register(s.played); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return s, nil
}

// Fill makes the next sound for the speaker. It never waits for a talker. It is for one goroutine at a time.
func (s *Speaker) Fill(samples []float32) {
	s.Mixer.Read(samples)
	s.Volume.Apply(samples, s.channels)
	pcm.Clean(samples) // it may be set louder than full scale
	s.meter.Add(samples)
	s.tap.Put(samples)
	s.played.Add(float64(len(samples) / s.channels))
}

// While runs work whenever there is something to be played: somebody talks, or somebody listens to the speaker, be it
// to silence. It is like [stream.Demand.While], for speakers that may rest meanwhile.
func (s *Speaker) While(ctx context.Context, work func(context.Context) error) error {
	return s.Mixer.demand.While(ctx, work)
}

// Talking reports whether there is a talker: somebody of the network who talks, or a feed that is open.
func (s *Speaker) Talking() bool { return s.Mixer.talking() }

// Want counts as somebody who wants to have something played, until release is called: for speakers that go on for a
// while after the last word.
func (s *Speaker) Want() (release func()) { return s.Mixer.demand.Want() }

// Listen gives what is played to those who listen, until ctx ends.
func (s *Speaker) Listen(ctx context.Context) error { return s.Heard.Run(ctx, ear{s}) }

// ear is a microphone at the speaker.
type ear struct{ speaker *Speaker }

// Capture implements card.Microphone.
func (e ear) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	defer e.speaker.Mixer.demand.Want()()
	return e.speaker.tap.Capture(ctx, take)
}

// Close ends those who listen and those who talk.
func (s *Speaker) Close() {
	s.Heard.Close()
	_ = s.Mixer.Close() // ends feeds, and cannot fail
}
