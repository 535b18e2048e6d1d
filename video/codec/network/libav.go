//go:build !nolibav

package network

import (
	"errors"
	"time"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/libav"
	"github.com/waldo-robot/waldo/video/source"
)

// extend gives a codec of package standard the decoder of libavcodec.
func extend(c codec.Codec) codec.Codec {
	switch c.MediaType {
	case media.H264:
		c.NewDecoder = newDecoder(media.H264)
	case media.JPEG:
		first := c.NewDecoder
		c.NewDecoder = func() codec.Decoder { return jpegDecoder{first(), newDecoder(media.JPEG)} }
	}
	return c
}

// more are the codecs that package standard has not.
func more() []codec.Codec {
	return []codec.Codec{
		{MediaType: media.H265, NewDecoder: newDecoder(media.H265)},
		{MediaType: media.MPEG4, NewDecoder: newDecoder(media.MPEG4)},
	}
}

// decoder skips what comes before the first key frame.
type decoder struct{ *libav.Decoder }

func newDecoder(mediaType string) func() codec.Decoder {
	return func() codec.Decoder {
		d, err := libav.NewDecoder(mediaType)
		if err != nil {
			panic(err) // it has all that are named here
		}
		return decoder{d}
	}
}

func (d decoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, at, err := d.Decoder.Decode(f.Data, f.Key, f.Time)
	if errors.Is(err, libav.ErrNeedKey) {
		return nil, time.Time{}, nil
	}
	return img, at, err
}

// jpegDecoder asks a second decoder if the first, which is faster, refuses a picture.
type jpegDecoder struct {
	codec.Decoder
	second func() codec.Decoder
}

func (d jpegDecoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, at, err := d.Decoder.Decode(f)
	if err == nil {
		return img, at, nil
	}
	second := d.second()
	defer func() { _ = second.Close() }() // frees memory only
	if img, at, also := second.Decode(f); also == nil && img != nil {
		return img, at, nil
	}
	return nil, time.Time{}, err
}
