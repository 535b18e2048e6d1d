package capture

import (
	"cmp"
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// maxBlock is the longest frame of raw sound that can be asked for, in samples of one channel.
const maxBlock = 48_000

// key identifies a variant.
type key struct {
	mediaType, sampleFormat string
	pcm.Format
	block int // frames in each
}

// live is the variant that the bus carries.
func (p *Pipeline) live() key {
	format := pcm.Format{Rate: pcm.OpusRate, Channels: p.config.Format.Channels}
	return key{mediaType: pcm.Opus, Format: format, block: format.Frames(p.config.Opus.Packet)}
}

// resolve makes a key of what a listener asked for.
func (p *Pipeline) resolve(want *mediav1.AudioFormat, blockSamples int) (key, error) {
	f := &mediav1.AudioFormat{
		MediaType: cmp.Or(want.GetMediaType(), pcm.Opus), SampleFormat: want.GetSampleFormat(),
		SampleRateHz: want.GetSampleRateHz(), Channels: cmp.Or(want.GetChannels(), int32(p.config.Format.Channels)),
	}
	if f.MediaType == pcm.Opus {
		f.SampleRateHz = cmp.Or(f.SampleRateHz, pcm.OpusRate)
	} else {
		f.SampleFormat, f.SampleRateHz = cmp.Or(f.SampleFormat, pcm.S16LE), cmp.Or(f.SampleRateHz,
			int32(p.config.Format.Rate))
	}
	if err := pcm.Validate(f); err != nil {
		return key{}, err
	}
	if blockSamples < 0 || blockSamples > maxBlock {
		return key{}, fmt.Errorf("%w: block_samples is %d, must be 0 (as captured) to %d", pcm.ErrFormat, blockSamples,
			maxBlock)
	}
	k := key{f.MediaType, f.SampleFormat, pcm.Format{Rate: int(f.SampleRateHz), Channels: int(f.Channels)}, blockSamples}
	switch {
	case k.mediaType == pcm.Opus:
		k.block = k.Frames(p.config.Opus.Packet)
	case k.block == 0:
		k.block = max(1, p.config.Block*k.Rate/p.config.Format.Rate)
	}
	return k, nil
}

// message is the format as frames carry it.
func (k key) message() *mediav1.AudioFormat {
	return &mediav1.AudioFormat{
		MediaType: k.mediaType, SampleFormat: k.sampleFormat, SampleRateHz: int32(k.Rate), Channels: int32(k.Channels),
	}
}

// queue is how many frames of so many samples may wait.
func (k key) queue() int { return max(4, k.Frames(maxDelay)/k.block) }

// Opus configures the encoder. The zero value works.
type Opus struct {
	Bitrate int  // bit/s; default 32000 a channel
	NoFEC   bool // leave out the copies that make up for lost packets
	// percent; default 10, from which on a voice always has a copy in the next packet; negative for none
	ExpectedLoss int
	DTX          bool          // send next to nothing while it is silent
	Complexity   int           // how hard the encoder tries, 1 to 10; default 5, negative for 0
	Packet       time.Duration // 10, 20, 40 or 60 ms; default 20 ms
}

func (o Opus) complete() Opus {
	o.ExpectedLoss = max(0, cmp.Or(o.ExpectedLoss, 10))
	o.Packet = cmp.Or(o.Packet, 20*time.Millisecond)
	o.Complexity = max(0, cmp.Or(o.Complexity, 5))
	return o
}
