package sender

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/picture"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/source"
)

// jpeg takes a JPEG. Size and Huffman tables are those of its data.
func (s *Sender) jpeg(f *mediav1.VideoFrame, captured, now time.Time) error {
	shown, ok := s.pictures.Picture(picture.Picture{
		MediaType: media.JPEG, Data: [][]byte{f.GetData()}, Untimed: true, Arrival: now,
	}, captured)
	if !ok {
		return fmt.Errorf("video.data is not a baseline JPEG: %s", words(s.pictures.State().Waits))
	}
	for _, side := range []struct {
		field     string
		said, has int32
	}{
		{"width_px", f.GetFormat().GetWidthPx(), shown.Format.GetWidthPx()},
		{"height_px", f.GetFormat().GetHeightPx(), shown.Format.GetHeightPx()},
	} {
		if side.said != 0 && side.said != side.has {
			return fmt.Errorf("video.format.%s is %d, but that of the JPEG is %d: say what the JPEG has, or leave it out",
				side.field, side.said, side.has)
		}
	}
	if s.format == nil || !sameSize(s.format, shown.Format) || s.format.GetMediaType() != media.JPEG {
		s.format = proto.CloneOf(shown.Format)
		s.format.FrameRateHz = f.GetFormat().GetFrameRateHz()
	}
	return s.stand(f, shown.Data, captured)
}

// picture takes a raw picture.
func (s *Sender) picture(f *mediav1.VideoFrame, captured time.Time) error {
	format := f.GetFormat()
	if err := CheckRaw(f); err != nil {
		return err
	}
	if s.format == nil || !proto.Equal(s.format, format) {
		s.format = &mediav1.VideoFormat{
			MediaType: media.Raw, PixelFormat: format.GetPixelFormat(), WidthPx: format.GetWidthPx(),
			HeightPx: format.GetHeightPx(), FrameRateHz: format.GetFrameRateHz(),
		}
	}
	return s.stand(f, f.GetData(), captured)
}

func sameSize(a, b *mediav1.VideoFormat) bool {
	return a.GetWidthPx() == b.GetWidthPx() && a.GetHeightPx() == b.GetHeightPx()
}

// stand passes on a picture that depends on no other.
func (s *Sender) stand(f *mediav1.VideoFrame, data []byte, captured time.Time) error {
	if s.Info().Current != s.format {
		s.describe()
	}
	picture := source.Frame{Format: s.format, Data: data, Time: captured, Key: true, Metadata: f.GetMetadata()}
	s.mu.Lock()
	s.newest, s.came = picture, time.Now()
	s.mu.Unlock()
	s.show(picture)
	return nil
}

// describe tells of pictures that stand alone. The attributes of video that came before are taken back.
func (s *Sender) describe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = source.Info{
		Native: []*mediav1.VideoFormat{s.format}, Current: s.format,
		Attributes: map[string]string{
			"profile": "", "passes": "", "key_frame_interval": "", "key_frame_request": "", "key_frame_warning": "",
		},
	}
}

// fresh is how old the newest picture may be to be what a capture begins with: a program that sends a picture a second
// need not be waited for.
const fresh = time.Second

// captureAlone delivers pictures from the newest on, and loses all but the newest.
func (s *Sender) captureAlone(ctx context.Context, deliver func(source.Frame)) error {
	queue := s.frames.Subscribe(stream.Latest())
	defer queue.Close()
	s.mu.Lock()
	newest, age := s.newest, time.Since(s.came)
	s.mu.Unlock()
	if age <= fresh {
		deliver(newest)
	}
	var gap source.Gap
	return gap.Relay(ctx, queue, func() {}, deliver)
}
