package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/annexb"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/source"
)

// native makes a source whose frames are H.264 already.
func native(t *testing.T, n int) (*manual, []source.Frame) {
	t.Helper()
	f := &mediav1.VideoFormat{MediaType: media.H264, WidthPx: 64, HeightPx: 48, FrameRateHz: 30}
	e, err := standard.Codecs().NewEncoder(f, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var frames []source.Frame
	for i := range n {
		img := media.NewI420(64, 48)
		for j := range img.Y {
			img.Y[j] = byte(16 + i*20)
		}
		packet, err := e.Encode(img, false, time.Unix(int64(i), 0))
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, source.Frame{Format: f, Time: time.Now(), Data: packet.Data, Key: packet.Key})
	}
	return newManual(f), frames
}

func TestNativeVideoPassesThrough(t *testing.T) {
	m, frames := native(t, 4)
	p := run(t, m, Config{})
	a := p.open(t, h264())
	m.expect(t, true)
	for i, f := range frames[:3] {
		m.give(t, f)
		if got := next(t, a); &got.GetData()[0] != &f.Data[0] || got.GetKeyFrame() != (i == 0) {
			t.Errorf("frame %d was not passed through untouched", i)
		}
	}
	// A late reader gets all that it needs to decode, at once.
	b := p.open(t, h264())
	for i := range 3 {
		if got := next(t, b); got.GetSequence() != int64(i) {
			t.Errorf("replay: sequence %d, want %d", got.GetSequence(), i)
		}
	}
	// Another format is made by decoding, for which what came since the key frame is still there.
	jpeg := p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG})
	m.give(t, frames[3])
	if got := next(t, b); got.GetSequence() != 3 {
		t.Errorf("after the replay: sequence %d", got.GetSequence())
	}
	if f := next(t, jpeg); f.GetFormat().GetWidthPx() != 64 {
		t.Errorf("got %v", f.GetFormat())
	}
	if err := p.RequestKeyFrame(t.Context(), usual); !errors.Is(err, ErrNative) {
		t.Errorf("RequestKeyFrame: %v", err)
	}
	if err := p.SetBitrate(100_000); !errors.Is(err, ErrNative) {
		t.Errorf("SetBitrate: %v", err)
	}
	if n := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.H264)); n != 0 {
		t.Errorf("%v frames were encoded", n)
	}
}

func TestOrientation(t *testing.T) {
	m := newManual(i420(64, 32, 30))
	p := run(t, m, Config{Orientation: codec.Orientation{FlipHorizontal: true, Rotate: 90}})
	r := p.open(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
	m.expect(t, true)
	img := media.NewI420(64, 32)
	img.Y[63] = 200 // top right, so top left in the mirror, and top right again after a turn to the right
	m.give(t, source.Frame{Format: m.format, Time: time.Now(), Picture: img, Key: true})
	f := next(t, r)
	if f.GetFormat().GetWidthPx() != 32 || f.GetFormat().GetHeightPx() != 64 || f.GetData()[31] != 200 {
		t.Errorf("got %v", f.GetFormat())
	}
}

func TestDamagedPicturesAreCountedAndLeftOut(t *testing.T) {
	m := newManual(&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 64, HeightPx: 48, FrameRateHz: 30})
	p := run(t, m, Config{})
	r := p.open(t, h264())
	m.expect(t, true)
	m.give(t, source.Frame{Format: m.format, Time: time.Now(), Data: []byte("no picture"), Key: true, Lost: 3})
	e, err := standard.Codecs().NewEncoder(m.format, codec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good, err := e.Encode(media.NewI420(64, 48), true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for testutil.ToFloat64(p.metrics.dropped.WithLabelValues(dropBroken)) == 0 {
		time.Sleep(time.Millisecond) // the next picture would take the place of the bad one
	}
	m.give(t, source.Frame{Format: m.format, Time: time.Now(), Data: good.Data, Key: true})
	if f := next(t, r); !annexb.IsKeyFrame(f.GetData()) {
		t.Error("the next picture was no key frame")
	}
	if n := testutil.ToFloat64(p.metrics.dropped.WithLabelValues(dropSource)); n != 3 {
		t.Errorf("lost by the source: %v, want 3", n)
	}
}
