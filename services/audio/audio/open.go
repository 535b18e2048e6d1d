package audio

import (
	"context"
	"errors"
	"maps"

	"github.com/waldo-robot/waldo/services/audio/card"
	nullspeaker "github.com/waldo-robot/waldo/services/audio/null"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
	tonesource "github.com/waldo-robot/waldo/services/audio/tone"
	"github.com/waldo-robot/waldo/services/audio/wav"
)

// open opens what the configuration names. What is a sound card is opened together: see package portaudio.
func open(c Config, library *portaudio.Library, trouble func(string)) (card.Card, error) {
	var parts []card.Card
	add := func(one card.Card, err error) error {
		parts = append(parts, one)
		return err
	}
	cards := portaudio.Config{Format: c.format(), Block: c.block(), Trouble: trouble}
	var err error
	switch speaker := c.speaker(); {
	case speaker == none:
	case speaker == null:
		err = add(nullspeaker.Open(c.format(), c.block()), nil)
	case isFile(speaker):
		err = add(wav.OpenSpeaker(speaker, c.format(), c.block()))
	default:
		cards.Speaker = speaker
	}
	switch {
	case err != nil || c.Source == none:
	case c.Source == tone:
		err = add(tonesource.Open(tonesource.Config{Format: c.format(), Block: c.block(), Hz: c.ToneHz}))
	case isFile(c.Source):
		err = add(wav.OpenMicrophone(c.Source, c.format(), c.block()))
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
