package hearing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"gopkg.in/hraban/opus.v2"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/convert"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const (
	maxData = 1 << 20 // bytes in a piece of sound
	// Of Opus packets, in samples.
	shortestPacket, longestPacket = 120, 5760
	longestPiece                  = time.Second
)

// Channels returns how many channels the sound of a message has, 1 if it is none.
func Channels(message []byte) int {
	f, err := parse(message)
	if err != nil {
		return 1
	}
	return int(f.GetFormat().GetChannels())
}

// parse reads a message of the channel.
func parse(message []byte) (*mediav1.AudioFrame, error) {
	f := &mediav1.AudioFrame{}
	if err := proto.Unmarshal(message, f); err != nil {
		return nil, fmt.Errorf("it is not an AudioFrame: %w", err)
	}
	switch n := len(f.GetData()); {
	case n == 0:
		return nil, errors.New("it has no data")
	case n > maxData:
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", n, maxData)
	case f.GetCaptureTime().CheckValid() != nil:
		return nil, errors.New("its capture_time is missing or not valid")
	case f.GetSequence() < 0 || f.GetSampleIndex() < 0:
		return nil, errors.New("its sequence or sample_index is negative")
	}
	if err := pcm.Validate(f.GetFormat()); err != nil {
		return nil, err
	}
	count := f.GetSampleCount()
	if f.GetFormat().GetMediaType() == pcm.Opus {
		if count < shortestPacket || count > longestPacket {
			return nil, fmt.Errorf("its sample_count is %d, must be %d to %d", count, shortestPacket, longestPacket)
		}
		return f, nil
	}
	samples, err := pcm.Decode(nil, f.GetFormat(), f.GetData(), int(count))
	if err != nil {
		return nil, err
	}
	if f.SampleCount = int32(len(samples)) / f.GetFormat().GetChannels(); formatOf(f).Duration(int64(f.SampleCount)) > longestPiece {
		return nil, fmt.Errorf("it lasts longer than %v", longestPiece)
	}
	return f, nil
}

func formatOf(f *mediav1.AudioFrame) pcm.Format {
	return pcm.Format{Rate: int(f.GetFormat().GetSampleRateHz()), Channels: int(f.GetFormat().GetChannels())}
}

// head reads the tape, a card.Microphone.
type head struct{ of *Microphone }

// Capture implements card.Microphone.
func (h *head) Capture(ctx context.Context, take func(samples []float32, at time.Time)) error {
	packets := h.of.packets.Subscribe(stream.DropOldest(maxQueue))
	defer packets.Close()
	d := &decoder{to: h.of.format}
	defer d.close()
	for {
		f, err := packets.Next(ctx)
		if err != nil {
			return nil // ctx has ended: nobody closes the topic
		}
		samples, err := d.decode(f)
		if err != nil {
			h.of.unusable.Inc()
			continue
		}
		if len(samples) > 0 {
			take(samples, f.GetReplayTime().AsTime().Add(-d.silence()))
		}
	}
}

// decoder decodes the packets of one listener's format.
type decoder struct {
	to        pcm.Format
	opus      *opus.Decoder
	converter *convert.Converter
	from      pcm.Format

	epoch, due int64 // epoch, and index of the next sample
	filled     int64 // samples of silence before the last packet
	buffer     []float32
}

func (d *decoder) close() {
	if d.converter != nil {
		d.converter.Close()
	}
}

// silence is how long it was silent before the last packet.
func (d *decoder) silence() time.Duration { return d.from.Duration(d.filled) }

// decode returns what a packet holds, after silence in place of what is missing before it. It is valid until the next
// call.
func (d *decoder) decode(f *mediav1.AudioFrame) ([]float32, error) {
	if err := d.tune(f); err != nil {
		return nil, err
	}
	d.filled = 0
	if gap := f.GetSampleIndex() - d.due; f.GetEpoch() == d.epoch && gap > 0 && d.from.Duration(gap) <= capture.Jump {
		d.filled = gap
	}
	d.epoch, d.due = f.GetEpoch(), f.GetSampleIndex()+int64(f.GetSampleCount())
	before := int(d.filled) * d.from.Channels
	if need := before + longestPacket*d.from.Channels; len(d.buffer) < need {
		d.buffer = make([]float32, need)
	}
	clear(d.buffer[:before])
	var samples []float32
	if d.opus == nil {
		all, err := pcm.Decode(d.buffer[:before], f.GetFormat(), f.GetData(), int(f.GetSampleCount()))
		if err != nil {
			return nil, err
		}
		samples = all
	} else {
		n, err := d.opus.DecodeFloat32(f.GetData(), d.buffer[before:])
		if err != nil {
			return nil, fmt.Errorf("opus packet: %w", err)
		}
		samples = d.buffer[:before+n*d.from.Channels]
	}
	pcm.Clean(samples)
	return d.converter.Convert(samples)
}

// tune makes a decoder and a converter for a packet, if those that there are do not fit.
func (d *decoder) tune(f *mediav1.AudioFrame) (err error) {
	from, isOpus := formatOf(f), f.GetFormat().GetMediaType() == pcm.Opus
	if isOpus {
		from.Rate = pcm.OpusRate
	}
	if d.converter != nil && from == d.from && isOpus == (d.opus != nil) {
		return nil
	}
	d.close()
	d.opus, d.converter, d.from = nil, nil, from
	if isOpus {
		if d.opus, err = opus.NewDecoder(from.Rate, from.Channels); err != nil {
			return fmt.Errorf("opus decoder: %w", err)
		}
	}
	d.converter, err = convert.New(from, d.to)
	return err
}
