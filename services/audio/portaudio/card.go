package portaudio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	pa "github.com/gordonklaus/portaudio"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// Config says what to open. A part that is empty is not opened.
type Config struct {
	Microphone string // Default, or a part of a device's name that no other has
	Speaker    string
	Format     pcm.Format
	Block      int // frames at once; 0 means 10 ms

	// Trouble is told of sound that the hardware lost ("overflow", "underflow", "ring"), from a thread that must not wait. Default: nothing.
	Trouble func(what string)
}

// Open looks for cards anew, and opens one. It fails if another is open. Errors wrap those of package card.
func (l *Library) Open(config Config) (_ card.Card, err error) {
	if config.Block == 0 {
		config.Block = config.Format.Frames(10 * time.Millisecond)
	}
	if config.Trouble == nil {
		config.Trouble = func(string) {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		return card.Card{}, fmt.Errorf("%w: this process has one open already", card.ErrBusy)
	}
	if err := l.start(); err != nil {
		return card.Card{}, err
	}
	c, err := equip(config)
	if err != nil {
		return card.Card{}, errors.Join(err, pa.Terminate())
	}
	l.open = true
	c.Close = l.close
	return c, nil
}

func (l *Library) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = false
	return pa.Terminate()
}

// equip finds the parts, and tries them.
func equip(config Config) (card.Card, error) {
	c := card.Card{Attributes: map[string]string{"driver": "portaudio"}}
	var nodes []string
	if config.Microphone != "" {
		s, err := find(input, config.Microphone, config)
		if err != nil {
			return c, err
		}
		c.Microphone = &microphone{s}
		c.Attributes["microphone"], c.Attributes["microphone_format"] = s.device.Name, s.format.String()
		nodes = append(nodes, node(s.device.Name, "c")...)
	}
	if config.Speaker != "" {
		s, err := find(output, config.Speaker, config)
		if err != nil {
			return c, err
		}
		c.Speaker = &speaker{s}
		c.Attributes["speaker"], c.Attributes["speaker_format"] = s.device.Name, s.format.String()
		nodes = append(nodes, node(s.device.Name, "p")...)
	}
	if len(nodes) > 0 {
		c.Watch = func(ctx context.Context) error { return watch(ctx, nodes) }
	}
	return c, nil
}

var hardware = regexp.MustCompile(`\(hw:(\d+),(\d+)\)`)

// node is the file in which ALSA shows a card that is plugged in; none for what is no card.
func node(name, direction string) []string {
	m := hardware.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	return []string{"/dev/snd/pcmC" + m[1] + "D" + m[2] + direction}
}

// watch looks for the files of cards until ctx ends or one is gone.
func watch(ctx context.Context, nodes []string) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		for _, node := range nodes {
			if _, err := os.Stat(node); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w: it was unplugged (%s)", card.ErrAway, node)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
