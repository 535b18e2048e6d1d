package pipeline

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/video/codec/codectest"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
	"github.com/waldo-robot/waldo/video/source"
)

// usual is the stream that cameras have in the first place.
var usual = Stream{MediaType: media.H264}

// film is a source that captures 30 moving pictures a second of the test's time.
type film struct {
	*manual
	picture func(number int) *media.I420
	number  int
	now     time.Time
}

func newFilm(t *testing.T, w, h int) *film {
	t.Helper()
	card, err := testcard.New(w, h, testcard.Config{Animated: true})
	if err != nil {
		t.Fatal(err)
	}
	return &film{manual: newManual(i420(int32(w), int32(h), 30)), now: time.Now(), picture: func(n int) *media.I420 {
		img := media.NewI420(w, h)
		card.Render(img, time.Unix(0, 0).Add(time.Duration(n)*time.Second/30), 0)
		return img
	}}
}

// capture captures the next picture once it is time.
func (f *film) capture(t *testing.T) {
	t.Helper()
	f.now = f.now.Add(time.Second / 30)
	time.Sleep(time.Until(f.now))
	f.give(t, source.Frame{Format: f.format, Time: f.now, Picture: f.picture(f.number), Key: true})
	f.number++
}

// watch collects what a reader gets while so much time passes.
func (f *film) watch(t *testing.T, r *Reader, d time.Duration) (frames []*mediav1.VideoFrame) {
	t.Helper()
	for end := f.now.Add(d); f.now.Before(end); {
		f.capture(t)
		synctest.Wait()
		for out, more := r.sub.TryNext(); more; out, more = r.sub.TryNext() {
			frames = append(frames, out.frame)
		}
	}
	return frames
}

// limit limits a stream.
func (r *rig) limit(t *testing.T, s Stream, holder string, bps int64, ttl time.Duration) Bitrate {
	t.Helper()
	b, err := r.LimitBitrate(s, limits.Limit{Holder: holder, Bitrate: bps, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bitrate is that of frames of so much time, in bit/s.
func bitrate(frames []*mediav1.VideoFrame, d time.Duration) float64 {
	bytes := 0
	for _, f := range frames {
		bytes += len(f.GetData())
	}
	return float64(8*bytes) / d.Seconds()
}

// keys counts key frames.
func keys(frames []*mediav1.VideoFrame) (n int) {
	for _, f := range frames {
		if f.GetKeyFrame() {
			n++
		}
	}
	return n
}

// TestLimit has a stream that needs more than it may have: it gets fewer pictures at once, smaller ones after a while,
// and all of it back when the limit is over.
func TestLimit(t *testing.T) {
	for _, mediaType := range []string{media.H264, media.VP8} {
		t.Run(media.Name(mediaType), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { testLimit(t, mediaType) }) })
	}
}

func testLimit(t *testing.T, mediaType string) {
	f := newFilm(t, 1280, 720)
	p := run(t, f, Config{Bitrate: 2_000_000})
	r := p.open(t, &mediav1.VideoFormat{MediaType: mediaType})
	f.expect(t, true)
	size := func(frames []*mediav1.VideoFrame) int32 { return frames[len(frames)-1].GetFormat().GetHeightPx() }
	before := f.watch(t, r, 2*time.Second)
	if n := len(before); n < 58 || size(before) != 720 || keys(before) != 1 {
		t.Fatalf("without a limit: %d pictures of 720p30, %d keys, the last %v", n, keys(before), before[n-1].GetFormat())
	}
	const limit, ttl = 400_000, 6 * time.Second
	s := Stream{MediaType: mediaType}
	if b := p.limit(t, s, "a", limit, ttl); b.InForce != limit || b.Configured != 2_000_000 {
		t.Errorf("in force: %+v", b)
	}
	// At once fewer pictures, so that there are not more bits.
	first := f.watch(t, r, time.Second)
	if n, bps := len(first), bitrate(first, time.Second); n > 12 || bps > 1.1*limit || size(first) != 720 ||
		keys(first) > 0 {
		t.Errorf("first second: %d pictures, %.0f bit/s, %d keys, the last %v", n, bps, keys(first), first[n-1].GetFormat())
	}
	smaller := f.watch(t, r, 4*time.Second)
	if n, bps := len(smaller), bitrate(smaller, 4*time.Second); n < 85 || bps > 1.1*limit || size(smaller) != 360 ||
		keys(smaller) != 1 {
		t.Errorf("later: %d pictures in 4 s, %.0f bit/s, %d keys, the last %v", n, bps, keys(smaller),
			smaller[n-1].GetFormat())
	}
	for _, one := range smaller {
		if most := mostKey * limit / 30 / 8; one.GetKeyFrame() && len(one.GetData()) > most {
			t.Errorf("a key frame of %d bytes, most are %d", len(one.GetData()), most)
		}
	}
	f.watch(t, r, 4*time.Second) // the limit is over after one of them
	after := f.watch(t, r, time.Second)
	if n := len(after); n < 29 || size(after) != 720 {
		t.Errorf("after the limit: %d pictures, the last %v", n, after[n-1].GetFormat())
	}
	if n := testutil.ToFloat64(p.metrics.streams.resized.WithLabelValues(s.labels()...)); n != 2 {
		t.Errorf("the metrics count %v changes of size, want 2", n)
	}
}

// TestPause has a stream stand still and go on without a key frame.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFilm(t, 320, 240)
		p := run(t, f, Config{Bitrate: 1_000_000})
		r := p.open(t, h264())
		f.expect(t, true)
		before := f.watch(t, r, time.Second)
		if b := p.limit(t, usual, "a", 0, 300*time.Millisecond); b.InForce != 0 || b.Configured != 1_000_000 {
			t.Errorf("in a pause: %+v", b)
		}
		if got := f.watch(t, r, 250*time.Millisecond); len(got) > 0 {
			t.Errorf("%d pictures in a pause", len(got))
		}
		f.watch(t, r, 100*time.Millisecond)
		after := f.watch(t, r, time.Second)
		last := before[len(before)-1].GetSequence()
		if n := len(after); n < 29 || keys(after) > 0 || after[0].GetSequence() > last+4 {
			t.Errorf("after the pause: %d pictures, %d keys, number %d after %d", n, keys(after), after[0].GetSequence(), last)
		}
		p.limit(t, usual, "a", 0, time.Minute/6)
		p.limit(t, usual, "a", 500_000, time.Second) // ends the pause
		if got := f.watch(t, r, 200*time.Millisecond); len(got) == 0 {
			t.Error("another limit does not end the pause")
		}
		if n := testutil.ToFloat64(p.metrics.streams.pauses.WithLabelValues(usual.labels()...)); n != 2 {
			t.Errorf("the metrics count %v pauses, want 2", n)
		}
	})
}

// TestKeyFramesUnderALimit are few, however many are requested, and small, whatever is in the picture.
func TestKeyFramesUnderALimit(t *testing.T) {
	for _, mediaType := range []string{media.H264, media.VP8} {
		t.Run(media.Name(mediaType), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFilm(t, 640, 360)
				f.picture = codectest.NewScene(640, 360, 5).Picture
				p := run(t, f, Config{Bitrate: 1_000_000})
				r := p.open(t, &mediav1.VideoFormat{MediaType: mediaType})
				f.expect(t, true)
				const limit = 500_000
				p.limit(t, Stream{MediaType: mediaType}, "a", limit, 10*time.Second)
				var frames []*mediav1.VideoFrame
				for range 60 {
					if err := p.RequestKeyFrame(t.Context(), Stream{MediaType: mediaType}); err != nil {
						t.Fatal(err)
					}
					frames = append(frames, f.watch(t, r, time.Second/30)...)
				}
				if n := keys(frames); n < 2 || n > 5 {
					t.Errorf("%d key frames in 2 s with a request for each picture", n)
				}
				for _, one := range frames {
					if most := mostKey * limit / 30 / 8; one.GetKeyFrame() && len(one.GetData()) > most {
						t.Errorf("a key frame of %d bytes, most are %d", len(one.GetData()), most)
					}
				}
			})
		})
	}
}

// TestSmallStream is made beside the usual one of the same pictures, has limits of its own, and none of the other's.
func TestSmallStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFilm(t, 1280, 720)
		p := run(t, f, Config{Bitrate: 2_000_000})
		small := Stream{MediaType: media.H264, Small: true}
		r, err := p.OpenStream(small)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		f.expect(t, true)
		p.limit(t, usual, "a", 100_000, 10*time.Second)
		frames := f.watch(t, r, 2*time.Second)
		format := frames[len(frames)-1].GetFormat()
		if n := len(frames); n < 29 || n > 31 || format.GetWidthPx() != 640 || format.GetHeightPx() != 360 ||
			format.GetFrameRateHz() != 15 {
			t.Errorf("%d pictures in 2 s, the last %v", n, format)
		}
		if b := p.limit(t, small, "a", 200_000, time.Second); b.InForce != 200_000 || b.Configured != 350_000 {
			t.Errorf("in force: %+v", b)
		}
		if n := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.H264)); int(n) != len(frames) {
			t.Errorf("%v encodes of %d pictures", n, len(frames))
		}
		if err := p.RequestKeyFrame(t.Context(), small); err != nil {
			t.Error(err)
		}
		if n := keys(f.watch(t, r, time.Second)); n != 1 {
			t.Errorf("%d key frames after one was requested", n)
		}
	})
}

// TestWhoNamesASizeIsNotLimited: the limits are those of the streams on the bus.
func TestWhoNamesASizeIsNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFilm(t, 640, 480)
		p := run(t, f, Config{Bitrate: 2_000_000})
		named, live := p.open(t, &mediav1.VideoFormat{MediaType: media.H264, HeightPx: 480}), p.open(t, h264())
		f.expect(t, true)
		p.limit(t, usual, "a", 100_000, 10*time.Second)
		for range 90 {
			f.capture(t)
			synctest.Wait()
		}
		if n := int64(named.sub.Lost()) + int64(drain(named)); n != 90 {
			t.Errorf("%d of 90 pictures for who named the size", n)
		}
		if n := int64(live.sub.Lost()) + int64(drain(live)); n > 60 {
			t.Errorf("%d of 90 pictures in the limited stream", n)
		}
	})
}

// drain counts what waits for a reader.
func drain(r *Reader) (n int) {
	for _, more := r.sub.TryNext(); more; _, more = r.sub.TryNext() {
		n++
	}
	return n
}

func TestStreamsThatCannotBeLimited(t *testing.T) {
	one := limits.Limit{Holder: "a", Bitrate: 100_000, TTL: limits.MaxTTL}
	m, frames := native(t, 1)
	p := run(t, m, Config{})
	p.open(t, h264())
	m.expect(t, true)
	m.give(t, frames[0])
	for name, tt := range map[string]struct {
		stream Stream
		want   error
	}{
		"passed through": {usual, ErrNative},
		"encoded beside": {Stream{MediaType: media.VP8}, nil},
		"small":          {Stream{MediaType: media.H264, Small: true}, nil},
		"JPEG":           {Stream{MediaType: media.JPEG}, ErrNoBitrate},
		"not encoded":    {Stream{MediaType: media.H265}, ErrNoBitrate},
	} {
		if _, err := p.LimitBitrate(tt.stream, one); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for i := range limits.MaxHolders {
		one.Holder = fmt.Sprint("holder ", i)
		_, err := p.LimitBitrate(Stream{MediaType: media.VP8}, one)
		if last := i == limits.MaxHolders-1; last != errors.Is(err, limits.ErrTooMany) {
			t.Errorf("holder %d beside the first: %v", i, err)
		}
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.LimitBitrate(usual, one); !errors.Is(err, device.ErrAway) {
		t.Errorf("without a source: %v", err)
	}
}
