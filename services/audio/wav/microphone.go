package wav

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/convert"
	"github.com/waldo-robot/waldo/services/audio/pace"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// OpenMicrophone makes a microphone of a file, which hears it over and over, in real time. Blocks are about as long as so many
// frames of the wanted format; 0 means 10 ms.
func OpenMicrophone(path string, format pcm.Format, block int) (card.Card, error) {
	file, err := os.Open(path)
	if err != nil {
		return card.Card{}, openError(path, err)
	}
	sound, err := parse(file)
	if err != nil {
		return card.Card{}, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	m := &microphone{path: path, sound: sound, format: format, block: max(1, sound.framesFor(block, format))}
	return card.Card{
		Microphone: m, Close: file.Close,
		Attributes: map[string]string{"microphone": path, "microphone_format": sound.Format.String()},
	}, nil
}

// framesFor is how many frames of the sound last as long as block frames of format.
func (s *Sound) framesFor(block int, format pcm.Format) int {
	if block == 0 {
		return s.Format.Frames(10 * time.Millisecond)
	}
	return block * s.Rate / format.Rate
}

func parse(file *os.File) (*Sound, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, bad("it is no file")
	}
	return Parse(file, info.Size())
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no file %s", card.ErrAway, path)
	}
	return fmt.Errorf("%w: %w", card.ErrAway, err)
}

type microphone struct {
	path   string
	sound  *Sound
	format pcm.Format
	block  int
	next   int64 // it goes on from one Capture to the next
}

// Capture implements card.Microphone.
func (m *microphone) Capture(ctx context.Context, take func([]float32, time.Time)) error {
	converter, err := convert.New(m.sound.Format, m.format)
	if err != nil {
		return err
	}
	defer converter.Close()
	samples := make([]float32, m.block*m.sound.Channels)
	return pace.Run(ctx, m.sound.Format, m.block, func(at time.Time) error {
		if err := m.sound.Read(samples, m.next); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		m.next = (m.next + int64(m.block)) % m.sound.Frames
		pcm.Clean(samples)
		converted, err := converter.Convert(samples)
		if err == nil && len(converted) > 0 {
			take(converted, at)
		}
		return err
	})
}
