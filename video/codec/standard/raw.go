package standard

import (
	"fmt"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/yuv"
)

func raw() codec.Codec {
	return codec.Codec{
		MediaType:    media.Raw,
		PixelFormats: []string{media.PixelI420, media.PixelYUYV, media.PixelNV12, media.PixelBGR24},
		NewEncoder:   func(f *mediav1.VideoFormat, _ codec.Options) (codec.Encoder, error) { return rawEncoder{f}, nil },
		NewDecoder:   func() codec.Decoder { return rawDecoder{} },
	}
}

type rawEncoder struct{ format *mediav1.VideoFormat }

func (e rawEncoder) Encode(img *media.I420, _ bool, _ time.Time) (p codec.Packet, err error) {
	if e.format.GetPixelFormat() == media.PixelI420 {
		return codec.Packet{Data: img.Packed(), Key: true}, nil
	}
	data := make([]byte, media.FrameSize(e.format))
	switch e.format.GetPixelFormat() {
	case media.PixelYUYV:
		err = yuv.I420ToYUYV(data, 0, img)
	case media.PixelNV12:
		err = yuv.I420ToNV12(data, 0, img)
	default:
		err = yuv.I420ToBGR24(data, 0, img)
	}
	return codec.Packet{Data: data, Key: true}, err
}

func (rawEncoder) Close() error { return nil }

type rawDecoder struct{}

func (rawDecoder) Decode(f source.Frame) (*media.I420, time.Time, error) {
	img, err := unpack(f)
	return img, f.Time, err
}

func unpack(f source.Frame) (*media.I420, error) {
	w, h := int(f.Format.GetWidthPx()), int(f.Format.GetHeightPx())
	if f.Format.GetPixelFormat() == media.PixelI420 && f.Stride == 0 {
		return media.I420FromPacked(f.Data, w, h)
	}
	convert := map[string]func(*media.I420, []byte, int) error{
		media.PixelYUYV: yuv.YUYVToI420, media.PixelNV12: yuv.NV12ToI420, media.PixelBGR24: yuv.BGR24ToI420,
	}[f.Format.GetPixelFormat()]
	if convert == nil {
		return nil, fmt.Errorf("decode: %w: pixel_format %q", media.ErrFormat, f.Format.GetPixelFormat())
	}
	img := media.NewI420(w, h)
	return img, convert(img, f.Data, f.Stride)
}

func (rawDecoder) Close() error { return nil }
