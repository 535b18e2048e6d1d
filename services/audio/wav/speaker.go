package wav

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pace"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// OpenSpeaker makes a speaker that writes what it plays into a file, silence too, in real time. What the file held is
// gone. The file can be read while it grows: its header is right once a second. Blocks are of so many frames; 0 means
// 10 ms.
func OpenSpeaker(path string, format pcm.Format, block int) (card.Card, error) {
	file, err := os.Create(path)
	if err != nil {
		return card.Card{}, fmt.Errorf("%w: %w", device.ErrAway, err)
	}
	if block == 0 {
		block = format.Frames(10 * time.Millisecond)
	}
	s := &speaker{file: file, format: format, block: block}
	if err := s.writeHeader(); err != nil {
		return card.Card{}, errors.Join(err, file.Close())
	}
	return card.Card{
		Speaker: s, Attributes: map[string]string{"speaker": path},
		Close: func() error { return errors.Join(s.writeHeader(), file.Close()) },
	}, nil
}

type speaker struct {
	file   *os.File
	format pcm.Format
	block  int
	length uint32 // bytes of sound
	told   uint32 // of them in the header
}

// Play implements card.Speaker.
func (s *speaker) Play(ctx context.Context, fill func([]float32)) error {
	samples := make([]float32, s.block*s.format.Channels)
	var raw []byte
	steps := pace.Pace{Format: s.format, Block: s.block}
	return steps.Run(ctx, func(time.Time, int) error {
		fill(samples)
		raw = pcm.Encode(raw[:0], pcm.S16LE, samples)
		return s.write(raw)
	})
}

func (s *speaker) write(raw []byte) error {
	if uint64(s.length)+uint64(len(raw)) > math.MaxUint32-headerSize {
		return fmt.Errorf("%s is full: a WAV file holds 4 GiB", s.file.Name())
	}
	if _, err := s.file.WriteAt(raw, headerSize+int64(s.length)); err != nil {
		return err
	}
	s.length += uint32(len(raw))
	if second := uint32(2 * s.format.Rate * s.format.Channels); s.length-s.told >= second {
		return s.writeHeader()
	}
	return nil
}

func (s *speaker) writeHeader() error {
	_, err := s.file.WriteAt(header(s.format, s.length), 0)
	s.told = s.length
	return err
}
