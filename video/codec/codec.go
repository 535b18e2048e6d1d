// Package codec is the contract between a pipeline and the codecs that work for it. It contains no codec and links no C
// library: a service that only passes pictures through builds with CGO_ENABLED=0, and one that encodes injects a [Set],
// usually the one of package standard.
//
// A codec is one entry of a Set, so a new one is a package that wraps its library and a file in package standard.
// Package codectest checks that an encoder keeps the contract.
//
// Nothing here is safe for concurrent use unless it says so. An Encoder and a Decoder may own memory outside Go: close
// them.
package codec

import (
	"fmt"
	"strings"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// Encoder makes one media type out of pictures of one size.
type Encoder interface {
	// Encode encodes one picture. With key it becomes a key frame, if the media type is inter-coded. No data and no error
	// mean that the encoder skipped the picture. The encoder does not use the data again, but it may share memory with
	// img.
	Encode(img *media.I420, key bool, at time.Time) (Packet, error)
	// Close frees the encoder. It may be called more than once.
	Close() error
}

// BitrateSetter is an Encoder whose target can change between two pictures.
type BitrateSetter interface {
	SetBitrate(bps int) error
}

// RateSetter is an Encoder that shares out its bit rate to the pictures of a second, and can be told when other many
// come from the next one on.
type RateSetter interface {
	SetRate(hz float64) error // 0 if it is not known
}

// Decoder turns the frames of one source into pictures.
type Decoder interface {
	// Decode takes a frame and returns a picture, fresh memory or the frame's own, and when that was captured. That is the
	// frame's picture, unless the stream has B frames: then pictures come a few frames late, in the order in which they
	// were captured, each with its own time. The picture is nil without an error if there is none yet, as before the first
	// key frame. Frames of an inter-coded media type have to come in the order of the stream and without a gap; what
	// cannot be decoded is an error, and decoding resumes at the next key frame.
	Decode(f source.Frame) (*media.I420, time.Time, error)
	// Close frees the decoder. It may be called more than once.
	Close() error
}

// Packet is one encoded picture.
type Packet struct {
	Data []byte
	Key  bool // decoding can begin here
}

// Options configure an encoder. The zero value works.
type Options struct {
	Bitrate     int // of inter-coded media types, in bit/s; 0 picks one for the size and rate
	JPEGQuality int // 1 to 100; 0 means DefaultJPEGQuality
}

// DefaultJPEGQuality is a good compromise: hardly a visible loss, at a tenth of the raw size.
const DefaultJPEGQuality = 85

// Codec is what is available for one media type.
type Codec struct {
	MediaType    string
	PixelFormats []string // of media.Raw, otherwise empty

	// Check reports what the encoder does not support in a complete format that passes media.Validate. The error wraps
	// media.ErrFormat and names the field. nil means that it supports everything.
	Check func(*mediav1.VideoFormat) error
	// NewEncoder returns an encoder for a format that passes Check. nil means that the media type cannot be encoded.
	NewEncoder func(*mediav1.VideoFormat, Options) (Encoder, error)
	// NewDecoder returns a decoder. nil means that the media type cannot be decoded, and Remedy may say what would help.
	NewDecoder func() Decoder
	Remedy     string
}

// Set is the set of codecs that a pipeline works with. The zero value has none: pictures pass through as the source
// compresses them. A Set is read only, so any number of goroutines may use it.
type Set struct {
	Codecs []Codec // in the order in which they are offered
	// Turn returns a picture, turned; img itself if there is nothing to do. It may be called from any goroutine.
	Turn func(img *media.I420, o Orientation) (*media.I420, error)
	// Scale fills dst with src stretched to dst's size. It may be called from any goroutine.
	Scale func(dst, src *media.I420) error
}

// Find returns the codec of a media type; false if there is none.
func (s Set) Find(mediaType string) (Codec, bool) {
	for _, c := range s.Codecs {
		if c.MediaType == mediaType {
			return c, true
		}
	}
	return Codec{}, false
}

// Encodable lists the media types that can be encoded.
func (s Set) Encodable() (types []string) {
	for _, c := range s.Codecs {
		if c.NewEncoder != nil {
			types = append(types, c.MediaType)
		}
	}
	return types
}

// Formats lists the formats that can be encoded, without a size and a rate.
func (s Set) Formats() (formats []*mediav1.VideoFormat) {
	for _, c := range s.Codecs {
		switch {
		case c.NewEncoder == nil:
		case c.PixelFormats == nil:
			formats = append(formats, &mediav1.VideoFormat{MediaType: c.MediaType})
		default:
			for _, pixels := range c.PixelFormats {
				formats = append(formats, &mediav1.VideoFormat{MediaType: c.MediaType, PixelFormat: pixels})
			}
		}
	}
	return formats
}

// Check reports whether a complete format can be encoded. The error wraps media.ErrFormat and names the field.
func (s Set) Check(f *mediav1.VideoFormat) error {
	c, _ := s.Find(f.GetMediaType())
	if c.NewEncoder == nil {
		return fmt.Errorf("%w: media_type is %q, must be %s", media.ErrFormat, f.GetMediaType(), list(s.Encodable()))
	}
	if err := media.Validate(f); err != nil || c.Check == nil {
		return err
	}
	return c.Check(f)
}

func list(types []string) string {
	if len(types) == 0 {
		return "that of the source, because this service does not encode"
	}
	return "one of " + strings.Join(types, ", ")
}

// NewEncoder returns an encoder for a format, or the error of Check.
func (s Set) NewEncoder(f *mediav1.VideoFormat, o Options) (Encoder, error) {
	if err := s.Check(f); err != nil {
		return nil, err
	}
	c, _ := s.Find(f.GetMediaType())
	return c.NewEncoder(f, o)
}

// Encodes reports whether pictures can be turned into frames of a media type.
func (s Set) Encodes(mediaType string) bool {
	c, _ := s.Find(mediaType)
	return c.NewEncoder != nil
}

// NewDecoder returns a decoder for a media type. The error wraps media.ErrFormat.
func (s Set) NewDecoder(mediaType string) (Decoder, error) {
	if err := s.CheckDecoder(mediaType); err != nil {
		return nil, err
	}
	c, _ := s.Find(mediaType)
	return c.NewDecoder(), nil
}

// CheckDecoder returns the error of NewDecoder: nil if frames of a media type can be turned into pictures.
func (s Set) CheckDecoder(mediaType string) error {
	switch c, _ := s.Find(mediaType); {
	case c.NewDecoder != nil:
		return nil
	case c.Remedy != "":
		return fmt.Errorf("%w: %s cannot be decoded by this service: %s", media.ErrFormat, mediaType, c.Remedy)
	}
	return fmt.Errorf("%w: %s cannot be decoded by this service", media.ErrFormat, mediaType)
}
