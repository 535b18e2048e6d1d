package standard

import (
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/turbojpeg"
)

func jpeg() codec.Codec {
	return codec.Codec{
		MediaType:  media.JPEG,
		NewEncoder: newJPEG,
		NewDecoder: func() codec.Decoder { return jpegDecoder{} },
	}
}

type jpegEncoder struct{ quality int }

func newJPEG(_ *mediav1.VideoFormat, o codec.Options) (codec.Encoder, error) {
	if o.JPEGQuality == 0 {
		o.JPEGQuality = codec.DefaultJPEGQuality
	}
	return jpegEncoder{o.JPEGQuality}, nil
}

func (e jpegEncoder) Encode(img *media.I420, _ bool, _ time.Time) (codec.Packet, error) {
	data, err := turbojpeg.Encode(img, e.quality)
	return codec.Packet{Data: data, Key: true}, err
}

func (jpegEncoder) Close() error { return nil }

type jpegDecoder struct{}

func (jpegDecoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, err := turbojpeg.Decode(f.Data)
	return img, f.Time, err
}

func (jpegDecoder) Close() error { return nil }
