package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/inflight"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/video/codec"
)

// maxPassQueue is how many frames of a compressed source may wait: unlike pictures they depend on one another.
const maxPassQueue = 30

// output is a frame as readers get it.
type output struct {
	frame  *mediav1.VideoFrame
	number int64    // of the capture
	lead   []output // what a reader must read before it; see source.Replay
}

// variant makes one format for all readers that want it.
type variant struct {
	p       *Pipeline
	key     key
	inter   bool // its frames depend on one another
	keys    keyPacer
	input   *stream.Subscription[*capture]
	pixels  int           // that it must make for each picture
	release func()        // ends its want of captures
	before  []*capture    // what passes through, since the last key frame before it was opened
	primed  chan struct{} // closed when those are in replay: until then nobody may join
	joined  chan struct{} // closed by the first reader: until then frames would have no receiver

	mu     sync.Mutex // held while a frame is published, so that replay and topic agree for a new reader
	topic  *stream.Topic[output]
	replay media.Group[output] // of a compressed source
	begun  bool                // joined is closed

	awaited bool  // a reader has come since the last frame
	made    int64 // number of the last capture of which a frame was made; -1 before the first

	// The rest is owned by Run and Close.
	life     *life
	governor *governor // of a live variant whose frames depend on one another
	encoder  codec.Encoder
	blur     blur
	format   *mediav1.VideoFormat // of encoder, or of what is passed through
	bitrate  int64                // that encoder is set to
	scaler   codec.Scaler
	ended    error // what readers get after the last frame
	pace     media.Pacer
	passing  media.Resync // of a compressed source
	lost     uint64       // captures skipped so far
	warned   time.Time
}

// newVariant opens the variant with a key. It fails with device.ErrAway or ErrTooMany.
func (p *Pipeline) newVariant(_ context.Context, k key) (*variant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return nil, device.ErrAway
	}
	if err := p.room(k); err != nil {
		return nil, err
	}
	v := &variant{
		p: p, key: k, inter: media.InterCoded(k.mediaType), pixels: p.pixels(k), joined: make(chan struct{}),
		primed: make(chan struct{}), topic: stream.NewTopic[output](), life: &life{epoch: p.config.Epoch}, made: -1,
		pace:   media.Pacer{Rate: k.rate},
		scaler: codec.Scaler{Scale: p.config.Codecs.Scale, Reuse: k.mediaType != media.Raw},
	}
	if k.live() {
		v.life = p.lifeOf(k.stream())
	}
	if k.live() && v.inter {
		v.governor = &governor{p: p, stream: k.stream(), limits: &v.life.limits}
	}
	policy := stream.Latest()
	if v.inter && p.passes(k) {
		policy = stream.DropOldest(maxPassQueue)
		v.before = p.recent.Frames()
	}
	v.input = p.captured.Subscribe(policy)
	p.running[v] = true
	captures, frames := p.wanted.Want(), p.read.Want()
	v.release = func() { frames(); captures() }
	return v, nil
}

// lifeOf is the one life of a stream. The caller holds mu.
func (p *Pipeline) lifeOf(s Stream) *life {
	l := p.lives[s]
	if l == nil {
		l = &life{epoch: p.config.Epoch}
		p.lives[s] = l
	}
	return l
}

// Run implements [stream.Resource]: it makes frames until ctx ends.
func (v *variant) Run(ctx context.Context) {
	v.life.turn.Lock()
	defer v.life.turn.Unlock()
	defer v.closeEncoder()
	if v.governor != nil {
		defer v.governor.close()
	}
	v.prime()
	select {
	case <-v.joined:
	case <-ctx.Done():
	}
	for {
		c, err := v.input.Next(ctx)
		if err != nil {
			break
		}
		v.countLost()
		if c.again() && !v.needs(c) {
			continue
		}
		order, wanted := v.wants(c)
		if !wanted {
			continue
		}
		if err := v.make(ctx, c, order); err != nil {
			v.p.metrics.drop(dropBroken, 1)
			v.warn(err)
			v.closeEncoder()
		}
	}
	if errors.Is(context.Cause(ctx), stream.ErrClosed) {
		v.ended = io.EOF
	}
}

// prime makes what the first reader begins with.
func (v *variant) prime() {
	defer close(v.primed)
	for _, c := range v.before {
		if v.takes(c) {
			v.pass(c, nil)
		}
	}
	v.before = nil
}

// needs reports whether somebody waits for a picture that was delivered before. Readers of what passes through began
// with it.
func (v *variant) needs(c *capture) bool {
	if v.inter && v.takes(c) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return c.number != v.made || v.awaited || v.inter && v.keys.waits()
}

// Close implements [stream.Resource]: it ends the readers, and the capture with the last variant.
func (v *variant) Close() {
	v.input.Close()
	v.topic.Close(v.ended)
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	delete(v.p.running, v)
	v.release()
}

func (v *variant) countLost() {
	lost := v.input.Lost()
	v.p.metrics.drop(dropLate, lost-v.lost)
	v.lost = lost
}

// make turns a capture into a frame and publishes it. Each step may take long, so none starts once ctx has ended.
func (v *variant) make(ctx context.Context, c *capture, o order) error {
	if v.takes(c) {
		v.pass(c, c.lead)
		return nil
	}
	img, err := c.pixels()
	if err != nil || img == nil {
		return err
	}
	if err := v.prepare(o); err != nil {
		return err
	}
	v.p.metrics.spend(stepScale, v.key.mediaType, func() {
		img, err = v.scaler.Fit(img, int(v.format.GetWidthPx()), int(v.format.GetHeightPx()))
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	return v.encode(c, img, o)
}

// takes reports whether a capture already is what the variant makes.
func (v *variant) takes(c *capture) bool {
	f := &c.frame
	return v.key.passes(f.Format, c.orientation) && f.Data != nil && f.Stride == 0 &&
		!v.p.again(v.key.mediaType, f.Recode)
}

// pass publishes a capture as it is, with what it depends on.
func (v *variant) pass(c *capture, lead []*capture) {
	if v.inter && !v.passing.Accept(1, c.number, c.frame.Begins()) {
		v.p.wantKey(v.key)
		return
	}
	v.closeEncoder()
	v.format = c.frame.Format
	var before []output
	for _, l := range lead {
		before = append(before, v.output(l, l.time(true), codec.Packet{Data: l.frame.Data, Key: l.frame.Key}))
	}
	v.publish(v.output(c, c.time(true), codec.Packet{Data: c.frame.Data, Key: c.frame.Key}), before)
	v.p.metrics.passed.WithLabelValues(v.key.mediaType).Inc()
}

// output makes a frame. A new epoch is numbered from 0.
func (v *variant) output(c *capture, at time.Time, packet codec.Packet) output {
	if epoch := c.epoch(v.p.config.Epoch); epoch != v.life.epoch {
		v.life.epoch = epoch
		v.life.sequence.Store(0)
	}
	f := &mediav1.VideoFrame{
		Epoch: v.life.epoch, Sequence: v.life.sequence.Add(1) - 1, Format: v.format, KeyFrame: packet.Key, Data: packet.Data,
		Metadata: c.frame.Metadata,
	}
	c.stamp(f, at)
	return output{number: c.number, frame: f}
}

func (v *variant) publish(out output, lead []output) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.inter && v.encoder == nil {
		for _, o := range append(slices.Clip(lead), out) {
			v.replay.Add(o, len(o.frame.GetData()), o.frame.GetKeyFrame())
		}
	}
	out.lead = lead
	v.made, v.awaited = out.number, false
	v.topic.Publish(out)
}

// subscribe adds a reader for whom so many pictures may wait that do not depend on one another, and returns the frames
// it must read first. Every reader but the first needs a key frame to begin with.
func (v *variant) subscribe(waiting int) (*stream.Subscription[output], []output) {
	sub, before := v.add(waiting)
	if v.inter && len(before) == 0 {
		v.p.wantKey(v.key)
	}
	return sub, before
}

func (v *variant) add(waiting int) (*stream.Subscription[output], []output) {
	v.mu.Lock()
	defer v.mu.Unlock()
	policy := stream.DropOldest(waiting)
	if v.inter {
		policy = stream.DropOldest(readerQueue).Within(inflight.MaxWait)
	}
	sub := v.topic.Subscribe(policy)
	v.awaited = true
	switch {
	case !v.begun:
		v.begun = true
		close(v.joined)
	case v.inter:
		v.requestKey()
	}
	return sub, v.replay.Frames()
}

// await has a picture made that was delivered before: the last frame was not one that somebody wants.
func (v *variant) await() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.awaited = true
}

func (v *variant) requestKey() {
	v.p.metrics.keysWanted.Inc()
	v.keys.request()
}

// warn logs, but not for every picture.
func (v *variant) warn(err error) {
	if time.Since(v.warned) > 10*time.Second {
		v.warned = time.Now()
		v.p.log.Warn("a picture could not be made", "format", fmt.Sprint(v.format), "error", err)
	}
}
