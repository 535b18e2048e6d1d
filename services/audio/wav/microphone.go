package wav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// OpenMicrophone makes a microphone of a file, which hears it over and over, in real time. The steps say in which
// format, and count frames of it; blocks are about as long as they say.
func OpenMicrophone(path string, steps pace.Pace) (card.Card, error) {
	file, err := os.Open(path)
	if err != nil {
		return card.Card{}, openError(path, err)
	}
	sound, err := parse(file)
	if err != nil {
		return card.Card{}, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	m := &microphone{path: path, sound: sound, format: steps.Format, pace: sound.pace(steps)}
	return card.Card{
		Microphone: m, Close: file.Close,
		Attributes: map[string]string{"microphone": path, "microphone_format": sound.Format.String()},
	}, nil
}

// pace is a pace in frames of the sound. One that is converted comes out a little late, so each block is given at once.
func (s *Sound) pace(p pace.Pace) pace.Pace {
	own := pace.Pace{Format: s.Format}
	if p.Block > 0 {
		own.Block = max(1, p.Block*s.Rate/p.Format.Rate)
	}
	if s.Rate == p.Format.Rate {
		own.Batch = p.Batch
	}
	return own
}

func parse(file *os.File) (*Sound, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, bad("not a regular file")
	}
	return Parse(file, info.Size())
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the file %s does not exist", device.ErrAway, path)
	}
	return fmt.Errorf("%w: %w", device.ErrAway, err)
}

type microphone struct {
	path   string
	sound  *Sound
	format pcm.Format
	pace   pace.Pace
	next   int64 // it goes on from one Capture to the next
}

// Capture implements card.Microphone.
func (m *microphone) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	converter, err := convert.New(m.sound.Format, m.format)
	if err != nil {
		return err
	}
	defer converter.Close()
	var samples []float32
	return m.pace.Run(ctx, func(at time.Time, frames int) error {
		samples = slices.Grow(samples[:0], frames*m.sound.Channels)[:frames*m.sound.Channels]
		if err := m.sound.Read(samples, m.next); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		m.next = (m.next + int64(frames)) % m.sound.Frames
		pcm.Clean(samples)
		converted, err := converter.Convert(samples)
		if err == nil && len(converted) > 0 {
			take(converted, at)
		}
		return err
	})
}
