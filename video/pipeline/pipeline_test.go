package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/stamp"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/openh264"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/testsource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should come at once.
const patience = time.Minute

// manual is a source that captures when the test says so.
type manual struct {
	format   *mediav1.VideoFormat
	frames   chan source.Frame
	failures chan error
	running  chan bool // true when a capture begins, false when it ends
}

func newManual(format *mediav1.VideoFormat) *manual {
	return &manual{format: format, frames: make(chan source.Frame), failures: make(chan error),
		running: make(chan bool, 100)}
}

func (m *manual) Info() source.Info {
	return source.Info{Current: m.format, Native: []*mediav1.VideoFormat{m.format}}
}

func (m *manual) Close() error { return nil }

func (m *manual) Capture(ctx context.Context, deliver func(source.Frame)) error {
	m.running <- true
	defer func() { m.running <- false }()
	for {
		select {
		case f := <-m.frames:
			deliver(f)
		case err := <-m.failures:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// snap captures one plain picture.
func (m *manual) snap(t *testing.T, at time.Time) {
	t.Helper()
	img := media.NewI420(int(m.format.GetWidthPx()), int(m.format.GetHeightPx()))
	m.give(t, source.Frame{Format: m.format, Time: at, Picture: img, Key: true})
}

func (m *manual) give(t *testing.T, f source.Frame) {
	t.Helper()
	select {
	case m.frames <- f:
	case <-time.After(patience):
		t.Fatal("nobody captures")
	}
}

func (m *manual) expect(t *testing.T, running bool) {
	t.Helper()
	select {
	case got := <-m.running:
		if got != running {
			t.Fatalf("capture runs: %v, want %v", got, running)
		}
	case <-time.After(patience):
		t.Fatalf("capture did not change to running: %v", running)
	}
}

func i420(w, h int32, rate float64) *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420, WidthPx: w, HeightPx: h,
		FrameRateHz: rate}
}

// rig is a pipeline that runs a source for the length of a test.
type rig struct {
	*Pipeline
	registry *prometheus.Registry
	stop     func() error // ends Run and returns its error
	gone     func() error // waits until Run has ended by itself, and returns its error
}

func run(t *testing.T, src source.Source, config Config) *rig {
	t.Helper()
	registry := prometheus.NewRegistry()
	config.Epoch, config.Metrics = 42, registry
	if config.Codecs.Codecs == nil {
		config.Codecs = standard.Codecs()
	}
	r := &rig{Pipeline: New(config), registry: registry}
	r.attach(t, src)
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		r.Close()
	})
	return r
}

func (r *rig) attach(t *testing.T, src source.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, attached := make(chan error, 1), make(chan struct{})
	go func() { ended <- r.Run(ctx, src, func() { close(attached) }) }()
	<-attached
	gone := sync.OnceValue(func() error { return <-ended })
	r.gone, r.stop = gone, func() error { cancel(); return gone() }
}

func (r *rig) open(t *testing.T, f *mediav1.VideoFormat) *Reader {
	t.Helper()
	reader, err := r.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	return reader
}

func next(t *testing.T, r *Reader) *mediav1.VideoFrame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f, err := r.Next(ctx)
	if err != nil {
		t.Fatalf("next: %v", err)
	}
	return f
}

func card(t *testing.T, w, h int, rate float64) source.Source {
	t.Helper()
	s, err := testsource.Open(testsource.Config{Name: "front", Width: w, Height: h, FrameRate: rate, Animated: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func h264() *mediav1.VideoFormat { return &mediav1.VideoFormat{MediaType: media.H264} }

func TestEveryFormat(t *testing.T) {
	p := run(t, card(t, 320, 240, 60), Config{})
	tests := []struct {
		want          *mediav1.VideoFormat
		width, height int32
	}{
		{h264(), 320, 240},
		{&mediav1.VideoFormat{MediaType: media.H264, WidthPx: 160}, 160, 120},
		{&mediav1.VideoFormat{MediaType: media.JPEG, HeightPx: 180}, 240, 180},
		{&mediav1.VideoFormat{MediaType: media.JPEG, HeightPx: 480}, 320, 240}, // never larger than the source
		{&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 8190, HeightPx: 8190}, 320, 240},
		{&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 8190, HeightPx: 20}, 320, 20},
		{&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 640, HeightPx: 480}, 320, 240},
		{&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 33, HeightPx: 21}, 33, 21},
		{&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}, 320, 240},
		{&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelNV12, WidthPx: 100, HeightPx: 50}, 100, 50},
		{&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelYUYV}, 320, 240},
		{&mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24, WidthPx: 7, HeightPx: 5}, 7, 5},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.want), func(t *testing.T) {
			f := next(t, p.open(t, tt.want))
			got := f.GetFormat()
			if err := media.Validate(got); err != nil {
				t.Error(err)
			}
			if got.GetMediaType() != tt.want.GetMediaType() || got.GetPixelFormat() != tt.want.GetPixelFormat() ||
				got.GetWidthPx() != tt.width || got.GetHeightPx() != tt.height || got.GetFrameRateHz() != 60 {
				t.Errorf("got %v", got)
			}
			if size := media.FrameSize(got); size != 0 && len(f.GetData()) != size || len(f.GetData()) == 0 {
				t.Errorf("%d bytes, want %d", len(f.GetData()), size)
			}
			// Sequence 0 may have been overtaken by a newer picture, except where each one counts.
			late := f.GetSequence() != 0 && got.GetMediaType() == media.H264
			if !f.GetKeyFrame() || f.GetEpoch() != 42 || late || time.Since(f.GetCaptureTime().AsTime()) > patience {
				t.Errorf("first frame: key %v, epoch %d, sequence %d, at %v", f.GetKeyFrame(), f.GetEpoch(), f.GetSequence(),
					f.GetCaptureTime())
			}
		})
	}
}

func TestFormatsThatCannotBe(t *testing.T) {
	p := run(t, card(t, 320, 240, 60), Config{})
	for _, want := range []*mediav1.VideoFormat{
		{}, {MediaType: "video/x"}, {MediaType: media.Raw}, {MediaType: media.Raw, PixelFormat: "RGB565"},
		{MediaType: media.JPEG, WidthPx: -1}, {MediaType: media.JPEG, WidthPx: 9000},
		{MediaType: media.JPEG, HeightPx: 1 << 30},
		{MediaType: media.H264, WidthPx: 321, HeightPx: 240}, {MediaType: media.H264, WidthPx: 8, HeightPx: 8},
		{MediaType: media.H264, WidthPx: 4098, HeightPx: 2160}, {MediaType: media.H264, FrameRateHz: -1},
	} {
		if _, err := p.Open(want); !errors.Is(err, media.ErrFormat) {
			t.Errorf("%v: got %v, want ErrFormat", want, err)
		}
	}
}

func TestNothingRunsWithoutReaders(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	for range 3 {
		a, b := p.open(t, h264()), p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG})
		m.expect(t, true)
		a.Close()
		b.Close()
		m.expect(t, false)
	}
	select {
	case <-m.running:
		t.Error("it captures without readers")
	default:
	}
	if n := testutil.ToFloat64(p.metrics.captured); n != 0 {
		t.Errorf("captured %v", n)
	}
}

func TestLiveStreamIsNumberedOnAndBeginsWithAKeyFrame(t *testing.T) {
	p := run(t, card(t, 64, 48, 200), Config{})
	want := int64(0)
	for range 3 {
		r := p.open(t, h264())
		for i := range 4 {
			f := next(t, r)
			if i == 0 && (!f.GetKeyFrame() || f.GetSequence() < want) || i > 0 && f.GetSequence() != want {
				t.Fatalf("frame %d of a reader: sequence %d (key %v), want %d", i, f.GetSequence(), f.GetKeyFrame(), want)
			}
			want = f.GetSequence() + 1
		}
		r.Close()
	}
}

func TestSetBitrate(t *testing.T) {
	m := newManual(i420(320, 240, 30))
	p := run(t, m, Config{Bitrate: 2_000_000})
	r := p.open(t, h264())
	m.expect(t, true)
	moving, err := testcard.New(320, 240, testcard.Config{Animated: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	bytes := func() (sum int) {
		for range 60 {
			now = now.Add(time.Second / 30)
			img := media.NewI420(320, 240)
			moving.Render(img, now, 0)
			m.give(t, source.Frame{Format: m.format, Time: now, Picture: img, Key: true})
			sum += len(next(t, r).GetData())
		}
		return sum
	}
	high := bytes()
	if err := p.SetBitrate(200_000); err != nil {
		t.Fatal(err)
	}
	if low := bytes(); low > high*2/3 {
		t.Errorf("%d bytes at 2 Mbit/s, %d at 200 kbit/s", high, low)
	}
}

func TestReadersStayWhileTheSourceIsAway(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	r := p.open(t, h264())
	m.expect(t, true)
	m.snap(t, time.Now())
	last := next(t, r).GetSequence()
	m.failures <- fmt.Errorf("%w: pulled", device.ErrAway)
	m.expect(t, false)
	if err := p.gone(); !errors.Is(err, device.ErrAway) {
		t.Fatalf("run: %v", err)
	}
	if _, err := p.Open(h264()); !errors.Is(err, device.ErrAway) {
		t.Errorf("open while away: %v", err)
	}
	back := newManual(i420(128, 96, 30)) // and of another size
	p.attach(t, back)
	back.expect(t, true)
	back.snap(t, time.Now())
	f := next(t, r)
	if f.GetSequence() != last+1 || !f.GetKeyFrame() || f.GetFormat().GetWidthPx() != 128 {
		t.Errorf("after the return: %v, sequence %d after %d, key %v", f.GetFormat(), f.GetSequence(), last, f.GetKeyFrame())
	}
}

// watched is a source whose hardware can go while it is idle.
type watched struct {
	*manual
	gone chan error
}

func (w watched) Watch(ctx context.Context) error {
	select {
	case err := <-w.gone:
		return err
	case <-ctx.Done():
		return nil
	}
}

func TestGoingAwayIsNoticedWhileIdle(t *testing.T) {
	w := watched{newManual(i420(64, 48, 30)), make(chan error, 1)}
	p := New(Config{Codecs: standard.Codecs()})
	defer p.Close()
	w.gone <- device.ErrAway
	if err := p.Run(t.Context(), w, func() {}); !errors.Is(err, device.ErrAway) {
		t.Errorf("got %v", err)
	}
}

func TestTooManyVariants(t *testing.T) {
	m := newManual(i420(640, 480, 30))
	p := run(t, m, Config{})
	for i := range maxVariants {
		p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: int32(100 + i), HeightPx: 100})
	}
	if _, err := p.Open(&mediav1.VideoFormat{MediaType: media.H264, WidthPx: 320, HeightPx: 240}); !errors.Is(err,
		ErrTooMany) {
		t.Errorf("got %v", err)
	}
	// what the bus carries always has room
	p.open(t, h264())
	p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 100, HeightPx: 100}) // one that others read
}

func TestCloseEndsReaders(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	r := p.open(t, h264())
	m.expect(t, true)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("next: %v", err)
	}
	if _, err := p.Open(h264()); !errors.Is(err, device.ErrStopping) {
		t.Errorf("open: %v", err)
	}
}

func TestStampSurvivesTheWholeWay(t *testing.T) {
	p := run(t, card(t, 640, 480, 60), Config{Bitrate: 500_000})
	r := p.open(t, h264())
	d := openh264.NewDecoder()
	defer d.Close()
	for range 20 {
		f := next(t, r)
		img, err := d.Decode(f.GetData())
		if err != nil || img == nil {
			t.Fatalf("decode: %v", err)
		}
		s, ok := stamp.Read(img)
		if !ok || !s.Time(time.Now()).Equal(f.GetCaptureTime().AsTime().Truncate(time.Microsecond)) {
			t.Fatalf("stamp %+v %v, captured at %v", s, ok, f.GetCaptureTime().AsTime())
		}
	}
}
