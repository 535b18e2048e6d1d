package pcm

import (
	"encoding/binary"
	"fmt"
	"math"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// sampleSize is how many bytes a sample takes.
func sampleSize(sampleFormat string) int {
	if sampleFormat == F32LE {
		return 4
	}
	return 2
}

// Decode appends the samples of raw data to dst. The error wraps ErrFormat: the format is impossible, the data is not a
// whole number of frames, or not as many as count. A count of 0 is not checked. Samples may be any floating-point
// value: see Clean.
func Decode(dst []float32, f *mediav1.AudioFormat, data []byte, count int) ([]float32, error) {
	if err := Validate(f); err != nil {
		return dst, err
	}
	if f.GetMediaType() != Raw {
		return dst, fieldError("media_type", "is %s, must be %s", f.GetMediaType(), Raw)
	}
	frame := sampleSize(f.GetSampleFormat()) * int(f.GetChannels())
	switch {
	case len(data)%frame != 0:
		return dst, fmt.Errorf("%w: data has %d bytes, must be a multiple of %d: %d channels of %s",
			ErrFormat, len(data), frame, f.GetChannels(), f.GetSampleFormat())
	case count != 0 && count != len(data)/frame:
		return dst, fieldError("sample_count", "is %d, but data holds %d; leave it out, or make it right", count,
			len(data)/frame)
	}
	if f.GetSampleFormat() == F32LE {
		for i := 0; i < len(data); i += 4 {
			dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(data[i:])))
		}
		return dst, nil
	}
	for i := 0; i < len(data); i += 2 {
		dst = append(dst, float32(int16(binary.LittleEndian.Uint16(data[i:])))/32768)
	}
	return dst, nil
}

// Encode appends samples to dst in a sample format. In S16LE samples beyond full scale become full scale, and NaN
// becomes 0; it never wraps.
func Encode(dst []byte, sampleFormat string, samples []float32) []byte {
	for _, s := range samples {
		if sampleFormat == F32LE {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(s))
		} else {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(toInt16(s)))
		}
	}
	return dst
}

func toInt16(s float32) int16 {
	if s != s {
		return 0
	}
	v := math.RoundToEven(float64(s) * 32768)
	return int16(min(max(v, math.MinInt16), math.MaxInt16))
}

// Clean makes samples harmless: NaN and infinite values become 0, and values beyond full scale become full scale. It
// returns how many of each there were.
func Clean(samples []float32) (invalid, clipped int) {
	for i, s := range samples {
		switch {
		case s >= -1 && s <= 1:
		case s != s || math.IsInf(float64(s), 0):
			samples[i] = 0
			invalid++
		default:
			samples[i] = float32(math.Copysign(1, float64(s)))
			clipped++
		}
	}
	return invalid, clipped
}

// Mix appends src, which has from channels, to dst as sound of so many channels, 1 or 2 each: two are averaged into
// one, one is doubled.
func Mix(dst, src []float32, from, to int) []float32 {
	switch {
	case from == to:
		return append(dst, src...)
	case from == 1:
		for _, s := range src {
			dst = append(dst, s, s)
		}
	default:
		for i := 0; i+1 < len(src); i += 2 {
			dst = append(dst, (src[i]+src[i+1])/2)
		}
	}
	return dst
}
