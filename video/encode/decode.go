package encode

import (
	"errors"
	"fmt"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/turbojpeg"
	"github.com/waldo-robot/waldo/video/yuv"
)

// Decoder turns the frames of one source into pictures. The zero value is ready. Frames of H.264 have to come all and in
// order, from one goroutine; for all others Decode may be called from any.
type Decoder struct {
	h264 *openh264.Decoder
}

// Decode returns the picture of a frame: fresh memory, or the frame's own. It is nil without an error when there is none
// yet, as in H.264 before the first key frame.
func (d *Decoder) Decode(f source.Frame) (*media.I420, error) {
	if f.Picture != nil {
		return f.Picture, nil
	}
	switch f.Format.GetMediaType() {
	case media.JPEG:
		return turbojpeg.Decode(f.Data)
	case media.H264:
		return d.decodeH264(f.Data)
	case media.Raw:
		return decodeRaw(f)
	}
	return nil, fmt.Errorf("decode: %w: media type %q", media.ErrFormat, f.Format.GetMediaType())
}

func (d *Decoder) decodeH264(data []byte) (*media.I420, error) {
	if d.h264 == nil {
		d.h264 = openh264.NewDecoder()
	}
	img, err := d.h264.Decode(data)
	if errors.Is(err, openh264.ErrNeedKey) {
		return nil, nil
	}
	return img, err
}

func decodeRaw(f source.Frame) (*media.I420, error) {
	w, h := int(f.Format.GetWidthPx()), int(f.Format.GetHeightPx())
	if f.Format.GetPixelFormat() == media.PixelI420 && f.Stride == 0 {
		return media.I420FromPacked(f.Data, w, h)
	}
	convert := map[string]func(*media.I420, []byte, int) error{
		media.PixelYUYV: yuv.YUYVToI420, media.PixelNV12: yuv.NV12ToI420, media.PixelBGR24: yuv.BGR24ToI420,
	}[f.Format.GetPixelFormat()]
	if convert == nil {
		return nil, fmt.Errorf("decode: %w: pixel format %q", media.ErrFormat, f.Format.GetPixelFormat())
	}
	img := media.NewI420(w, h)
	return img, convert(img, f.Data, f.Stride)
}

// Close frees the decoder, which is then as new.
func (d *Decoder) Close() error {
	if d.h264 == nil {
		return nil
	}
	err := d.h264.Close()
	d.h264 = nil
	return err
}
