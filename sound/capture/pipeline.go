package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/card"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// ErrTooMany is returned by Open when listeners ask for more than 32 formats at once.
var ErrTooMany = errors.New("too many different formats are being made")

const (
	// maxVariants bounds how many different formats listeners can make the process encode at once.
	maxVariants = 32
	// maxDelay is how much sound may wait for a variant, and then again for a listener.
	maxDelay = 500 * time.Millisecond
)

// Jump is how late a block may be before the time up to it counts as not captured. A shorter gap does not count, so a
// microphone that knows of one gives silence.
const Jump = 200 * time.Millisecond

// Config configures a pipeline. Epoch and Format are required; the zero value of everything else works.
type Config struct {
	Epoch   int64      // of the device process, in every frame
	Format  pcm.Format // of what is captured
	Block   int        // frames of raw sound in a frame for listeners that do not choose; 0 means 10 ms
	Opus    Opus
	Volume  *pcm.Volume  // how loud; default: as captured
	Tap     string       // where the sound is from, for the metrics
	Log     *slog.Logger // default: nothing
	Metrics *Metrics     // default: nowhere
	// Turn is called when work on a block begins: what is done with it as it is captured, and each conversion and
	// encoding. The function that it returns is called when the work ends. Default: nobody wants to know.
	Turn func() (end func())
}

// Pipeline is described in the package comment.
type Pipeline struct {
	config   Config
	began    time.Time
	metrics  tapMetrics
	captured *stream.Topic[*block]
	meter    pcm.Meter
	variants *stream.Shared[key, *variant]
	count    atomic.Int64  // of variants
	demand   stream.Demand // of readers, and of those who want to know how loud it is

	// The next two belong to the capturing goroutine.
	next int64     // index of the next frame
	due  time.Time // when that frame is expected; zero at the beginning of a capture

	// The live variant outlives its readers in these two.
	liveTurn     sync.Mutex   // held while one runs: two would number their frames at the same time
	liveSequence atomic.Int64 // of the next frame
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
	if config.Turn == nil {
		config.Turn = func() func() { return func() {} }
	}
	config.Opus = config.Opus.complete()
	p := &Pipeline{config: config, began: time.Now(), metrics: config.Metrics.of(config.Tap),
		captured: stream.NewTopic[*block]()}
	p.variants = stream.NewShared(p.open)
	return p
}

// Run captures from a microphone whenever somebody wants sound, until ctx ends (it then returns nil) or the microphone
// fails.
func (p *Pipeline) Run(ctx context.Context, m card.Microphone) error {
	err := p.demand.While(ctx, func(wanted context.Context) error {
		p.due = time.Time{}
		err := m.Capture(wanted, p.feed)
		if err == nil && wanted.Err() == nil {
			err = fmt.Errorf("%w: the capture ended", device.ErrAway)
		}
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Want has sound captured, for those who want to know how loud it is, until release is called, which may be more than
// once.
func (p *Pipeline) Want() (release func()) { return p.demand.Want() }

// Batch returns in how many frames a variant is due next, counted from the sound that was captured last: a microphone
// that makes its sound itself may give so much at once, and nobody gets it later. It is for the capturing goroutine.
func (p *Pipeline) Batch() int {
	least := p.config.Format.Frames(p.config.Opus.Packet)
	for _, v := range p.variants.All() {
		least = min(least, v.missing(p.next))
	}
	return least
}

// Meter measures what is captured.
func (p *Pipeline) Meter() *pcm.Meter { return &p.meter }

// Volume is how loud it is set.
func (p *Pipeline) Volume() *pcm.Volume { return p.config.Volume }

// feed takes captured sound.
func (p *Pipeline) feed(samples []float32, at time.Time) {
	defer p.config.Turn()()
	f := p.config.Format
	b := &block{samples: append([]float32(nil), samples...), at: at, index: p.place(at, int64(len(samples)/f.Channels))}
	invalid, clipped := pcm.Clean(b.samples)
	p.config.Volume.Apply(b.samples, f.Channels)
	_, louder := pcm.Clean(b.samples)
	p.metrics.repair(invalid, clipped+louder)
	p.metrics.captured.Add(float64(len(samples) / f.Channels))
	p.meter.Add(b.samples)
	p.captured.Publish(b)
}

// place returns the index of a block's first frame: the one after the last, unless time has passed in which nothing was
// captured. Clocks that run a little differently do not count.
func (p *Pipeline) place(at time.Time, frames int64) int64 {
	f := p.config.Format
	switch {
	case p.due.IsZero():
		p.next = max(p.next, int64(at.Sub(p.began).Seconds()*float64(f.Rate)))
	case at.Sub(p.due) > Jump:
		p.next += int64(at.Sub(p.due).Seconds() * float64(f.Rate))
	}
	index := p.next
	p.next += frames
	p.due = at.Add(f.Duration(frames))
	return index
}

// Close ends all readers, and returns when nothing runs any more. Run must have ended before.
func (p *Pipeline) Close() { p.variants.Close() }
