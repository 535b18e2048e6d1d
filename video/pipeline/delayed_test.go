package pipeline

import (
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// late is a decoder that gives each picture one frame late, as with B frames. A picture shows the first byte of its
// frame.
type late struct{ last *source.Frame }

func (d *late) Decode(f source.Frame) (*media.I420, time.Time, error) {
	last := d.last
	d.last = &f
	if last == nil {
		return nil, time.Time{}, nil
	}
	img := media.NewI420(64, 48)
	img.Y[0] = last.Data[0]
	return img, last.Time, nil
}

func (d *late) Close() error { return nil }

// Pictures that are decoded late keep the time at which they were captured, and frames that pass through keep theirs.
func TestPicturesThatComeLateKeepTheirTime(t *testing.T) {
	raw, _ := standard.Codecs().Find(media.Raw)
	delayed := codec.Codec{MediaType: media.H264, NewDecoder: func() codec.Decoder { return &late{} }}
	codecs := codec.Set{Codecs: []codec.Codec{raw, delayed}}
	f := &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 64, HeightPx: 48, FrameRateHz: 25}
	m := newManual(f)
	r := run(t, m, Config{Codecs: codecs})
	decoded := r.open(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
	passed := r.open(t, h264())
	m.expect(t, true)
	base := time.Now().Truncate(time.Millisecond)
	var times []time.Time
	for i, place := range []int{0, 3, 1, 2, 6, 4, 5} { // in the order of a stream with B frames
		times = append(times, base.Add(time.Duration(place)*40*time.Millisecond))
		m.give(t, source.Frame{Format: f, Time: times[i], Data: []byte{byte(10 + i)}, Key: i == 0})
		if got := next(t, passed); !got.GetCaptureTime().AsTime().Equal(times[i]) {
			t.Errorf("frame %d passes with time %v", i, got.GetCaptureTime().AsTime().Sub(base))
		}
		if i == 0 {
			continue
		}
		got := next(t, decoded)
		if at := got.GetCaptureTime().AsTime(); !at.Equal(times[i-1]) || got.GetData()[0] != byte(10+i-1) {
			t.Errorf("after frame %d: picture %d with time %v", i, got.GetData()[0]-10, at.Sub(base))
		}
	}
}
