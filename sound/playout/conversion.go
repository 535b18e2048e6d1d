package playout

import (
	"fmt"
	"iter"
	"slices"

	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
	"github.com/waldo-robot/waldo/sound/samplerate"
)

// mostConverted is how many frames are converted at a time; it is even.
const mostConverted = 4096

// conversion brings what is written to a feed into the format of the speaker. What its methods return is good until the
// next call.
type conversion struct {
	rate, channels int // of the speaker

	format    *mediav1.AudioFormat
	decoder   *opus.Decoder         // of Opus
	converter *samplerate.Converter // if the rates differ
	decoded   []float32
	mixed     []float32
	converted []float32
}

// setFormat prepares for sound in another format.
func (c *conversion) setFormat(format *mediav1.AudioFormat) (err error) {
	if err := pcm.Validate(format); err != nil {
		return err
	}
	var decoder *opus.Decoder
	if format.GetMediaType() == pcm.Opus {
		if decoder, err = opus.NewDecoder(pcm.OpusRate, int(format.GetChannels())); err != nil {
			return fmt.Errorf("opus decoder: %w", err)
		}
	}
	var converter *samplerate.Converter
	if int(format.GetSampleRateHz()) != c.rate {
		if converter, err = samplerate.New(c.channels, samplerate.Fast); err != nil {
			return err
		}
	}
	c.format, c.decoder, c.converter = format, decoder, converter
	return nil
}

// pieces are what has been decoded, in parts that can be converted one after the other, so that nothing large is made
// of a large frame.
func (c *conversion) pieces() iter.Seq[[]float32] {
	return slices.Chunk(c.decoded, mostConverted*int(c.format.GetChannels()))
}

// convert returns what becomes of a piece.
func (c *conversion) convert(piece []float32) ([]float32, error) {
	c.mixed = pcm.Mix(c.mixed[:0], piece, int(c.format.GetChannels()), c.channels)
	return c.resample(c.mixed, false)
}

// decode makes samples of a frame. They may be anything that floating point can say.
func (c *conversion) decode(frame *mediav1.AudioFrame) (err error) {
	if c.format == nil {
		return fmt.Errorf("%w: the first frame has none", pcm.ErrFormat)
	}
	if c.decoder == nil {
		c.decoded, err = pcm.Decode(c.decoded[:0], c.format, frame.GetData(), int(frame.GetSampleCount()))
		return err
	}
	channels := int(c.format.GetChannels())
	if c.decoded = c.decoded[:cap(c.decoded)]; len(c.decoded) < longestPacket*channels {
		c.decoded = make([]float32, longestPacket*channels)
	}
	n, err := c.decoder.DecodeFloat32(frame.GetData(), c.decoded[:longestPacket*channels:longestPacket*channels])
	if err != nil {
		return fmt.Errorf("%w: data is not an Opus packet: %w", pcm.ErrFormat, err)
	}
	c.decoded = c.decoded[:n*channels]
	return nil
}

// rest returns what the filter still holds, after which it is ready for the next sound.
func (c *conversion) rest() ([]float32, error) {
	if c.converter == nil {
		return nil, nil
	}
	defer c.converter.Reset()
	return c.resample(nil, true)
}

func (c *conversion) resample(samples []float32, end bool) ([]float32, error) {
	if c.converter == nil {
		return samples, nil
	}
	ratio := float64(c.rate) / float64(c.format.GetSampleRateHz())
	c.converted = c.converted[:0]
	for {
		n := len(c.converted)
		c.converted = append(c.converted, make([]float32, mostConverted)...)
		used, made, err := c.converter.Process(samples, c.converted[n:], ratio, end)
		if err != nil {
			return nil, err
		}
		samples, c.converted = samples[used:], c.converted[:n+made]
		if used+made == 0 || made < mostConverted && len(samples) == 0 {
			return c.converted, nil
		}
	}
}
