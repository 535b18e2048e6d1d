package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/audio/card"
	"github.com/waldo-robot/waldo/services/audio/pcm"
)

// Errors of a Pipeline. Formats that cannot be made give errors that wrap pcm.ErrFormat.
var (
	ErrTooMany = errors.New("too many different formats are being made")
	ErrClosed  = errors.New("the sound card is shutting down")
)

const (
	// maxVariants bounds how many different formats listeners can make the process encode at once.
	maxVariants = 32
	// maxDelay is how much sound may wait for a variant, and again for a listener.
	maxDelay = 500 * time.Millisecond
	// jump is how late a block may be before the time up to it counts as not captured.
	jump = 200 * time.Millisecond
)

// Config says how to work. Epoch and Format are required; the zero value of everything else works.
type Config struct {
	Epoch   int64      // of the device process, in every frame
	Format  pcm.Format // of what is captured
	Block   int        // frames of raw sound in a frame where a listener does not say; 0 means 10 ms
	Opus    Opus
	Volume  *pcm.Volume  // how loud; default: as captured
	Tap     string       // where the sound is from, for the metrics
	Log     *slog.Logger // default: nothing
	Metrics *Metrics     // default: nowhere
}

// Pipeline is described in the package comment.
type Pipeline struct {
	config   Config
	began    time.Time
	captured *stream.Topic[*block]
	meter    pcm.Meter

	// The next two belong to the capturing goroutine.
	next int64     // index of the next frame
	due  time.Time // when that frame is expected; zero at the beginning of a capture

	liveSequence atomic.Int64 // next sequence of the live variant, which outlives it

	mu       sync.Mutex
	variants map[key]*variant
	lastLive chan struct{} // closed when the last live variant has ended
	wants    int           // listeners, and others who want sound to be captured
	wake     chan struct{} // tells Run that somebody wants sound
	stop     func()        // ends the capture under way
	closed   bool
	running  sync.WaitGroup // variants
}

// block is captured sound, shared by all variants.
type block struct {
	samples []float32
	at      time.Time // of the first frame
	index   int64     // of the first frame
}

// New returns a pipeline without a microphone.
func New(config Config) *Pipeline {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Metrics == nil {
		config.Metrics = NewMetrics(nil)
	}
	if config.Block == 0 {
		config.Block = config.Format.Frames(10 * time.Millisecond)
	}
	if config.Volume == nil {
		config.Volume = &pcm.Volume{}
	}
	config.Opus = config.Opus.complete()
	config.Metrics.show(config.Tap)
	done := make(chan struct{})
	close(done)
	return &Pipeline{
		config: config, began: time.Now(), captured: stream.NewTopic[*block](), variants: map[key]*variant{},
		lastLive: done, wake: make(chan struct{}, 1),
	}
}

// Run captures from a microphone whenever somebody wants sound, until ctx ends (it then returns nil) or the microphone fails.
func (p *Pipeline) Run(ctx context.Context, m card.Microphone) error {
	for {
		capturing, stop := p.awaitWanted(ctx)
		if ctx.Err() != nil {
			stop()
			return nil
		}
		p.due = time.Time{}
		err := m.Capture(capturing, p.feed)
		early := capturing.Err() == nil
		stop()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case early:
			return fmt.Errorf("%w: the capture ended", card.ErrAway)
		}
	}
}

// awaitWanted waits until somebody wants sound, and returns a context that ends when nobody does any more.
func (p *Pipeline) awaitWanted(ctx context.Context) (context.Context, func()) {
	for ctx.Err() == nil {
		p.mu.Lock()
		if p.wants > 0 {
			capturing, stop := context.WithCancel(ctx)
			p.stop = stop
			p.mu.Unlock()
			return capturing, stop
		}
		p.mu.Unlock()
		select {
		case <-p.wake:
		case <-ctx.Done():
		}
	}
	return ctx, func() {}
}

// Want has sound captured, for whoever wants to know how loud it is, until release is called, which may be more than once.
func (p *Pipeline) Want() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.unwant()
	})
}

// want and unwant need mu.
func (p *Pipeline) want() {
	p.wants++
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Pipeline) unwant() {
	if p.wants--; p.wants == 0 && p.stop != nil {
		p.stop()
	}
}

// Meter measures what is captured.
func (p *Pipeline) Meter() *pcm.Meter { return &p.meter }

// Volume is how loud it is set.
func (p *Pipeline) Volume() *pcm.Volume { return p.config.Volume }

// feed takes captured sound.
func (p *Pipeline) feed(samples []float32, at time.Time) {
	f, m := p.config.Format, p.config.Metrics
	b := &block{samples: append([]float32(nil), samples...), at: at, index: p.place(at, int64(len(samples)/f.Channels))}
	invalid, clipped := pcm.Clean(b.samples)
	p.config.Volume.Apply(b.samples, f.Channels)
	_, louder := pcm.Clean(b.samples)
	m.repair(p.config.Tap, invalid, clipped+louder)
	m.captured.WithLabelValues(p.config.Tap).Add(float64(len(samples) / f.Channels))
	p.meter.Add(b.samples)
	p.captured.Publish(b)
}

// place returns the index of a block's first frame: the one after the last, unless time has passed in which nothing was captured. Clocks that
// run a little differently do not count.
func (p *Pipeline) place(at time.Time, frames int64) int64 {
	f := p.config.Format
	switch {
	case p.due.IsZero():
		p.next = max(p.next, int64(at.Sub(p.began).Seconds()*float64(f.Rate)))
	case at.Sub(p.due) > jump:
		p.next += int64(at.Sub(p.due).Seconds() * float64(f.Rate))
	}
	index := p.next
	p.next += frames
	p.due = at.Add(f.Duration(frames))
	return index
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
