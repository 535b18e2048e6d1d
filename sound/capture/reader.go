package capture

import (
	"context"
	"errors"
	"sync"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Reader receives the frames of one format.
type Reader struct {
	p       *Pipeline
	variant *stream.Share[*variant]
	sub     *stream.Subscription[*mediav1.AudioFrame]
	release func() // of the demand
	close   sync.Once
}

// Open adds a reader. Of the format an empty media type means Opus, an empty sample format S16LE, rate and channels
// of 0 as captured; of raw sound 0 samples in a frame mean as captured. The errors are ErrTooMany, device.ErrStopping
// after Close, or wrap pcm.ErrFormat. Close the reader.
func (p *Pipeline) Open(want *mediav1.AudioFormat, blockSamples int) (*Reader, error) {
	k, err := p.resolve(want, blockSamples)
	if err != nil {
		return nil, err
	}
	v, err := p.variants.Acquire(context.Background(), k) // at once: opening a variant waits for nothing
	switch {
	case errors.Is(err, stream.ErrClosed):
		return nil, device.ErrStopping
	case err != nil:
		return nil, err
	}
	p.metrics.readers.Inc()
	sub := v.Value.topic.Subscribe(stream.DropOldest(k.queue()))
	return &Reader{p: p, variant: v, sub: sub, release: p.demand.Want()}, nil
}

// Next returns the next frame, waiting for it if need be, also while there is no microphone. It fails with the
// context's error, or io.EOF when the pipeline is closed.
func (r *Reader) Next(ctx context.Context) (*mediav1.AudioFrame, error) { return r.sub.Next(ctx) }

// Dropped is how many frames the reader has lost because it was slow.
func (r *Reader) Dropped() int64 { return int64(r.sub.Lost()) }

// Close takes the reader off. If it was the last of its variant it returns when that has ended.
func (r *Reader) Close() {
	r.close.Do(func() {
		r.p.metrics.drop(dropSlowReader, r.sub.Lost())
		r.p.metrics.readers.Dec()
		r.sub.Close()
		r.release()
		if r.variant.Release() {
			<-r.variant.Ended()
		}
	})
}
