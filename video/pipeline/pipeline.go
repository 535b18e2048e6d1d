package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/turns"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/pipeline/limits"
	"github.com/waldo-robot/waldo/video/source"
)

// Errors of a Pipeline. Formats that cannot be made give errors that wrap media.ErrFormat.
var (
	ErrTooMany = errors.New("too many different formats are being made")
	ErrNative  = errors.New("the camera compresses by itself and cannot be controlled")
)

// settle is how long there must have been no readers before memory is returned to the system.
const settle = 3 * time.Second

// Config configures a Pipeline. Epoch is required; the zero value of everything else works.
type Config struct {
	Epoch       int64     // of the device process, in every frame
	Codecs      codec.Set // what pictures are encoded and decoded with; without any they only pass through
	Orientation codec.Orientation
	Bitrate     int                   // of each live variant, bit/s; 0 picks one for size and rate
	JPEGQuality int                   // 1 to 100; 0 means codec.DefaultJPEGQuality
	Log         *slog.Logger          // default: nothing
	Metrics     prometheus.Registerer // where waldo_camera_* are registered; default: nowhere
	// Changed is called by the goroutine that captures when the answers of Offers, PassesThrough and KeyFrameOnRequest
	// may be others than when the source was attached; nil: nobody wants to know.
	Changed func()
	// Turn is called when work on a picture begins: its capture, and each decoding, scaling and encoding. The function
	// that it returns is called when the work ends, which may be on another goroutine than that of other work. nil: nobody
	// wants to know.
	Turn func() (end func())
}

// Pipeline is described in the package comment.
type Pipeline struct {
	config   Config
	log      *slog.Logger
	metrics  *metrics
	captured *stream.Topic[*capture]
	decoding decoding // of an inter-coded source; used by the capturing goroutine alone, where the order of frames matters
	captures int64    // of this process; owned by the capturing goroutine
	stills   turns.Queue[key, *mediav1.VideoFrame]
	variants *stream.Shared[key, *variant]
	wanted   stream.Demand // of captures: the variants, and a source that captures unasked
	read     stream.Demand // of frames: the variants
	bitrate  atomic.Int64  // of the live variants

	mu      sync.Mutex
	info    *source.Info          // nil while the source is away
	turned  codec.Orientation     // of the present source's pictures: first as the source reports, then as configured
	recode  bool                  // see source.Info
	keys    source.KeyFramer      // the source, if it is one; else nil
	asked   bool                  // it makes key frames on request
	recent  media.Group[*capture] // of an inter-coded source
	running map[*variant]bool     // from before their start until after their end
	lives   map[Stream]*life
	owed    int // bytes, see owe
	closed  bool
}

// life is what outlives the live variants of one stream.
type life struct {
	turn     sync.Mutex   // held by the variant that runs: two would number their frames at the same time
	epoch    int64        // of the last frame; belongs to whoever has the turn
	sequence atomic.Int64 // of the next frame
	limits   limits.Set
}

// New returns a pipeline without a source.
func New(config Config) *Pipeline {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pipeline{
		config: config, log: config.Log, metrics: newMetrics(config.Metrics),
		captured: stream.NewTopic[*capture](), running: map[*variant]bool{}, lives: map[Stream]*life{},
	}
	if p.metrics.turn = config.Turn; config.Turn == nil {
		p.metrics.turn = func() func() { return func() {} }
	}
	p.variants = stream.NewShared(p.newVariant)
	p.bitrate.Store(int64(config.Bitrate))
	return p
}

// Run captures from a source whenever there are readers, until ctx ends (it then returns nil) or the source goes. It
// calls attached once readers can be opened, and does not close the source.
func (p *Pipeline) Run(ctx context.Context, src source.Source, attached func()) error {
	p.attach(src)
	if note := src.Info().Note; note != "" {
		p.log.Warn(note)
	}
	defer p.detach()
	attached()
	ctx, cancel := context.WithCancelCause(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel(nil)
	if w, ok := src.(source.Watcher); ok {
		owned.Go(func() {
			if err := w.Watch(ctx); err != nil {
				cancel(err)
			}
		})
	}
	if src.Info().Unasked {
		defer p.wanted.Want()()
	}
	idle := time.NewTimer(settle)
	owned.Go(func() { tidy(ctx, idle.C) })
	_ = p.wanted.While(ctx, func(capturing context.Context) error {
		idle.Stop()
		defer idle.Reset(settle)
		defer p.forget()
		err := src.Capture(capturing, p.deliver)
		if err == nil && capturing.Err() == nil {
			err = fmt.Errorf("%w: it ended", device.ErrAway)
		}
		if err != nil {
			cancel(err)
		}
		return err
	})
	return ended(ctx)
}

// forget forgets the pictures of a capture that has ended: what comes next does not continue them, so a number is left
// out, and nobody who comes later is to see them. It is for the goroutine that captures.
func (p *Pipeline) forget() {
	p.captures++
	p.decoding.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent.Drop()
}

// WhileRead runs work whenever there are readers, as [stream.Demand.While] does. A source that captures
// unasked has none of its own.
func (p *Pipeline) WhileRead(ctx context.Context, work func(context.Context) error) error {
	return p.read.While(ctx, work)
}

// tidy returns memory to the system whenever nothing has been captured for a while: pictures are large, and there may
// be none for hours.
func tidy(ctx context.Context, idle <-chan time.Time) {
	for {
		select {
		case <-idle:
			debug.FreeOSMemory()
		case <-ctx.Done():
			return
		}
	}
}

// ended is why a Run ended: nil if it was asked to.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (p *Pipeline) attach(src source.Source) {
	info := src.Info()
	keys, _ := src.(source.KeyFramer)
	asked := keys != nil && keys.KeyFrameOnRequest()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info, p.recode, p.keys, p.asked = &info, info.Recode, keys, asked
	p.turned = p.config.Orientation.After(codec.Orientation{FlipHorizontal: info.Mirror, Rotate: info.Rotate})
}

// detach records that there is no source.
func (p *Pipeline) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.info, p.keys = nil, nil
}

// Info describes the present source. It fails with device.ErrAway if there is none.
func (p *Pipeline) Info() (source.Info, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return source.Info{}, device.ErrAway
	}
	return *p.info, nil
}

func (p *Pipeline) orientation() codec.Orientation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turned
}

// capture numbers a captured picture.
func (p *Pipeline) capture(f source.Frame) *capture {
	p.captures++
	return &capture{frame: f, number: p.captures - 1, orientation: p.orientation(), codecs: p.config.Codecs,
		metrics: p.metrics}
}

// lead numbers the frames that a picture of a replay depends on.
func (p *Pipeline) lead(f source.Frame) (all []*capture) {
	if f.Replay == nil {
		return nil
	}
	for _, l := range f.Replay.Lead {
		all = append(all, p.capture(l))
	}
	return all
}

// deliver passes a captured picture to all variants.
func (p *Pipeline) deliver(f source.Frame) {
	defer p.metrics.turn()()
	if f.Replay != nil && f.Replay.Again {
		p.repeat(f)
		return
	}
	lead := p.lead(f)
	c := p.capture(f)
	c.lead = lead
	p.follow(f.Format)
	p.metrics.captured.Inc()
	p.metrics.drop(dropSource, uint64(max(0, f.Lost)))
	inter := media.InterCoded(f.Format.GetMediaType())
	if inter {
		p.observe(f.Recode)
		if len(lead) > 0 {
			p.decoding.stop()
		}
		if wanted, before := p.pixelsWanted(); wanted {
			if len(lead) > 0 {
				before = lead
			}
			p.decoding.decode(c, before)
		} else {
			p.decoding.stop()
		}
	}
	p.publish(c, inter)
}

// follow keeps the source's description true when its pictures change their size or type.
func (p *Pipeline) follow(f *mediav1.VideoFormat) {
	p.mu.Lock()
	changed := p.info != nil && !sameKind(p.info.Current, f)
	if changed {
		info := *p.info
		info.Current = f
		p.info = &info
	}
	p.mu.Unlock()
	if changed && p.config.Changed != nil {
		p.config.Changed()
	}
}

// sameKind compares all of two formats but the rate, which sources know only roughly.
func sameKind(a, b *mediav1.VideoFormat) bool {
	return a.GetMediaType() == b.GetMediaType() && a.GetPixelFormat() == b.GetPixelFormat() &&
		a.GetWidthPx() == b.GetWidthPx() && a.GetHeightPx() == b.GetHeightPx()
}

// publish hands a capture to all variants, and keeps it for those that come later.
func (p *Pipeline) publish(c *capture, inter bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if inter {
		for _, l := range c.lead {
			p.recent.Add(l, len(l.frame.Data), l.frame.Key)
		}
		p.recent.Add(c, len(c.frame.Data), c.frame.Key)
	}
	p.captured.Publish(c)
}

// repeat hands the picture that was captured last to variants that encode it, for readers who have come since; see
// [source.Replay]. Readers of what passes through begin with the frames since the last key frame.
func (p *Pipeline) repeat(f source.Frame) {
	c := p.capture(f)
	p.captures--
	c.number = p.captures - 1
	if media.InterCoded(f.Format.GetMediaType()) {
		wanted, before := p.pixelsWanted()
		if !wanted {
			p.decoding.stop()
			return
		}
		p.decoding.repeat(c, before)
	}
	p.captured.Publish(c)
}

// observe notes whether the source's frames have to be encoded again, and whether it makes key frames on request.
func (p *Pipeline) observe(recode bool) {
	p.mu.Lock()
	keys := p.keys
	p.mu.Unlock()
	asked := keys != nil && keys.KeyFrameOnRequest()
	p.mu.Lock()
	changed := p.recode != recode || p.asked != asked
	p.recode, p.asked = recode, asked
	p.mu.Unlock()
	if changed && p.config.Changed != nil {
		p.config.Changed()
	}
}

// pixelsWanted reports whether any variant cannot pass the source's frames through, and what came since the last key
// frame.
func (p *Pipeline) pixelsWanted() (wanted bool, before []*capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for v := range p.running {
		if !p.passes(v.key) {
			return true, p.recent.Frames()
		}
	}
	return false, nil
}

// RequestKeyFrame requests a key frame in a stream. If the source encodes that stream itself, it is asked, and the call
// returns when a key frame has come; it fails with ErrNative if the source cannot be asked, and as [source.KeyFramer]
// says. Of pictures that do not depend on one another every one is a key frame.
func (p *Pipeline) RequestKeyFrame(ctx context.Context, s Stream) error {
	if !media.InterCoded(s.MediaType) {
		return nil
	}
	keys, passes := p.askEncoder(s)
	switch {
	case !passes:
		return nil
	case keys == nil:
		return ErrNative
	}
	p.metrics.keysWanted.Inc()
	return keys.RequestKeyFrame(ctx)
}

// askEncoder requests a key frame of the encoder of a live variant, if there is one: a future one begins with a key
// frame anyway. Otherwise passes is true, and keys is whom to ask instead.
func (p *Pipeline) askEncoder(s Stream) (keys source.KeyFramer, passes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := s.key()
	if p.passes(k) {
		return p.keys, true
	}
	for v := range p.running {
		if v.key == k {
			v.requestKey()
		}
	}
	return nil, false
}

// wantKey asks the source for a key frame, if its frames go to a variant untouched and it can be asked.
func (p *Pipeline) wantKey(k key) {
	p.mu.Lock()
	keys := p.keys
	if !p.passes(k) {
		keys = nil
	}
	p.mu.Unlock()
	if keys != nil {
		keys.WantKeyFrame()
	}
}

// KeyFrameOnRequest reports whether RequestKeyFrame can work with the present source.
func (p *Pipeline) KeyFrameOnRequest(s Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked || !media.InterCoded(s.MediaType) || !p.passes(s.key())
}

// PassesThrough reports whether the source itself makes the frames of a stream.
func (p *Pipeline) PassesThrough(s Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passes(s.key())
}

// Offers reports whether a stream can be made from the present source, so that all who take its media type can show it.
func (p *Pipeline) Offers(s Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil || p.recode && !p.config.Codecs.Encodes(s.MediaType) {
		return false
	}
	width, height, rate := p.oriented()
	f := &mediav1.VideoFormat{MediaType: s.MediaType, FrameRateHz: rate}
	w, h := media.Even(f, width, height)
	f.WidthPx, f.HeightPx = int32(w), int32(h)
	return p.possible(s.key(), f) == nil
}

// Close ends all readers, and returns when nothing runs any more. Run must have returned before.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.variants.Close()
}

// oriented is the format of the pictures that readers get by default: the source's after turning. The caller holds mu,
// and there is a source.
func (p *Pipeline) oriented() (width, height int, rate float64) {
	f := p.info.Current
	width, height = p.turned.Size(int(f.GetWidthPx()), int(f.GetHeightPx()))
	return width, height, f.GetFrameRateHz()
}
