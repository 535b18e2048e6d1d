package pipeline

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// announced waits for the next announcement.
func announced(t *testing.T, a *Announcer) *mediav1.Capture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := a.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAnnounce: every frame that anybody gets was announced before, with the same time, whether it passes through or is
// decoded in another order.
func TestAnnounce(t *testing.T) {
	raw, _ := standard.Codecs().Find(media.Raw)
	delayed := codec.Codec{MediaType: media.H264, NewDecoder: func() codec.Decoder { return &late{} }}
	f := &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 64, HeightPx: 48, FrameRateHz: 25}
	m := newManual(f)
	r := run(t, m, Config{Codecs: codec.Set{Codecs: []codec.Codec{raw, delayed}}})
	a := r.Announce()
	t.Cleanup(a.Close)
	decoded := r.open(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
	passed := r.open(t, h264())
	m.expect(t, true)
	base := time.Now().Add(-time.Second)
	known := map[time.Time]bool{}
	for i, place := range []int{0, 3, 1, 2, 6, 4, 5} {
		at := base.Add(time.Duration(place) * 40 * time.Millisecond)
		m.give(t, source.Frame{Format: f, Time: at, Data: []byte{byte(i)}, Key: i == 0})
		c := announced(t, a)
		if !c.GetCaptureTime().AsTime().Equal(at) || c.GetEpoch() != 42 || c.GetAge().AsDuration() < 700*time.Millisecond ||
			c.GetAge().AsDuration() > time.Second+patience {
			t.Errorf("frame %d: %v", i, c)
		}
		known[c.GetCaptureTime().AsTime()] = true
		if got := next(t, passed).GetCaptureTime().AsTime(); !known[got] {
			t.Errorf("frame %d passes through with the time %v, which was not announced", i, got.Sub(base))
		}
		if i > 0 {
			if got := next(t, decoded).GetCaptureTime().AsTime(); !known[got] {
				t.Errorf("after frame %d a picture has the time %v, which was not announced", i, got.Sub(base))
			}
		}
	}
	a.Close()
	if _, err := a.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
}

// TestAnnouncingStartsNothing.
func TestAnnouncingStartsNothing(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	r := run(t, m, Config{})
	a := r.Announce()
	t.Cleanup(a.Close)
	if wanted := r.wanted.Wanted(); wanted {
		t.Error("it starts the capture")
	}
	r.open(t, h264())
	m.expect(t, true)
	m.snap(t, time.Now().Add(time.Hour)) // by a clock that was set meanwhile
	if age := announced(t, a).GetAge().AsDuration(); age != 0 {
		t.Errorf("a picture that is to come is %v old", age)
	}
}
