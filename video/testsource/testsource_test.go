package testsource

import (
	"context"
	"math"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media/stamp"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, animated := range []bool{false, true} {
		sourcetest.Run(t, func(t *testing.T) source.Source {
			s, err := Open(Config{Name: "front", Width: 320, Height: 240, FrameRate: 100, Animated: animated})
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	}
}

func TestFramesAreStampedWithTheirTime(t *testing.T) {
	s, err := Open(Config{Width: 640, Height: 480, FrameRate: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	want := int64(0)
	err = s.Capture(ctx, func(f source.Frame) {
		got, ok := stamp.Read(f.Picture)
		if !ok || got.Sequence != uint16(want) || !got.Time(f.Time).Equal(f.Time.Truncate(time.Microsecond)) {
			t.Errorf("frame %d at %v is stamped %+v %v", want, f.Time, got, ok)
		}
		if want++; want == 5 {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImpossibleConfigs(t *testing.T) {
	for _, c := range []Config{{}, {Width: 640, Height: 480}, {Width: 640, Height: 480, FrameRate: math.NaN()},
		{Width: 640, Height: 8, FrameRate: 30}, {Width: 640, Height: 480, FrameRate: 1e6}} {
		if _, err := Open(c); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}
