package v4l2

import (
	"errors"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/source"
)

// intake turns the driver's buffers into frames.
type intake struct {
	mode    mode
	format  *mediav1.VideoFormat
	deliver func(source.Frame)

	began bool
	next  uint32 // sequence expected
	lost  int    // pictures since the last one delivered
	keyed bool   // H.264: a key frame has been delivered
}

func (in *intake) take(b buffer) {
	if gap := int32(b.sequence - in.next); in.began && gap > 0 {
		in.lost += int(gap)
	}
	in.began, in.next = true, b.sequence+1
	f := source.Frame{Format: in.format, Time: b.time, Key: true}
	if b.damaged || in.fill(&f, b.data) != nil {
		in.lost++
		return
	}
	if f.Format.GetMediaType() == media.H264 {
		f.Key = annexb.IsKeyFrame(f.Data)
		if in.keyed = in.keyed || f.Key; !in.keyed {
			return
		}
	}
	f.Lost, in.lost = in.lost, 0
	in.deliver(f)
}

var errDamaged = errors.New("damaged picture")

// fill copies the picture out of the driver's memory, or converts it.
func (in *intake) fill(f *source.Frame, data []byte) error {
	l, _ := layoutOf(in.mode.fourcc)
	switch {
	case l.convert != nil:
		f.Picture = media.NewI420(in.mode.width, in.mode.height)
		return l.convert(f.Picture, data, in.mode.tight())
	case l.mediaType == media.JPEG:
		whole, ok := wholeJPEG(data)
		if !ok {
			return errDamaged
		}
		data = whole
	case l.mediaType == media.Raw:
		f.Stride = in.mode.tight()
		need := media.FrameSize(in.format)
		if len(data) < need {
			return errDamaged
		}
		if f.Stride == 0 {
			data = data[:need]
		}
	case len(data) == 0:
		return errDamaged
	}
	f.Data = append([]byte(nil), data...)
	return nil
}
