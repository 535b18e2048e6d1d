package portaudio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// What Config.Trouble is told.
const (
	Overflow  = "overflow"  // the hardware captured more than was taken from it
	Underflow = "underflow" // it had nothing to play
	RingFull  = "ring"      // what was captured found no room
)

// Config names what to open. An empty part is not opened.
type Config struct {
	Microphone string // Default, or a part of a device's name that no other has
	Speaker    string
	Format     pcm.Format
	Block      int // frames at once; 0 means 10 ms

	// Trouble is told of sound that was lost, perhaps from a thread that must not wait. Default: nobody is.
	Trouble func(what string)
}

// Open searches for cards again, and opens one. It fails if another is open. Errors wrap those of package card, and
// [ErrStuck] means that another try is useless.
func (l *Library) Open(config Config) (card.Card, error) {
	if config.Block == 0 {
		config.Block = config.Format.Frames(10 * time.Millisecond)
	}
	if config.Trouble == nil {
		config.Trouble = func(string) {}
	}
	if err := l.usable(); err != nil {
		return card.Card{}, err
	}
	opened := make(chan card.Card, 1)
	err := l.within(slowOpen, func() error {
		c, err := l.openAlone(config)
		opened <- c
		return err
	}, func() { _ = l.release() }) // nobody is left who could be told
	if err != nil {
		return card.Card{}, err
	}
	return <-opened, nil
}

// openAlone needs mu.
func (l *Library) openAlone(config Config) (card.Card, error) {
	if l.uses > 0 {
		return card.Card{}, fmt.Errorf("%w: this process has one open already", device.ErrBusy)
	}
	if err := l.use(); err != nil {
		return card.Card{}, err
	}
	c, err := l.equip(config)
	if err != nil {
		return card.Card{}, errors.Join(err, l.release())
	}
	c.Close = func() error { return l.within(slowClose, l.release, func() {}) }
	return c, nil
}

// equip finds the parts, and tries them.
func (l *Library) equip(config Config) (card.Card, error) {
	c := card.Card{Attributes: map[string]string{"driver": "portaudio"}}
	var nodes []string
	if config.Microphone != "" {
		s, err := l.find(input, config.Microphone, config)
		if err != nil {
			return c, err
		}
		c.Microphone = &microphone{s}
		c.Attributes["microphone"], c.Attributes["microphone_format"] = s.device.Name, s.format.String()
		nodes = append(nodes, node(s.device.Name, s.letter)...)
	}
	if config.Speaker != "" {
		s, err := l.find(output, config.Speaker, config)
		if err != nil {
			return c, err
		}
		c.Speaker = &speaker{s}
		c.Attributes["speaker"], c.Attributes["speaker_format"] = s.device.Name, s.format.String()
		nodes = append(nodes, node(s.device.Name, s.letter)...)
	}
	if len(nodes) > 0 {
		c.Watch = func(ctx context.Context) error { return watch(ctx, nodes) }
	}
	return c, nil
}

var hardware = regexp.MustCompile(`\(hw:(\d+),(\d+)\)`)

// node is the file in which ALSA shows a card that is plugged in; none for a device that is not a card.
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
				return fmt.Errorf("%w: it was unplugged (%s)", device.ErrAway, node)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
