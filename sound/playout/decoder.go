package playout

import (
	"fmt"

	"gopkg.in/hraban/opus.v2"

	"github.com/waldo-robot/waldo/sound/pcm"
)

// Lengths in frames at 48 kHz.
const (
	millisecond    = pcm.OpusRate / 1000
	shortestPacket = 5 * millisecond / 2
	longestPacket  = 120 * millisecond
	standardPacket = 20 * millisecond
)

// decoder decodes the packets of one talker, at 48 kHz and for so many channels, whatever they were encoded with.
type decoder struct {
	opus     *opus.Decoder
	channels int
	buffer   []float32 // what its methods return is here
}

func newDecoder(channels int) (*decoder, error) {
	o, err := opus.NewDecoder(pcm.OpusRate, channels)
	if err != nil {
		return nil, fmt.Errorf("opus decoder: %w", err)
	}
	return &decoder{opus: o, channels: channels, buffer: make([]float32, longestPacket*channels)}, nil
}

// packet decodes one packet.
func (d *decoder) packet(data []byte) ([]float32, error) {
	n, err := d.opus.DecodeFloat32(data, d.buffer)
	if err != nil {
		return nil, fmt.Errorf("opus packet: %w", err)
	}
	return d.clean(n), nil
}

// before decodes the copy of the packet before that one, frames long.
func (d *decoder) before(data []byte, frames int) ([]float32, error) {
	n := frames * d.channels
	if err := d.opus.DecodeFECFloat32(data, d.buffer[:n:n]); err != nil {
		return nil, fmt.Errorf("opus packet: %w", err)
	}
	return d.clean(frames), nil
}

// madeUp returns sound that goes on from what was before, frames long.
func (d *decoder) madeUp(frames int) []float32 {
	n := frames * d.channels
	if n == 0 {
		return nil
	}
	if d.opus.DecodePLCFloat32(d.buffer[:n:n]) != nil {
		return d.silence(frames)
	}
	return d.clean(frames)
}

func (d *decoder) silence(frames int) []float32 {
	clear(d.buffer[:frames*d.channels])
	return d.buffer[:frames*d.channels]
}

func (d *decoder) clean(frames int) []float32 {
	samples := d.buffer[:frames*d.channels]
	pcm.Clean(samples)
	return samples
}

// carriesCopy reports whether a packet carries a copy of the one before, RFC 6716 sections 3.1, 3.2, 4.2.3 and 4.2.4.
// Of packets of three or more Opus frames, which nobody sends live, it reports that they do not.
func carriesCopy(data []byte) bool {
	if len(data) < 2 || data[0] >= 128 { // from 128 on it is CELT, which has no copies
		return false
	}
	first := 1 // where the first frame begins
	switch data[0] & 3 {
	case 2:
		if data[1] >= 252 {
			first++
		}
		first++
	case 3:
		return false
	}
	if first >= len(data) {
		return false
	}
	frames := 1 // of 20 ms, each with a flag of its own before that of the copy
	if config := data[0] >> 3; config < 12 {
		frames = max(int(config&3), 1)
	}
	mono := data[first]>>(7-frames)&1 == 1
	stereo := data[0]&4 != 0 && data[first]>>(6-2*frames)&1 == 1
	return mono || stereo
}
