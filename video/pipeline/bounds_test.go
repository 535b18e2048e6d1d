package pipeline

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/source"
)

// stills asks for pictures of all formats at once, gives the camera pictures until all have one, and returns them. It
// checks that never more than one format is made at a time.
func stills(t *testing.T, wanted []*mediav1.VideoFormat) (got []*mediav1.VideoFrame) {
	m := newManual(i420(640, 480, 30))
	p := run(t, m, Config{})
	answers := make(chan *mediav1.VideoFrame, len(wanted))
	for _, want := range wanted {
		go func() {
			f, err := p.CaptureOne(t.Context(), want)
			if err != nil {
				t.Error(err)
			}
			answers <- f
		}()
		synctest.Wait()
	}
	for len(answers) < len(wanted) {
		p.mu.Lock()
		if n := len(p.running); n > 1 {
			t.Errorf("%d stills are made at a time", n)
		}
		p.mu.Unlock()
		m.snap(t, time.Now())
		synctest.Wait()
	}
	for range wanted {
		got = append(got, <-answers)
	}
	return got
}

func jpegs(n int, size func(i int) (w, h int)) (formats []*mediav1.VideoFormat) {
	for i := range n {
		w, h := size(i)
		formats = append(formats, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: int32(w), HeightPx: int32(h)})
	}
	return formats
}

func TestStillsOfOneFormatAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		captures := map[int64]int{}
		for _, f := range stills(t, jpegs(60, func(i int) (int, int) { return 8190 - i, 8190 })) {
			captures[f.GetSequence()]++
			if f.GetFormat().GetWidthPx() != 640 || f.GetFormat().GetHeightPx() != 480 {
				t.Errorf("format %v, want the source's size", f.GetFormat())
			}
		}
		if len(captures) != 2 { // one was under way when the others came
			t.Errorf("callers by capture: %v, want two captures", captures)
		}
	})
}

// TestLargeStills has as many callers as there may be: those who are let in get their picture.
func TestLargeStills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManual(i420(8192, 8192, 30))
		p := run(t, m, Config{})
		answers := make(chan error, 6)
		for range cap(answers) {
			go func() {
				_, err := p.CaptureOne(t.Context(), &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24})
				answers <- err
			}()
			synctest.Wait()
		}
		if err := <-answers; !errors.Is(err, ErrTooMany) {
			t.Errorf("one caller too many: %v", err)
		}
		for got := 1; got < cap(answers); {
			m.snap(t, time.Now())
			synctest.Wait()
			for len(answers) > 0 {
				if err := <-answers; err != nil {
					t.Error(err)
				}
				got++
			}
		}
	})
}

func TestStillsOfManyFormatsAreMadeOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sizes := map[int32]bool{}
		for _, f := range stills(t, jpegs(20, func(i int) (int, int) { return 100 + i, 100 })) {
			sizes[f.GetFormat().GetWidthPx()] = true
		}
		if len(sizes) != 20 {
			t.Errorf("%d sizes came back, want 20", len(sizes))
		}
	})
}

func TestTooManyBytesOwed(t *testing.T) {
	m := newManual(i420(8192, 8192, 30))
	p := run(t, m, Config{})
	bgr := &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24} // 201 MB a picture
	var readers []*Reader
	for range 5 {
		readers = append(readers, p.open(t, bgr))
	}
	if _, err := p.Open(bgr); !errors.Is(err, ErrTooMany) {
		t.Errorf("a sixth reader: %v, want ErrTooMany", err)
	}
	if _, err := p.CaptureOne(t.Context(), bgr); !errors.Is(err, ErrTooMany) {
		t.Errorf("a still: %v, want ErrTooMany", err)
	}
	readers[0].Close()
	p.open(t, bgr)
	for _, r := range readers {
		r.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := 8192 * 8192 * 3; p.owed != want { // of the reader that is left
		t.Errorf("%d bytes are owed, want %d", p.owed, want)
	}
}

// turned is a source whose pictures are to be turned to be upright.
type turned struct{ *manual }

func (s turned) Info() source.Info {
	info := s.manual.Info()
	info.Rotate = 90
	return info
}

func TestSourceThatIsTurned(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, turned{m}, Config{Orientation: codec.Orientation{Rotate: 180}})
	jpeg := p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG})
	raw := p.open(t, i420(8190, 8190, 0))
	m.snap(t, time.Now())
	for _, r := range []*Reader{jpeg, raw} {
		if f := next(t, r).GetFormat(); f.GetWidthPx() != 48 || f.GetHeightPx() != 64 {
			t.Errorf("got %v, want 48x64", f)
		}
	}
	back := newManual(i420(64, 48, 30)) // upright
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	p.attach(t, back)
	back.snap(t, time.Now())
	if f := next(t, jpeg).GetFormat(); f.GetWidthPx() != 64 || f.GetHeightPx() != 48 {
		t.Errorf("from another source: %v, want 64x48", f)
	}
}

func TestTooManyPixels(t *testing.T) {
	m := newManual(i420(8192, 8192, 30))
	p := run(t, m, Config{})
	p.open(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420}) // goes through as it is
	p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 8192, HeightPx: 4096})
	p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 4096, HeightPx: 8192})
	for _, want := range []*mediav1.VideoFormat{
		{MediaType: media.JPEG, WidthPx: 16, HeightPx: 16}, {MediaType: media.Raw, PixelFormat: media.PixelBGR24},
	} {
		if _, err := p.Open(want); !errors.Is(err, ErrTooMany) {
			t.Errorf("%v: got %v, want ErrTooMany", want, err)
		}
	}
	if _, err := p.CaptureOne(t.Context(), &mediav1.VideoFormat{MediaType: media.Raw,
		PixelFormat: media.PixelBGR24}); !errors.Is(err, ErrTooMany) {
		t.Errorf("a still: got %v, want ErrTooMany", err)
	}
	p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 4096, HeightPx: 8192}) // one that others read
}
