package pcm

import (
	"errors"
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
)

// Media types of an AudioFormat.
const (
	Opus = "audio/opus" // one packet, as RTP carries it
	Raw  = "audio/raw"  // uncompressed, laid out as the sample format says
)

// Sample formats of an AudioFormat whose media type is Raw.
const (
	S16LE = "S16LE" // signed 16-bit integers, little-endian
	F32LE = "F32LE" // 32-bit floating-point numbers, little-endian
)

// Limits of an AudioFormat.
const (
	MinRate     = 8000
	MaxRate     = 192_000
	MaxChannels = 2
	OpusRate    = 48_000 // Opus always counts in these
)

// ErrFormat is wrapped by every error about a format, or about data that does not fit its format.
var ErrFormat = errors.New("bad audio format")

// Format is how many samples there are in a second of sound.
type Format struct {
	Rate     int // frames a second
	Channels int
}

// Frames is how many whole frames fit into a stretch of time.
func (f Format) Frames(d time.Duration) int {
	seconds, rest := int64(d/time.Second), int64(d%time.Second)
	return int(seconds*int64(f.Rate) + rest*int64(f.Rate)/int64(time.Second))
}

// Duration is how long so many frames last.
func (f Format) Duration(frames int64) time.Duration {
	seconds, rest := frames/int64(f.Rate), frames%int64(f.Rate)
	return time.Duration(seconds)*time.Second + time.Duration(rest*int64(time.Second)/int64(f.Rate))
}

// String returns the format for people.
func (f Format) String() string {
	if f.Channels == 1 {
		return fmt.Sprintf("%d Hz mono", f.Rate)
	}
	return fmt.Sprintf("%d Hz stereo", f.Rate)
}

// Validate checks that a format is complete and possible. The error wraps ErrFormat and names the field and what it may
// be.
func Validate(f *mediav1.AudioFormat) error {
	switch f.GetMediaType() {
	case Opus:
		if f.GetSampleFormat() != "" {
			return fieldError("sample_format", "is %q, must be empty for %s", f.GetSampleFormat(), Opus)
		}
		if f.GetSampleRateHz() != OpusRate {
			return fieldError("sample_rate_hz", "is %d, must be %d for %s", f.GetSampleRateHz(), OpusRate, Opus)
		}
	case Raw:
		if f.GetSampleFormat() != S16LE && f.GetSampleFormat() != F32LE {
			return fieldError("sample_format", "is %q, must be %s or %s for %s", f.GetSampleFormat(), S16LE, F32LE, Raw)
		}
	default:
		return fieldError("media_type", "is %q, must be %s or %s", f.GetMediaType(), Opus, Raw)
	}
	if r := f.GetSampleRateHz(); r < MinRate || r > MaxRate {
		return fieldError("sample_rate_hz", "is %d, must be %d to %d", r, MinRate, MaxRate)
	}
	if c := f.GetChannels(); c < 1 || c > MaxChannels {
		return fieldError("channels", "is %d, must be 1 or %d", c, MaxChannels)
	}
	return nil
}

func fieldError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s", ErrFormat, field, fmt.Sprintf(format, args...))
}
