package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// readerQueue is how many inter-coded frames may wait for a slow reader before it must wait for a key frame instead.
const readerQueue = 8

// forwardQueue is how many pictures may wait for a reader of [Pipeline.OpenStream].
const forwardQueue = 4

// Reader receives the frames of one format.
type Reader struct {
	v       *variant
	share   *stream.Share[*variant]
	sub     *stream.Subscription[output]
	backlog []output
	owed    int // see Pipeline.owe
	resync  media.Resync
	skipped int64 // before the first frame was delivered
	started bool
	close   sync.Once
}

// Open adds a reader. In the format, a size of 0x0 means the source's own, a single side of 0 keeps the shape, and no
// side becomes larger than the source's; a rate of 0 means as captured. The errors are device.ErrAway, ErrTooMany,
// device.ErrStopping, or wrap media.ErrFormat. Close the reader.
func (p *Pipeline) Open(want *mediav1.VideoFormat) (*Reader, error) {
	k, owed, err := p.keyOf(want)
	if err != nil {
		return nil, err
	}
	return p.openOne(k, owed, 1)
}

// OpenStream is Open for a reader that publishes a stream on the bus. It takes no time: of pictures that do not depend
// on one another a few wait for it, so that it loses none when it does not get a CPU for a moment. Others get only the
// newest.
func (p *Pipeline) OpenStream(s Stream) (*Reader, error) {
	k, owed, err := p.keyOf(&mediav1.VideoFormat{MediaType: s.MediaType})
	if err != nil {
		return nil, err
	}
	k.small = s.Small
	return p.openOne(k, owed, forwardQueue)
}

// openOne opens a reader that is owed so many bytes.
func (p *Pipeline) openOne(k key, owed, waiting int) (*Reader, error) {
	r, err := p.open(context.Background(), k, waiting) // nothing in it takes long
	if err != nil {
		p.release(owed)
		return nil, err
	}
	r.owed = owed
	return r, nil
}

// open adds a reader to a variant, without counting what it is owed.
func (p *Pipeline) open(ctx context.Context, k key, waiting int) (*Reader, error) {
	share, err := p.variants.Acquire(ctx, k)
	if errors.Is(err, stream.ErrClosed) {
		return nil, device.ErrStopping
	}
	if err != nil {
		return nil, err
	}
	select {
	case <-share.Value.primed:
	case <-share.Ended():
	}
	p.metrics.readers.Inc()
	r := &Reader{v: share.Value, share: share}
	r.sub, r.backlog = r.v.subscribe(waiting)
	return r, nil
}

// Next returns the next frame and waits for it, also while the source is away. The first is a key frame, and every
// frame can be decoded with those delivered before. It fails with the context's error, or io.EOF when the pipeline is
// closed.
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
		if !r.v.inter {
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
			r.v.p.wantKey(r.v.key)
		}
	}
}

func (r *Reader) take(ctx context.Context) (output, error) {
	if len(r.backlog) > 0 {
		out := r.backlog[0]
		r.backlog = r.backlog[1:]
		return out, nil
	}
	out, err := r.sub.Next(ctx)
	if err != nil || len(out.lead) == 0 {
		return out, err
	}
	first := out.lead[0]
	r.backlog = append(slices.Clone(out.lead[1:]), output{frame: out.frame, number: out.number})
	return first, nil
}

// Variant is comparable, and the same for readers that get the same frames.
func (r *Reader) Variant() any { return r.v }

// Dropped is how many frames the reader has lost because it was slow.
func (r *Reader) Dropped() int64 {
	return int64(r.sub.Lost()) + int64(r.resync.Skipped()) - r.skipped
}

// Close removes the reader. If it was the last of its variant, Close waits for the variant's end.
func (r *Reader) Close() {
	r.close.Do(func() {
		r.v.p.metrics.drop(dropSlowReader, r.sub.Lost())
		r.sub.Close()
		r.v.p.metrics.readers.Dec()
		r.v.p.release(r.owed)
		if r.share.Release() {
			<-r.share.Ended()
		}
	})
}

// CaptureOne returns one picture that was captured after the call, with the capture's number as its sequence. Such
// pictures are made one at a time; callers who wait for the same one share it, and must not change it. Its errors are
// those of Open, Next and [turns.Queue].
func (p *Pipeline) CaptureOne(ctx context.Context, want *mediav1.VideoFormat) (*mediav1.VideoFrame, error) {
	k, owed, err := p.keyOf(want)
	if err != nil {
		return nil, err
	}
	defer p.release(owed)
	return p.stills.Do(ctx, k, func(ctx context.Context) (*mediav1.VideoFrame, error) { return p.captureOne(ctx, k) })
}

// release returns what keyOf counted as owed.
func (p *Pipeline) release(owed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owed -= owed
}

// keyOf resolves a format, and counts what the caller is owed.
func (p *Pipeline) keyOf(want *mediav1.VideoFormat) (k key, owed int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return k, 0, device.ErrStopping
	case p.info == nil:
		return k, 0, device.ErrAway
	}
	if k, err = p.resolve(want); err == nil {
		owed, err = p.owe(k)
	}
	return k, owed, err
}

func (p *Pipeline) captureOne(ctx context.Context, k key) (*mediav1.VideoFrame, error) {
	called := time.Now()
	r, err := p.open(ctx, k, 1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		out, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		if f := out.frame; !media.Moment(f).Before(called) {
			return &mediav1.VideoFrame{
				Epoch: f.GetEpoch(), Sequence: out.number, CaptureTime: f.GetCaptureTime(), Format: f.GetFormat(),
				KeyFrame: f.GetKeyFrame(), Data: f.GetData(), Metadata: f.GetMetadata(), ReplayTime: f.GetReplayTime(),
			}, nil
		}
		r.v.await()
	}
}
