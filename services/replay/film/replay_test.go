package film

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/source"
)

// screen shows a reel.
type screen struct{ shown chan source.Frame }

func watch(t *testing.T, r *reel) *screen {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &screen{make(chan source.Frame)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.capture(ctx, func(f source.Frame) {
			select {
			case s.shown <- f:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

func (s *screen) next(t *testing.T) source.Frame {
	t.Helper()
	select {
	case f := <-s.shown:
		return f
	case <-time.After(long):
		t.Fatal("nothing is shown")
		return source.Frame{}
	}
}

// news is the next frame that is not a repetition.
func (s *screen) news(t *testing.T) source.Frame {
	t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); {
		if f := s.next(t); !f.Replay.Again {
			return f
		}
	}
	t.Fatal("nothing new is shown")
	return source.Frame{}
}

// is checks which recorded frame is shown.
func is(t *testing.T, f source.Frame, n int) {
	t.Helper()
	want := recorded()[n]
	if !bytes.Equal(f.Data, want.GetData()) || !f.Replay.Captured.Equal(want.GetCaptureTime().AsTime()) ||
		f.Key != want.GetKeyFrame() || f.Metadata["n"] != want.GetMetadata()["n"] || f.Format.GetFrameRateHz() != 30 {
		t.Errorf("shown is %s of %v, want frame %d as it was recorded", f.Metadata["n"], f.Replay.Captured, n)
	}
	if age := time.Since(f.Time); age < 0 || age > long {
		t.Errorf("it is shown %v late", age)
	}
}

// TestPlaces: each place is shown with everything that leads to it, in an epoch of its own, and what follows continues
// it.
func TestPlaces(t *testing.T) {
	r := newTestReel()
	s := watch(t, r)
	epochs := map[int64]bool{}
	for _, place := range []int{0, 37, 12, 59, 30} {
		r.seek(t, place)
		f := s.news(t)
		is(t, f, place)
		if lead := f.Replay.Lead; len(lead) != place%10 || len(lead) > 0 && !lead[0].Key {
			t.Errorf("%d frames lead to frame %d", len(lead), place)
		}
		for i, l := range f.Replay.Lead {
			is(t, l, place/10*10+i)
			if l.Replay.Epoch != f.Replay.Epoch || !l.Time.Before(f.Time) {
				t.Error("what leads to a place is of another epoch, or of later")
			}
		}
		if epochs[f.Replay.Epoch] || f.Replay.Epoch <= 0 {
			t.Errorf("the epoch %d is not new", f.Replay.Epoch)
		}
		epochs[f.Replay.Epoch] = true
		if place == 59 {
			continue
		}
		r.play(t, recorded()[place+1])
		next := s.news(t)
		is(t, next, place+1)
		if next.Replay.Epoch != f.Replay.Epoch || len(next.Replay.Lead) > 0 {
			t.Error("the next frame does not continue the place")
		}
	}
}

// TestStandsStill: while nothing comes the picture is repeated, and a key frame is to be had.
func TestStandsStill(t *testing.T) {
	r := newTestReel()
	s := watch(t, r)
	r.seek(t, 14)
	first := s.next(t)
	if err := r.RequestKeyFrame(t.Context()); !errors.Is(err, source.ErrNoKeyFrame) {
		t.Errorf("a key frame of a replay that goes on: %v", err)
	}
	f := s.next(t)
	is(t, f, 14)
	if !f.Replay.Again || f.Replay.Epoch != first.Replay.Epoch || !f.Time.After(first.Time) {
		t.Errorf("the picture is not repeated: %+v", f.Replay)
	}
	if err := r.RequestKeyFrame(t.Context()); err != nil {
		t.Error(err)
	}
	f = s.news(t)
	is(t, f, 14)
	if f.Replay.Epoch == first.Replay.Epoch || len(f.Replay.Lead) != 4 || !f.Replay.Lead[0].Key {
		t.Errorf("no key frame came: %+v", f.Replay)
	}
	r.play(t, recorded()[15])
	if next := s.news(t); next.Replay.Epoch != f.Replay.Epoch {
		t.Error("what follows does not continue the epoch")
	}
}

// TestRestartOfTheRecordedCamera: what comes after it is of another epoch.
func TestRestartOfTheRecordedCamera(t *testing.T) {
	r := newTestReel()
	s := watch(t, r)
	r.seek(t, 0)
	first := s.news(t)
	restarted := func(n int) *mediav1.VideoFrame {
		return with(recorded()[n], func(f *mediav1.VideoFrame) { f.Epoch, f.Sequence = 6, int64(n-19) })
	}
	r.play(t, restarted(19), restarted(20))
	f := s.news(t)
	is(t, f, 20)
	if f.Replay.Epoch == first.Replay.Epoch {
		t.Error("the epoch is the same")
	}
}

// TestFaster: what is too fast for viewers is shown by its key frames, and whole again once it is not.
func TestFaster(t *testing.T) {
	for _, tt := range []struct {
		speed float64
		every int // frame is shown
	}{{0, 1}, {1, 1}, {0.1, 1}, {4, 1}, {10, 10}} {
		r := newTestReel()
		s := watch(t, r)
		r.pace(tt.speed)
		r.seek(t, 0)
		s.news(t)
		for n := 1; n < 60; n++ {
			r.play(t, recorded()[n])
			if n == 1 || n%tt.every == 0 { // of the first one nobody knows how far the next is
				is(t, s.news(t), n)
			}
		}
		r.pace(1)
		r.seek(t, 30)
		is(t, s.news(t), 30)
		r.play(t, recorded()[31])
		is(t, s.news(t), 31)
	}
}

// TestNothingYet: a camera whose pictures are yet to come is away.
func TestNothingYet(t *testing.T) {
	r := newTestReel()
	r.begins()
	r.arrived(time.Now())
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.open(ctx); !errors.Is(err, device.ErrAway) || !strings.Contains(err.Error(), "no picture") {
		t.Errorf("opened: %v", err)
	}
}

// TestPicturesThatStandAlone: of pictures that stand alone as many are shown as viewers take.
func TestPicturesThatStandAlone(t *testing.T) {
	var p pace
	for _, tt := range []struct {
		speed       float64
		least, most int // pictures in a second
	}{{1, 30, 30}, {4, 120, 120}, {10, 100, 151}} {
		p.restart()
		p.factor = tt.speed
		taken, now := 0, time.Now()
		for i := range 30 * int(tt.speed) {
			f, ok, err := newFrames(false).take(message(t, still(i)))
			if err != nil || !ok || !bytes.Equal(f.Data, still(i).GetData()) || !f.Key {
				t.Fatalf("picture %d: %v, %v", i, ok, err)
			}
			if p.takes(f, now.Add(time.Duration(i)*time.Second/30/time.Duration(tt.speed))) {
				taken++
			}
		}
		if taken < tt.least || taken > tt.most {
			t.Errorf("%d pictures a second at speed %v, want %d to %d", taken, tt.speed, tt.least, tt.most)
		}
	}
}

// still is a raw picture.
func still(i int) *mediav1.VideoFrame {
	return &mediav1.VideoFrame{Epoch: 5, Sequence: int64(i), KeyFrame: true, Data: bytes.Repeat([]byte{byte(i)}, 6),
		CaptureTime: timestamppb.New(yesterday.Add(time.Duration(i) * interval)),
		Format:      &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelI420, WidthPx: 2, HeightPx: 2}}
}
