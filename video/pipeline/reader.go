package pipeline

import (
	"context"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// readerQueue is how many frames of H.264 may wait for a slow reader before it has to wait for a key frame instead.
const readerQueue = 8

// Reader receives the frames of one format.
type Reader struct {
	v       *variant
	sub     *stream.Subscription[output]
	backlog []output
	owed    int // see Pipeline.owe
	resync  media.Resync
	skipped int64 // before the first frame was delivered
	started bool
	close   sync.Once
}

// Open adds a reader. Of the format a size of 0x0 means the source's own, one side of 0 keeps its shape, and no side is made larger than
// the source's; a rate of 0 means as captured. The errors are ErrAway, ErrTooMany, ErrClosed, or wrap media.ErrFormat. Close the reader.
func (p *Pipeline) Open(want *mediav1.VideoFormat) (*Reader, error) { return p.open(want, p.owe) }

// open adds a reader that is owed what owe says.
func (p *Pipeline) open(want *mediav1.VideoFormat, owe func(key) (int, error)) (*Reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, ErrClosed
	case p.info == nil:
		return nil, ErrAway
	}
	k, err := p.resolve(want)
	if err != nil {
		return nil, err
	}
	v := p.variants[k]
	if v == nil {
		if err := p.room(k); err != nil {
			return nil, err
		}
	}
	owed, err := owe(k)
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = p.addVariant(k)
	}
	v.refs++
	p.metrics.readers.Inc()
	if k.mediaType == media.H264 && v.refs > 1 {
		v.requestKey()
	}
	r := &Reader{v: v, owed: owed}
	r.sub, r.backlog = v.subscribe()
	return r, nil
}

// addVariant starts a variant, and the capture if it is the first. The caller holds mu.
func (p *Pipeline) addVariant(k key) *variant {
	after := closedChannel()
	if k == live {
		after = p.lastLive // two of them would number their frames at the same time
	}
	v := p.startVariant(k, after)
	if k == live {
		p.lastLive = v.done
	}
	p.variants[k] = v
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return v
}

// drop takes a reader's part in a variant back, and reports whether it was the last.
func (p *Pipeline) drop(v *variant, owed int) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.metrics.readers.Dec()
	p.owed -= owed
	v.refs--
	if v.refs > 0 || p.variants[v.key] != v {
		return false
	}
	delete(p.variants, v.key)
	if len(p.variants) == 0 && p.stop != nil {
		p.stop()
	}
	return true
}

// Next returns the next frame, waiting for it if need be, also while the source is away. The first is a key frame, and every
// frame can be decoded with those delivered before. It fails with the context's error, or io.EOF when the pipeline is closed.
func (r *Reader) Next(ctx context.Context) (*mediav1.VideoFrame, error) {
	out, err := r.next(ctx)
	return out.frame, err
}

func (r *Reader) next(ctx context.Context) (output, error) {
	for {
		if err := ctx.Err(); err != nil { // before the backlog too
			return output{}, err
		}
		out, err := r.take(ctx)
		if err != nil {
			return output{}, err
		}
		if r.v.key.mediaType != media.H264 {
			r.started = true
			return out, nil
		}
		f := out.frame
		if r.resync.Accept(f.GetEpoch(), f.GetSequence(), f.GetKeyFrame()) {
			r.started = true
			return out, nil
		}
		if r.started {
			r.v.p.metrics.drop(dropSlowReader, 1)
		} else {
			r.skipped++
		}
		if r.started || r.sub.Lost() > 0 { // otherwise the key frame that Open asked for is yet to come
			r.v.requestKey()
		}
	}
}

func (r *Reader) take(ctx context.Context) (output, error) {
	if len(r.backlog) > 0 {
		out := r.backlog[0]
		r.backlog = r.backlog[1:]
		return out, nil
	}
	return r.sub.Next(ctx)
}

// Dropped is how many frames the reader has lost because it was slow.
func (r *Reader) Dropped() int64 {
	return int64(r.sub.Lost()) + int64(r.resync.Skipped()) - r.skipped
}

// Close takes the reader off. If it was the last of its variant it returns when that has ended.
func (r *Reader) Close() {
	r.close.Do(func() {
		r.v.p.metrics.drop(dropSlowReader, r.sub.Lost())
		r.sub.Close()
		if r.v.p.drop(r.v, r.owed) {
			r.v.end(nil)
		}
	})
}

// CaptureOne returns one picture that was captured after the call, with the number of the capture as its sequence. Such pictures are made one at
// a time; callers who wait for the same one share it, and must not change it. Its errors are those of Open, Next and [turns.Queue].
func (p *Pipeline) CaptureOne(ctx context.Context, want *mediav1.VideoFormat) (*mediav1.VideoFrame, error) {
	k, owed, err := p.keyOf(want)
	if err != nil {
		return nil, err
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.owed -= owed
	}()
	return p.stills.Do(ctx, k, func(ctx context.Context) (*mediav1.VideoFrame, error) { return p.captureOne(ctx, want) })
}

// keyOf resolves a format, and notes what the caller is owed.
func (p *Pipeline) keyOf(want *mediav1.VideoFormat) (k key, owed int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return k, 0, ErrAway
	}
	if k, err = p.resolve(want); err == nil {
		owed, err = p.owe(k)
	}
	return k, owed, err
}

func (p *Pipeline) captureOne(ctx context.Context, want *mediav1.VideoFormat) (*mediav1.VideoFrame, error) {
	called := time.Now()
	r, err := p.open(want, func(key) (int, error) { return 0, nil }) // its callers are
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		out, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		if f := out.frame; !f.GetCaptureTime().AsTime().Before(called) {
			return &mediav1.VideoFrame{
				Epoch: f.GetEpoch(), Sequence: out.number, CaptureTime: f.GetCaptureTime(), Format: f.GetFormat(),
				KeyFrame: f.GetKeyFrame(), Data: f.GetData(), Metadata: f.GetMetadata(),
			}, nil
		}
	}
}
