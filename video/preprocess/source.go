package preprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/video/pipeline"
	"github.com/waldo-robot/waldo/video/source"
)

// errResized ends a command because pictures have another size.
var errResized = errors.New("pictures have another size")

// Source delivers the pictures of another one after the command has changed them.
type Source struct {
	hook  *Hook
	of    source.Source
	inner *pipeline.Pipeline // makes raw pictures of what the other source delivers
	stop  context.CancelFunc
	owned sync.WaitGroup
	ended chan struct{} // closed when the other source has gone, or Close was called
	why   error         // set before
	talk  talk

	mu     sync.Mutex
	format *mediav1.VideoFormat // of the pictures for the command
	child  *child               // nil while none runs
	news   chan struct{}        // holds a token when child is another
	close  sync.Once
	failed error // of closing the other source
}

var _ source.Watcher = (*Source)(nil)

// bgr is what the command gets.
func bgr() *mediav1.VideoFormat {
	return &mediav1.VideoFormat{MediaType: media.Raw, PixelFormat: media.PixelBGR24}
}

// Open applies the hook to a source, one at a time, and starts the command. Closing the result closes the source. It
// fails if the pictures cannot be decoded; the source is closed then.
func (h *Hook) Open(src source.Source) (*Source, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{hook: h, of: src, stop: cancel, ended: make(chan struct{}), news: make(chan struct{}, 1),
		inner: pipeline.New(pipeline.Config{Epoch: 1, Codecs: h.config.Codecs, Orientation: h.config.Orientation,
			Log: h.config.Log})}
	attached := make(chan struct{})
	s.owned.Go(func() {
		defer close(s.ended)
		s.why = s.inner.Run(ctx, src, func() { close(attached) })
	})
	<-attached
	var err error
	if s.format, err = s.offered(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h.attach(s.inner)
	s.owned.Go(func() { s.supervise(ctx) })
	return s, nil
}

// attach sets whose work counts as that of the hook.
func (h *Hook) attach(inner *pipeline.Pipeline) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inner = inner
}

// detach keeps the sum.
func (h *Hook) detach(inner *pipeline.Pipeline) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inner == inner {
		h.inner, h.spent = nil, h.spent+inner.Work().CPU
	}
}

// offered is the format in which the command gets the pictures of the source.
func (s *Source) offered() (*mediav1.VideoFormat, error) {
	formats, err := s.inner.Offered()
	if err != nil {
		return nil, err
	}
	for _, f := range formats {
		if f.GetMediaType() == media.Raw && f.GetPixelFormat() == media.PixelBGR24 {
			return f, nil
		}
	}
	own := s.of.Info().Current.GetMediaType()
	err = s.hook.config.Codecs.CheckDecoder(own)
	if err == nil {
		err = fmt.Errorf("%w: %s cannot be made of %s", media.ErrFormat, media.PixelBGR24, own)
	}
	return nil, fmt.Errorf("preprocess: %w; or remove the key", err)
}

// Info implements [source.Source]: pictures are raw and upright.
func (s *Source) Info() source.Info {
	info := s.of.Info()
	s.mu.Lock()
	defer s.mu.Unlock()
	attributes := map[string]string{}
	maps.Copy(attributes, info.Attributes)
	return source.Info{Native: info.Native, Current: s.format, Attributes: attributes}
}

// Watch implements [source.Watcher].
func (s *Source) Watch(ctx context.Context) error {
	select {
	case <-s.ended:
		return s.gone()
	case <-ctx.Done():
		return nil
	}
}

// gone is why the source has ended.
func (s *Source) gone() error {
	if s.why != nil {
		return s.why
	}
	return fmt.Errorf("%w: closed", device.ErrAway)
}

// Close implements [source.Source].
func (s *Source) Close() error {
	s.close.Do(func() {
		s.stop()
		s.owned.Wait()
		s.hook.detach(s.inner)
		s.inner.Close()
		s.failed = s.of.Close()
	})
	return s.failed
}

// supervise keeps the command running, on a thread that ends with it.
func (s *Source) supervise(ctx context.Context) {
	runtime.LockOSThread()
	for ctx.Err() == nil {
		began := time.Now()
		err := s.live(ctx)
		if ctx.Err() != nil || errors.Is(err, errResized) {
			continue
		}
		timer := time.NewTimer(s.hook.failed(err, time.Since(began)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// live runs the command once.
func (s *Source) live(ctx context.Context) error {
	s.mu.Lock()
	format := s.format
	s.mu.Unlock()
	c, err := launch(s.hook.config.Command, format)
	if err != nil {
		return err
	}
	s.hook.runs()
	s.set(c)
	defer s.set(nil)
	return c.run(ctx, func(r io.Reader) { relay(r, s.hook.config.Log) })
}

func (s *Source) set(c *child) {
	s.mu.Lock()
	s.child = c
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *Source) current() *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child
}

// fits returns the command if it takes pictures of a format. If they have another size than before, it is started
// again.
func (s *Source) fits(f *mediav1.VideoFormat) *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.child
	if c == nil || sameSize(c.format, f) {
		return c
	}
	s.format = f
	c.end(errResized)
	return nil
}

func sameSize(a, b *mediav1.VideoFormat) bool {
	return a.GetWidthPx() == b.GetWidthPx() && a.GetHeightPx() == b.GetHeightPx()
}
