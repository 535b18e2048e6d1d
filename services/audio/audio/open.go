package audio

import (
	"context"
	"errors"
	"maps"

	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/services/audio/sim"
	"github.com/waldo-robot/waldo/services/audio/wav"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pace"
)

// needs tell what is needed of hardware that is simulated, which sleeps meanwhile.
type needs struct {
	// batch returns in how many frames somebody needs the microphone's sound.
	batch func() int
	// while runs its function while the speaker has something to play.
	while func(context.Context, func(context.Context) error) error
}

// open opens what the configuration names. What is a sound card is opened together: see package portaudio.
func open(c Config, n needs, library *portaudio.Library, trouble func(string)) (card.Card, error) {
	var parts []card.Card
	add := func(one card.Card, err error) error {
		parts = append(parts, one)
		return err
	}
	steps := pace.Pace{Format: c.format(), Block: c.block(), Batch: n.batch}
	cards := portaudio.Config{Format: c.format(), Block: c.block(), Trouble: trouble}
	var err error
	switch speaker := c.speaker(); {
	case speaker == none:
	case speaker == null:
		err = add(sim.OpenSpeaker(sim.SpeakerConfig{Format: c.format(), Block: c.block(), While: n.while}), nil)
	case isFile(speaker):
		err = add(wav.OpenSpeaker(speaker, c.format(), c.block()))
	default:
		cards.Speaker = speaker
	}
	switch {
	case err != nil || c.Source == none:
	case c.Source == tone:
		err = add(sim.OpenMicrophone(sim.MicrophoneConfig{Pace: steps, Hz: c.ToneHz}))
	case isFile(c.Source):
		err = add(wav.OpenMicrophone(c.Source, steps))
	default:
		cards.Microphone = c.Source
	}
	if err == nil && (cards.Speaker != "" || cards.Microphone != "") {
		err = add(library.Open(cards))
	}
	all := join(parts)
	if err != nil {
		return card.Card{}, errors.Join(err, all.Close())
	}
	return all, nil
}

// join makes one card of several parts.
func join(parts []card.Card) card.Card {
	all := card.Card{Attributes: map[string]string{}}
	for _, one := range parts {
		if one.Microphone != nil {
			all.Microphone = one.Microphone
		}
		if one.Speaker != nil {
			all.Speaker = one.Speaker
		}
		if one.Watch != nil {
			all.Watch = one.Watch // only the sound card has one
		}
		maps.Copy(all.Attributes, one.Attributes)
	}
	if all.Watch == nil {
		all.Watch = func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}
	}
	all.Close = func() error {
		var errs []error
		for _, one := range parts {
			if one.Close != nil {
				errs = append(errs, one.Close())
			}
		}
		return errors.Join(errs...)
	}
	return all
}
