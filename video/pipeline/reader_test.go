package pipeline

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

func TestManyReadersOneEncode(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	var readers []*Reader
	for i := range 10 {
		want := h264()
		if i%2 == 1 { // the same format said in other words
			want.FrameRateHz = 30
		}
		readers = append(readers, p.open(t, want))
	}
	m.expect(t, true)
	const frames = 5
	for i := range frames {
		m.snap(t, time.Now())
		for _, r := range readers {
			if f := next(t, r); f.GetSequence() != int64(i) {
				t.Fatalf("sequence %d, want %d", f.GetSequence(), i)
			}
		}
	}
	if n := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.H264)); n != frames {
		t.Errorf("%v encodes of %d frames for %d readers", n, frames, len(readers))
	}
	if n := testutil.ToFloat64(p.metrics.readers); n != 10 {
		t.Errorf("readers metric is %v", n)
	}
}

// TestTwoCodecs has readers of H.264 and of VP8: each picture is encoded twice, and a key frame that one of them asks
// for is not paid for by the other.
func TestTwoCodecs(t *testing.T) {
	m := newManual(i420(63, 47, 30)) // VP8 takes odd sizes
	p := run(t, m, Config{})
	var readers []*Reader
	types := []string{media.H264, media.VP8, media.H264, media.VP8}
	for _, mediaType := range types {
		readers = append(readers, p.open(t, &mediav1.VideoFormat{MediaType: mediaType}))
	}
	m.expect(t, true)
	const frames = 12
	begin := time.Now()
	for i := range frames {
		if i == 5 {
			if err := p.RequestKeyFrame(t.Context(), Stream{MediaType: media.VP8}); err != nil {
				t.Fatal(err)
			}
			for time.Since(begin) < 2*keyInterval {
				time.Sleep(keyInterval) // so that it may come at once
			}
		}
		m.snap(t, time.Now())
		for j, r := range readers {
			f := next(t, r)
			key := i == 0 || i == 5 && types[j] == media.VP8
			if f.GetSequence() != int64(i) || f.GetKeyFrame() != key || f.GetFormat().GetMediaType() != types[j] {
				t.Fatalf("%s: sequence %d, key %v, want %d, %v", types[j], f.GetSequence(), f.GetKeyFrame(), i, key)
			}
			if w := f.GetFormat().GetWidthPx(); types[j] == media.VP8 && w != 63 || types[j] == media.H264 && w != 62 {
				t.Errorf("%s is %d pixels wide", types[j], w)
			}
		}
	}
	for _, mediaType := range types[:2] {
		if n := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(mediaType)); n != frames {
			t.Errorf("%s: %v encodes of %d pictures for two readers", mediaType, n, frames)
		}
	}
}

func TestSlowReaderLosesAndOthersDoNot(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	slow, fast := p.open(t, h264()), p.open(t, h264())
	m.expect(t, true)
	for range 3 * readerQueue {
		m.snap(t, time.Now())
		next(t, fast)
	}
	if fast.Dropped() != 0 {
		t.Errorf("the fast reader lost %d", fast.Dropped())
	}
	time.Sleep(keyInterval) // so that the key frame the slow reader asks for may come at once
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feeding := make(chan struct{})
	go func() {
		defer close(feeding)
		for ctx.Err() == nil {
			select {
			case m.frames <- source.Frame{Format: m.format, Time: time.Now(), Picture: media.NewI420(64, 48), Key: true}:
			case <-ctx.Done():
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	first := next(t, slow)
	cancel()
	<-feeding
	if !first.GetKeyFrame() || slow.Dropped() == 0 {
		t.Errorf("slow reader went on with key %v after losing %d", first.GetKeyFrame(), slow.Dropped())
	}
}

// TestASlowEncoderEndsWithItsReader: it is slower than the source, so a picture is always waiting for it.
func TestASlowEncoderEndsWithItsReader(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	// This one keeps the capture going.
	other := p.open(t, &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420})
	slow, err := p.Open(&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 2000, HeightPx: 1500})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var feeding sync.WaitGroup
	defer feeding.Wait()
	defer cancel()
	feeding.Go(func() {
		for ctx.Err() == nil {
			select {
			case m.frames <- source.Frame{Format: m.format, Time: time.Now(), Picture: media.NewI420(64, 48), Key: true}:
			case <-ctx.Done():
			}
		}
	})
	next(t, slow)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		slow.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the reader's end waits for pictures that nobody wants")
		cancel() // ends it in any case
		<-closed
		return
	}
	before := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.JPEG))
	for range 10 {
		next(t, other)
	}
	if made := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.JPEG)) - before; made > 0 {
		t.Errorf("%v pictures were made after their reader had left", made)
	}
}

func TestNoPictureForACallerThatHasLeft(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.CaptureOne(ctx, &mediav1.VideoFormat{MediaType: media.JPEG}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(p.running); n != 0 || len(m.running) != 0 {
		t.Errorf("%d variants and %d captures were begun", n, len(m.running))
	}
}

func TestALateReaderLeavesTheBacklogWhenItsContextEnds(t *testing.T) {
	m, frames := native(t, 2)
	p := run(t, m, Config{})
	first := p.open(t, h264())
	m.expect(t, true)
	for _, f := range frames {
		m.give(t, f)
		next(t, first)
	}
	late := p.open(t, h264())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := late.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", f.GetSequence(), err)
	}
}

func TestCaptureOneIsNewerThanTheCall(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	type result struct {
		f   *mediav1.VideoFrame
		err error
	}
	called := time.Now()
	got := make(chan result, 1)
	go func() {
		f, err := p.CaptureOne(t.Context(), &mediav1.VideoFormat{MediaType: media.JPEG})
		got <- result{f, err}
	}()
	m.expect(t, true)
	m.snap(t, called.Add(-time.Second)) // one that was under way
	for {
		select {
		case r := <-got:
			if r.err != nil || r.f.GetCaptureTime().AsTime().Before(called) || r.f.GetSequence() < 1 {
				t.Errorf("got sequence %d at %v, error %v", r.f.GetSequence(), r.f.GetCaptureTime().AsTime(), r.err)
			}
			return
		case m.frames <- source.Frame{Format: m.format, Time: time.Now(), Picture: media.NewI420(64, 48), Key: true}:
		case <-time.After(patience):
			t.Fatal("no picture")
		}
	}
}

// TestPicturesOfOneTypeAreNumberedOnce: readers of whole pictures come and go, and what each reads continues what was
// read before, so a gap is always a loss.
func TestPicturesOfOneTypeAreNumberedOnce(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	jpeg := &mediav1.VideoFormat{MediaType: media.JPEG}
	for i := range int64(3) {
		a, b := p.open(t, jpeg), p.open(t, &mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 64, HeightPx: 48})
		m.snap(t, time.Now())
		for _, r := range []*Reader{a, b} {
			if f := next(t, r); f.GetSequence() != i || !f.GetKeyFrame() {
				t.Errorf("picture %d is number %d, key %v", i, f.GetSequence(), f.GetKeyFrame())
			}
			r.Close()
		}
	}
	if n := testutil.ToFloat64(p.metrics.encoded.WithLabelValues(media.JPEG)); n != 3 {
		t.Errorf("%v encodes of 3 pictures", n)
	}
}

// TestEveryPictureIsAKeyFrame where they do not depend on one another, so nobody has to be asked for one.
func TestEveryPictureIsAKeyFrame(t *testing.T) {
	m := newManual(&mediav1.VideoFormat{MediaType: media.JPEG, WidthPx: 64, HeightPx: 48, FrameRateHz: 30})
	p := run(t, m, Config{})
	if err := p.RequestKeyFrame(t.Context(), Stream{MediaType: media.JPEG}); err != nil {
		t.Error(err)
	}
	if !p.PassesThrough(Stream{MediaType: media.JPEG}) || !p.KeyFrameOnRequest(Stream{MediaType: media.JPEG}) {
		t.Error("what the camera sends passes through, and can be begun with at any picture")
	}
}

// TestForwardingLosesNothing: who passes pictures on gets all that were made while it had no CPU, others the newest.
func TestForwardingLosesNothing(t *testing.T) {
	m := newManual(i420(64, 48, 30))
	p := run(t, m, Config{})
	jpeg := &mediav1.VideoFormat{MediaType: media.JPEG}
	forward, err := p.OpenStream(Stream{MediaType: media.JPEG})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forward.Close)
	other, seen := p.open(t, jpeg), p.open(t, jpeg)
	for range forwardQueue {
		m.snap(t, time.Now())
		next(t, seen)
	}
	for want := range int64(forwardQueue) {
		if f := next(t, forward); f.GetSequence() != want {
			t.Errorf("picture %d follows", f.GetSequence())
		}
	}
	if f := next(t, other); f.GetSequence() != forwardQueue-1 {
		t.Errorf("who reads is given picture %d", f.GetSequence())
	}
}
