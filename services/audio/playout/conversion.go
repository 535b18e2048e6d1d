package playout

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/services/audio/pcm"
	"github.com/waldo-robot/waldo/services/audio/samplerate"
)

// conversion brings what is written to a feed into the format of the speaker. What its methods return is good until the next call.
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
func (c *conversion) setFormat(format *mediav1.AudioFormat) error {
	if err := pcm.Validate(format); err != nil {
		return err
	}
	c.format, c.decoder, c.converter = format, nil, nil
	var err error
	if format.GetMediaType() == pcm.Opus {
		if c.decoder, err = opus.NewDecoder(pcm.OpusRate, int(format.GetChannels())); err != nil {
			return fmt.Errorf("opus decoder: %w", err)
		}
	}
	if int(format.GetSampleRateHz()) != c.rate {
		c.converter, err = samplerate.New(c.channels, samplerate.Fast)
	}
	return err
}

// convert returns the sound of a frame.
func (c *conversion) convert(frame *mediav1.AudioFrame) ([]float32, error) {
	if f := frame.GetFormat(); f != nil && !proto.Equal(f, c.format) {
		if err := c.setFormat(proto.CloneOf(f)); err != nil {
			return nil, err
		}
	}
	if c.format == nil {
		return nil, fmt.Errorf("%w: the first frame has none", pcm.ErrFormat)
	}
	if err := c.decode(frame); err != nil {
		return nil, err
	}
	pcm.Clean(c.decoded)
	c.mixed = pcm.Mix(c.mixed[:0], c.decoded, int(c.format.GetChannels()), c.channels)
	return c.resample(c.mixed, false)
}

func (c *conversion) decode(frame *mediav1.AudioFrame) (err error) {
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
		return fmt.Errorf("%w: data is no packet of Opus: %w", pcm.ErrFormat, err)
	}
	c.decoded = c.decoded[:n*channels]
	return nil
}

// rest returns what the filter still holds, after which it starts anew.
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
	const piece = 4096
	ratio := float64(c.rate) / float64(c.format.GetSampleRateHz())
	c.converted = c.converted[:0]
	for {
		n := len(c.converted)
		c.converted = append(c.converted, make([]float32, piece)...)
		used, made, err := c.converter.Process(samples, c.converted[n:], ratio, end)
		if err != nil {
			return nil, err
		}
		samples, c.converted = samples[used:], c.converted[:n+made]
		if used+made == 0 || made < piece && len(samples) == 0 {
			return c.converted, nil
		}
	}
}
