package sender

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	peerv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/peer/v1"
	"github.com/waldo-robot/waldo/pkg/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FuzzFrame: what passes the check is taken or refused, whatever it is, and what is shown has the size that its format
// says.
func FuzzFrame(f *testing.F) {
	for _, frame := range []*mediav1.VideoFrame{
		{},
		{Data: []byte{1}, Format: &mediav1.VideoFormat{MediaType: media.H264}},
		{Data: []byte{0x9d, 1, 0x2a}, Format: &mediav1.VideoFormat{MediaType: media.VP8}},
		{Data: []byte{0xff, 0xd8, 0xff, 0xd9}, Format: &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 3}},
		{Data: make([]byte, 12), Format: &mediav1.VideoFormat{
			MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 2, HeightPx: 2}},
		{Data: make([]byte, 9), Metadata: map[string]string{"a": "b"}, Format: &mediav1.VideoFormat{
			MediaType: media.Raw, PixelFormat: media.PixelI420, WidthPx: 2, HeightPx: 3}},
	} {
		data, err := proto.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame mediav1.VideoFrame
		if proto.Unmarshal(data, &frame) != nil || Check(&frame) != nil {
			return
		}
		s := New(&peerv1.Publisher{}, func() {})
		defer s.End("the test is over")
		if s.Video(&frame) != nil || s.Waits() != "" {
			return
		}
		if format := s.Info().Current; format.GetMediaType() == media.Raw && len(frame.GetData()) != media.FrameSize(format) {
			t.Errorf("%v for %d bytes", format, len(frame.GetData()))
		}
	})
}
