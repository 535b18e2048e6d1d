package sim

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
	"github.com/waldo-robot/waldo/video/source"
	"github.com/waldo-robot/waldo/video/source/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// parked is a rover that stands and says so every 20 ms, after some time of silence.
type parked struct {
	pose      simworld.Pose
	silence   time.Duration
	listening atomic.Int32
}

func (p *parked) Listen(ctx context.Context, heard func(Report)) error {
	p.listening.Add(1)
	defer p.listening.Add(-1)
	next := time.NewTimer(p.silence)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-next.C:
			heard(Report{Pose: p.pose, Time: now})
			next.Reset(20 * ms)
		}
	}
}

func atStart() *parked { return &parked{pose: simworld.New().Start()} }

func TestConformance(t *testing.T) {
	silent := &parked{silence: time.Hour}
	for name, tt := range map[string]struct {
		rover *parked
		view  string
	}{"front": {atStart(), Front}, "above, of a silent rover": {silent, Above}} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) source.Source {
				s, err := Open(tt.rover, Config{Width: 320, Height: 180, FrameRate: 100, View: tt.view})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// capture takes pictures for some time and returns them.
func capture(t *testing.T, s *Source, d time.Duration) []source.Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var frames []source.Frame
	if err := s.Capture(ctx, func(f source.Frame) { frames = append(frames, f) }); err != nil {
		t.Fatal(err)
	}
	return frames
}

func small(t *testing.T, rover Rover, view string) *Source {
	t.Helper()
	s, err := Open(rover, Config{Width: 160, Height: 90, FrameRate: 50, View: view, Name: "motors"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// grey reports whether a picture is without colour: that is how one looks that is not live.
func grey(p *media.I420) bool {
	for i := range p.U {
		if p.U[i] != 128 || p.V[i] != 128 {
			return false
		}
	}
	return true
}

// TestTheFirstPictureKnowsWhereTheRoverIs even if it takes a moment to hear of it: somebody may want just one picture.
func TestTheFirstPictureKnowsWhereTheRoverIs(t *testing.T) {
	for _, view := range Views() {
		for _, tt := range []struct {
			silence, first time.Duration
			stale          bool
		}{{0, 0, false}, {130 * ms, 130 * ms, false}, {time.Hour, staleAfter, true}} {
			t.Run(fmt.Sprint(view, " after ", tt.silence), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rover := &parked{pose: simworld.New().Start(), silence: tt.silence}
					s := small(t, rover, view)
					for range 2 { // the second capture must not take the word of the first for news
						begun := time.Now()
						frames := capture(t, s, time.Second-ms)
						want := 1 + int((time.Second-ms-tt.first)/(20*ms))
						if len(frames) != want || frames[0].Time.Sub(begun) != tt.first {
							t.Errorf("%d pictures, want %d; the first after %v, want %v", len(frames), want, frames[0].Time.Sub(begun),
								tt.first)
						}
						for i, f := range frames {
							if grey(f.Picture) != tt.stale {
								t.Fatalf("picture %d is grey: %v", i, !tt.stale)
							}
						}
						time.Sleep(time.Minute)
					}
				})
			})
		}
	}
}

func TestSilenceShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := time.Now()
		s := small(t, listener(func(ctx context.Context, heard func(Report)) error {
			heard(Report{Pose: simworld.New().Start(), Time: said})
			<-ctx.Done()
			return ctx.Err()
		}), Front)
		for _, f := range capture(t, s, time.Second) {
			if old := f.Time.Sub(said) > staleAfter; grey(f.Picture) != old {
				t.Errorf("after %v of silence the picture is grey: %v", f.Time.Sub(said), !old)
			}
		}
	})
}

// listener is a rover in one function.
type listener func(ctx context.Context, heard func(Report)) error

func (l listener) Listen(ctx context.Context, heard func(Report)) error { return l(ctx, heard) }

func TestListensOnlyWhileSomebodyLooks(t *testing.T) {
	rover := atStart()
	s := small(t, rover, Front)
	if n := rover.listening.Load(); n != 0 {
		t.Errorf("%d listen before the first capture", n)
	}
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Capture(ctx, func(source.Frame) {
			if n := rover.listening.Load(); n != 1 {
				t.Errorf("%d listen during a capture", n)
			}
			cancel()
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := rover.listening.Load(); n != 0 {
			t.Errorf("%d listen after a capture", n)
		}
	}
}

func TestARoverThatCannotBeHeard(t *testing.T) {
	deaf := errors.New("no bus")
	s := small(t, listener(func(context.Context, func(Report)) error { return deaf }), Front)
	err := s.Capture(t.Context(), func(source.Frame) {})
	if !errors.Is(err, deaf) || !strings.Contains(err.Error(), "motors") {
		t.Errorf("got %v", err)
	}
}

func TestConfig(t *testing.T) {
	s, err := Open(atStart(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	f, a := s.Info().Current, s.Info().Attributes
	if f.GetWidthPx() != 960 || f.GetHeightPx() != 540 || f.GetFrameRateHz() != 30 || a["view"] != Front ||
		a["follows"] == "" {
		t.Errorf("the zero value gave %v %v", f, a)
	}
	for says, c := range map[string]Config{
		"15x480":   {Width: 15, Height: 480},
		"640x0":    {Width: 640},
		"640x8193": {Width: 640, Height: 8193},
		"NaN":      {FrameRate: math.NaN()},
		"rate -1":  {FrameRate: -1},
		"rate 1e+": {FrameRate: 1e6},
		`"side"`:   {View: "side"},
	} {
		if _, err := Open(atStart(), c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: got %v, want %q", c, err, says)
		}
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	s := small(t, atStart(), Above)
	var users sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	users.Go(func() {
		for range 100 {
			s.Info()
		}
	})
	n := 0
	err := s.Capture(ctx, func(source.Frame) {
		if n++; n == 5 {
			users.Go(cancel)
		}
	})
	if err != nil {
		t.Error(err)
	}
	users.Wait()
}

func ExampleOpen() {
	camera, err := Open(atStart(), Config{View: Front})
	if err != nil {
		log.Fatal(err)
	}
	defer camera.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err = camera.Capture(ctx, func(f source.Frame) {
		fmt.Println(f.Picture.Width, f.Picture.Height)
		cancel()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 960 540
}
