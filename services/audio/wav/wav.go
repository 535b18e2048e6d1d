// Package wav reads and writes WAV files, and makes a microphone of one that is played over and over, and a speaker of
// one that records.
//
// It reads linear PCM of 16, 24 and 32 bits and 32-bit floating point, mono and stereo, also in RF64 files; it writes
// 16-bit PCM. Programs that write into a pipe, or were killed, leave the sizes in a file at 0 or at the largest number:
// its sound then lasts to the end of the file.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pcm"
)

const (
	codePCM        = 1
	codeFloat      = 3
	codeExtensible = 0xFFFE
	headerSize     = 44 // of what is written here
	maxChunks      = 1000
)

// magics begin a file: the second and third mean that a chunk "ds64" has the true sizes.
var magics = []string{"RIFF", "RF64", "BW64"}

// remedy is for files of other kinds.
const remedy = "convert it with ffmpeg -i FILE -c:a pcm_s16le OUT.wav"

// Sound is an open WAV. It belongs to one goroutine.
type Sound struct {
	pcm.Format
	Frames int64 // how many there are

	data  io.ReaderAt
	whole int64 // bytes of the file, as its head has them
	at    int64 // of the first frame
	bits  int
	float bool
	raw   []byte
}

// Parse reads the header of a WAV of so many bytes. The errors wrap card.ErrNotSound and name the problem.
func Parse(from io.ReaderAt, size int64) (*Sound, error) {
	var head [12]byte
	if _, err := from.ReadAt(head[:], 0); err != nil || string(head[8:]) != "WAVE" ||
		!slices.Contains(magics, string(head[:4])) {
		return nil, bad("it does not begin as a WAV file does: %s", remedy)
	}
	s := &Sound{data: from, whole: int64(binary.LittleEndian.Uint32(head[4:])) + 8}
	wide := int64(0) // length of the sound in an RF64 file
	for at, n := int64(len(head)), 0; at+8 <= size && n < maxChunks; n++ {
		var chunk [8]byte
		if _, err := from.ReadAt(chunk[:], at); err != nil {
			return nil, bad("it cannot be read: %v", err)
		}
		length := int64(binary.LittleEndian.Uint32(chunk[4:]))
		at += int64(len(chunk))
		switch string(chunk[:4]) {
		case "fmt ":
			if err := s.format(at, length); err != nil {
				return nil, err
			}
		case "ds64":
			var b [16]byte
			if _, err := from.ReadAt(b[:], at); err != nil {
				return nil, bad("it is cut off: %v", err)
			}
			wide = int64(min(binary.LittleEndian.Uint64(b[8:]), math.MaxInt64))
		case "data":
			if length == math.MaxUint32 && wide > 0 {
				length = wide
			}
			return s.found(at, length, size)
		}
		at += length + length%2
	}
	return nil, bad("it has no sound in it")
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", card.ErrNotSound, fmt.Sprintf(format, args...))
}

// format reads the chunk that describes the format of the sound.
func (s *Sound) format(at, length int64) error {
	var b [26]byte
	n, err := s.data.ReadAt(b[:max(0, min(int64(len(b)), length))], at)
	if n < 16 {
		return bad("its format is cut off")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return bad("it cannot be read: %v", err)
	}
	code := binary.LittleEndian.Uint16(b[:])
	if code == codeExtensible && n == len(b) {
		code = binary.LittleEndian.Uint16(b[24:])
	}
	s.Channels, s.Rate = int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint32(b[4:]))
	s.bits, s.float = int(binary.LittleEndian.Uint16(b[14:])), code == codeFloat
	switch {
	case code == codePCM && (s.bits == 16 || s.bits == 24 || s.bits == 32), code == codeFloat && s.bits == 32:
	default:
		return bad("its coding is %d with %d bits, must be linear PCM of 16, 24 or 32 bits or floating point of 32: %s",
			code, s.bits, remedy)
	}
	if s.Rate < pcm.MinRate || s.Rate > pcm.MaxRate {
		return bad("its rate is %d Hz, must be %d to %d", s.Rate, pcm.MinRate, pcm.MaxRate)
	}
	if s.Channels < 1 || s.Channels > pcm.MaxChannels {
		return bad("it has %d channels, must be 1 or %d: convert it with ffmpeg -ac %d", s.Channels, pcm.MaxChannels,
			pcm.MaxChannels)
	}
	return nil
}

// found notes where the sound is. A length that is not that of the file was never filled in.
func (s *Sound) found(at, length, size int64) (*Sound, error) {
	if s.Rate == 0 {
		return nil, bad("its sound comes before its format")
	}
	if filled := s.whole == size || s.whole == size-1; length == 0 && !filled {
		length = size - at
	}
	length = min(length, size-at)
	s.at, s.Frames = at, length/int64(s.frameSize())
	if s.Frames < 1 {
		return nil, bad("it has no sound in it")
	}
	return s, nil
}

func (s *Sound) frameSize() int { return s.bits / 8 * s.Channels }

// Read fills samples from a frame on, and goes on with the first one after the last.
func (s *Sound) Read(samples []float32, from int64) error {
	for len(samples) > 0 {
		from %= s.Frames
		n := min(len(samples), int(min(s.Frames-from, math.MaxInt32))*s.Channels)
		if need := n * s.bits / 8; cap(s.raw) < need {
			s.raw = make([]byte, need)
		}
		raw := s.raw[:n*s.bits/8]
		if k, err := s.data.ReadAt(raw, s.at+from*int64(s.frameSize())); k < len(raw) {
			return bad("it has become shorter: %v", err)
		}
		for i := range n {
			samples[i] = s.sample(raw[i*s.bits/8:])
		}
		from += int64(n / s.Channels)
		samples = samples[n:]
	}
	return nil
}

func (s *Sound) sample(b []byte) float32 {
	switch {
	case s.float:
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	case s.bits == 16:
		return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case s.bits == 24:
		return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
	}
	return float32(float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 31))
}

// header is the beginning of a file of 16-bit PCM with so many bytes of sound.
func header(f pcm.Format, length uint32) []byte {
	b := append(make([]byte, 0, headerSize), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, headerSize-8+length)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, codePCM)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.Channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*f.Rate*f.Channels))
	b = binary.LittleEndian.AppendUint16(b, uint16(2*f.Channels))
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, length)
}
