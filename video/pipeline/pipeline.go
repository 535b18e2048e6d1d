package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/turns"
	"github.com/waldo-robot/waldo/video/encode"
	"github.com/waldo-robot/waldo/video/source"
)

// Errors of a Pipeline. Formats that cannot be made give errors that wrap media.ErrFormat.
var (
	ErrAway    = errors.New("the camera is away")
	ErrTooMany = errors.New("too many different formats are being made")
	ErrNative  = errors.New("the camera compresses by itself and cannot be told how")
	ErrClosed  = errors.New("the camera is shutting down")
)

// settle is how long nobody has looked when memory is given back to the system.
const settle = 3 * time.Second

// Config says how to work. Epoch is required; the zero value of everything else works.
type Config struct {
	Epoch       int64 // of the device process, in every frame
	Orientation encode.Orientation
	Bitrate     int                   // of H.264 in the configured size, bit/s; 0 picks one for size and rate
	JPEGQuality int                   // 1 to 100; 0 means encode.DefaultJPEGQuality
	Log         *slog.Logger          // default: nothing
	Metrics     prometheus.Registerer // where waldo_camera_* are registered; default: nowhere
}

// Pipeline is described in the package comment.
type Pipeline struct {
	config   Config
	log      *slog.Logger
	metrics  *metrics
	captured *stream.Topic[*capture]
	decoder  encode.Decoder // used by the capturing goroutine alone, where the order of frames matters
	captures int64          // of this process; owned by the capturing goroutine
	stills   turns.Queue[key, *mediav1.VideoFrame]

	liveSequence atomic.Int64 // next sequence of the live variant, which outlives it
	bitrate      atomic.Int64 // of the live variant

	mu       sync.Mutex
	info     *source.Info       // nil while the source is away
	turned   encode.Orientation // of the present source's pictures: by what the source says, and then as configured
	variants map[key]*variant
	lastLive chan struct{} // closed when the last live variant has ended
	wake     chan struct{} // tells Run that there are readers
	stop     func()        // ends the capture under way
	owed     int           // bytes, see owe
	closed   bool
	running  sync.WaitGroup // variants
}

// New returns a pipeline without a source.
func New(config Config) *Pipeline {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pipeline{
		config: config, log: config.Log, metrics: newMetrics(config.Metrics),
		captured: stream.NewTopic[*capture](), variants: map[key]*variant{},
		wake: make(chan struct{}, 1), lastLive: closedChannel(),
	}
	p.bitrate.Store(int64(config.Bitrate))
	return p
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Run captures from a source whenever there are readers, until ctx ends (it then returns nil) or the source goes. It calls
// attached once readers can be opened, and does not close the source.
func (p *Pipeline) Run(ctx context.Context, src source.Source, attached func()) error {
	p.attach(src.Info())
	if note := src.Info().Note; note != "" {
		p.log.Warn(note)
	}
	defer p.detach()
	attached()
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	if w, ok := src.(source.Watcher); ok {
		watching.Go(func() {
			if err := w.Watch(ctx); err != nil {
				cancel(err)
			}
		})
	}
	for {
		capturing, stop := p.awaitReaders(ctx)
		if ctx.Err() != nil {
			return ended(ctx)
		}
		err := src.Capture(capturing, p.deliver)
		early := capturing.Err() == nil
		stop()
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case err != nil:
			return err
		case early:
			return fmt.Errorf("%w: it ended", source.ErrAway)
		}
	}
}

// ended is why a Run ended: nil if it was told to.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// awaitReaders waits until there are readers, and returns a context that ends when there are none any more.
func (p *Pipeline) awaitReaders(ctx context.Context) (context.Context, func()) {
	idle := time.NewTimer(settle)
	defer idle.Stop()
	for ctx.Err() == nil {
		p.mu.Lock()
		if len(p.variants) > 0 {
			capturing, stop := context.WithCancel(ctx)
			p.stop = stop
			p.mu.Unlock()
			return capturing, stop
		}
		p.mu.Unlock()
		select {
		case <-p.wake:
		case <-idle.C:
			debug.FreeOSMemory() // pictures are large, and there may be none for hours
		case <-ctx.Done():
		}
	}
	return ctx, func() {}
}

func (p *Pipeline) attach(info source.Info) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = &info
	p.turned = p.config.Orientation.After(encode.Orientation{FlipHorizontal: info.Mirror, Rotate: info.Rotate})
}

// detach notes that there is no source.
func (p *Pipeline) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info = nil
	_ = p.decoder.Close() // frees memory only
}

// Info describes the present source. It fails with ErrAway if there is none.
func (p *Pipeline) Info() (source.Info, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return source.Info{}, ErrAway
	}
	return *p.info, nil
}

func (p *Pipeline) orientation() encode.Orientation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turned
}

// deliver hands a captured picture to all variants.
func (p *Pipeline) deliver(f source.Frame) {
	c := &capture{frame: f, number: p.captures, orientation: p.orientation()}
	p.captures++
	p.metrics.captured.Inc()
	p.metrics.drop(dropSource, uint64(max(0, f.Lost)))
	if f.Format.GetMediaType() == media.H264 && p.pixelsWanted() {
		c.decode(&p.decoder) // it needs every frame, and in order
	}
	p.captured.Publish(c)
}

// pixelsWanted reports whether any variant cannot pass the source's frames through.
func (p *Pipeline) pixelsWanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.variants {
		if !p.passes(k) {
			return true
		}
	}
	return false
}

// RequestKeyFrame asks for a key frame in the live variant, the H.264 stream in the configured size. It fails with ErrNative
// if the source makes that stream by itself.
func (p *Pipeline) RequestKeyFrame() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nativeLive() {
		return ErrNative
	}
	if v := p.variants[live]; v != nil {
		v.requestKey()
	}
	return nil // without a live variant its next frame is a key frame anyway
}

// SetBitrate changes the target of the live variant from its next picture on. It fails with ErrNative if the source makes
// that stream by itself.
func (p *Pipeline) SetBitrate(bps int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nativeLive() {
		return ErrNative
	}
	p.bitrate.Store(int64(bps))
	return nil
}

// KeyFrameOnRequest reports whether RequestKeyFrame can work with the present source.
func (p *Pipeline) KeyFrameOnRequest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.nativeLive()
}

// nativeLive reports whether the live variant passes through what the source compressed. The caller holds mu.
func (p *Pipeline) nativeLive() bool {
	return p.info != nil && p.info.Current.GetMediaType() == media.H264 && p.turned.None()
}

// Close ends all readers, and returns when nothing runs any more. Run must have ended before.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	variants := p.variants
	p.variants = map[key]*variant{}
	p.mu.Unlock()
	for _, v := range variants {
		v.end(io.EOF)
	}
	p.running.Wait()
}

// oriented is the format of the pictures readers get by default: the source's after turning. The caller holds mu, and there
// is a source.
func (p *Pipeline) oriented() (width, height int, rate float64) {
	f := p.info.Current
	width, height = p.turned.Size(int(f.GetWidthPx()), int(f.GetHeightPx()))
	return width, height, f.GetFrameRateHz()
}

// Offered lists the formats that readers can have at the default size; other sizes are free.
func (p *Pipeline) Offered() ([]*mediav1.VideoFormat, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return nil, ErrAway
	}
	width, height, rate := p.oriented()
	var offered []*mediav1.VideoFormat
	for _, f := range []*mediav1.VideoFormat{
		{MediaType: media.H264}, {MediaType: media.JPEG},
		{MediaType: media.Raw, PixelFormat: media.PixelI420}, {MediaType: media.Raw, PixelFormat: media.PixelYUYV},
		{MediaType: media.Raw, PixelFormat: media.PixelNV12}, {MediaType: media.Raw, PixelFormat: media.PixelBGR24},
	} {
		w, h := evenFor(f, width, height)
		f.WidthPx, f.HeightPx, f.FrameRateHz = int32(w), int32(h), rate
		if encode.Check(f) == nil {
			offered = append(offered, f)
		}
	}
	return offered, nil
}
