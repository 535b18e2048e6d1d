// Package sim is a camera in a computed world: it shows the room of package simworld as the camera of the simulated
// rover sees it, or a map of it from above.
//
// A [Rover] reports where the rover is; the camera listens to it only while pictures are taken. Reports arrive less
// regularly than pictures, so a picture shows the rover as it was a moment before, between two reports; when the next
// report is late, the rover's motion is extrapolated for a tenth of a second. After half a second without a report the
// picture loses its colours and says so: a picture that only looks live would be a lie.
package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/simworld"
	"github.com/waldo-robot/waldo/video/source"
)

// Rover reports where the rover is.
type Rover interface {
	// Listen calls heard with every report, in order, until ctx ends. It may return earlier only if it cannot continue;
	// the error then says why.
	Listen(ctx context.Context, heard func(Report)) error
}

// Report is one report of the rover.
type Report struct {
	Pose        simworld.Pose
	Left, Right float64   // wheel speeds, metres per second
	Bumped      bool      // it touches something
	Time        time.Time // when the report arrived
}

// Views.
const (
	Front = "front" // what the rover's camera sees
	Above = "above" // a map with the rover and where it came from
)

// Views lists all views.
func Views() []string { return []string{Front, Above} }

// The default size and rate: they cost an encoder three fifths of what 1280x720 costs.
const (
	defaultWidth, defaultHeight = 960, 540
	defaultFrameRate            = 30
)

// minSize is the least size of a picture, both ways.
const minSize = 16

// Config describes the camera. The zero value works.
type Config struct {
	Width, Height int     // 16 to media.MaxSize, both or neither; 0: 960x540
	FrameRate     float64 // 0: 30
	View          string  // one of Views; empty: Front
	Name          string  // of the device that reports, shown when no reports arrive
}

func (c *Config) complete() error {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = defaultWidth, defaultHeight
	}
	if c.FrameRate == 0 {
		c.FrameRate = defaultFrameRate
	}
	if c.View == "" {
		c.View = Front
	}
	if c.Name == "" {
		c.Name = "the rover"
	}
	switch {
	case c.Width < minSize || c.Width > media.MaxSize || c.Height < minSize || c.Height > media.MaxSize:
		return fmt.Errorf("sim source: size %dx%d, each side must be %d to %d", c.Width, c.Height, minSize, media.MaxSize)
	case !(c.FrameRate > 0 && c.FrameRate <= media.MaxFrameRate):
		return fmt.Errorf("sim source: frame rate %v, must be more than 0 and at most %d", c.FrameRate, media.MaxFrameRate)
	case c.View != Front && c.View != Above:
		return fmt.Errorf("sim source: view %q, must be %q or %q", c.View, Front, Above)
	}
	return nil
}

// view paints the world on pictures of one size. It overwrites every pixel.
type view interface {
	paint(img *media.I420, m moment)
}

// Source takes pictures of the room. See package source for concurrency.
type Source struct {
	config Config
	rover  Rover
	track  *track
	view   func() view
	notice func() *notice
	info   source.Info
	closed chan struct{}
	close  sync.Once
}

// Open returns a camera. What is the same in all pictures is prepared when the first one is taken. The error names the
// invalid size, rate or view.
func Open(rover Rover, config Config) (*Source, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	world := simworld.New()
	s := &Source{
		config: config, rover: rover, track: newTrack(world),
		notice: sync.OnceValue(func() *notice {
			return newNotice(config.Width, config.Height,
				"no reports from "+config.Name)
		}),
		closed: make(chan struct{}),
	}
	s.view = sync.OnceValue(func() view {
		if config.View == Above {
			return newAbove(world, config.Width, config.Height)
		}
		return newFront(world, config.Width, config.Height)
	})
	format := &mediav1.VideoFormat{
		MediaType: media.Raw, PixelFormat: media.PixelI420,
		WidthPx: int32(config.Width), HeightPx: int32(config.Height), FrameRateHz: config.FrameRate,
	}
	s.info = source.Info{
		Native: []*mediav1.VideoFormat{format}, Current: format,
		Attributes: map[string]string{"driver": "sim", "card": "simulated room", "view": config.View, "follows": config.Name},
	}
	return s, nil
}

// Info describes the camera.
func (s *Source) Info() source.Info { return s.info }

// Capture listens to the rover. It takes the first picture as soon as the rover's position is known, but after half a
// second at the latest; then one each interval. If deliver takes too long, pictures are skipped.
func (s *Source) Capture(ctx context.Context, deliver func(source.Frame)) error {
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer cancel()
	deaf := make(chan error, 1)
	heard := s.track.begin()
	listening.Go(func() { deaf <- s.rover.Listen(ctx, s.track.hear) })
	s.view() // before the first report arrives

	first := time.NewTimer(staleAfter)
	defer first.Stop()
	if done, err := s.wait(ctx, heard, first.C, deaf); done {
		return err
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / s.config.FrameRate))
	defer tick.Stop()
	for {
		deliver(s.paint())
		if done, err := s.wait(ctx, nil, tick.C, deaf); done {
			return err
		}
	}
}

// wait returns when it is time for the next picture, or reports that there is none, and why.
func (s *Source) wait(ctx context.Context, heard <-chan struct{}, due <-chan time.Time, deaf <-chan error) (done bool,
	err error) {
	select {
	case <-heard:
	case <-due:
	case <-ctx.Done():
	case <-s.closed:
	case err = <-deaf:
	}
	select { // if several are ready, the end wins
	case <-s.closed:
		return true, fmt.Errorf("sim source: %w: closed", device.ErrAway)
	default:
	}
	if ctx.Err() != nil {
		return true, nil
	}
	if err != nil {
		return true, fmt.Errorf("sim source: listening to %s: %w", s.config.Name, err)
	}
	return false, nil
}

func (s *Source) paint() source.Frame {
	now := time.Now()
	img := media.NewI420(s.config.Width, s.config.Height)
	m := s.track.at(now)
	s.view().paint(img, m)
	if m.stale {
		s.notice().paint(img)
	}
	return source.Frame{Format: s.info.Current, Time: now, Picture: img, Key: true}
}

// Close ends a capture in progress.
func (s *Source) Close() error {
	s.close.Do(func() { close(s.closed) })
	return nil
}
