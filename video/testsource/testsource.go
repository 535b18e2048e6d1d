// Package testsource is a camera that needs no hardware: it paints a test card (see package testcard) at a steady rate.
package testsource

import (
	"context"
	"fmt"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/media/testcard"
	"github.com/waldo-robot/waldo/video/source"
)

// Config describes the card. Width, Height and FrameRate are required.
type Config struct {
	Name          string // shown on the card
	Width, Height int    // testcard.MinSize to testcard.MaxSize
	FrameRate     float64
	Animated      bool
}

// Source paints cards. See package source for concurrency.
type Source struct {
	card     *testcard.Card
	info     source.Info
	interval time.Duration
	sequence int64 // of the next card; the numbers continue from one capture to the next
	closed   chan struct{}
	close    sync.Once
}

// Open prepares the card. The error names the invalid size or rate.
func Open(config Config) (*Source, error) {
	if !(config.FrameRate > 0 && config.FrameRate <= media.MaxFrameRate) {
		return nil, fmt.Errorf("test source: frame rate %v, must be more than 0 and at most %d", config.FrameRate,
			media.MaxFrameRate)
	}
	card, err := testcard.New(config.Width, config.Height, testcard.Config{Name: config.Name, Animated: config.Animated})
	if err != nil {
		return nil, fmt.Errorf("test source: %w", err)
	}
	format := &mediav1.VideoFormat{
		MediaType: media.Raw, PixelFormat: media.PixelI420,
		WidthPx: int32(config.Width), HeightPx: int32(config.Height), FrameRateHz: config.FrameRate,
	}
	return &Source{
		card:     card,
		interval: time.Duration(float64(time.Second) / config.FrameRate),
		info: source.Info{
			Native: []*mediav1.VideoFormat{format}, Current: format,
			Attributes: map[string]string{"driver": "test", "card": "test card"},
		},
		closed: make(chan struct{}),
	}, nil
}

// Info describes the card.
func (s *Source) Info() source.Info { return s.info }

// Capture paints the first card at once and then one each interval. If deliver takes too long, ticks are skipped.
func (s *Source) Capture(ctx context.Context, deliver func(source.Frame)) error {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		select {
		case <-s.closed:
			return fmt.Errorf("test source: %w: closed", device.ErrAway)
		case <-ctx.Done():
			return nil
		default:
		}
		deliver(s.paint())
		select {
		case <-s.closed:
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (s *Source) paint() source.Frame {
	now := time.Now()
	img := media.NewI420(s.card.Size())
	s.card.Render(img, now, s.sequence)
	s.sequence++
	return source.Frame{Format: s.info.Current, Time: now, Picture: img, Key: true}
}

// Close ends a capture in progress.
func (s *Source) Close() error {
	s.close.Do(func() { close(s.closed) })
	return nil
}
