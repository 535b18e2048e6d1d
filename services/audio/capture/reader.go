package capture

import (
	"context"
	"fmt"
	"sync"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// Reader receives the frames of one format.
type Reader struct {
	v     *variant
	sub   *stream.Subscription[*mediav1.AudioFrame]
	close sync.Once
}

// Open adds a reader. Of the format an empty media type means Opus, an empty sample format S16LE, rate and channels of 0 as
// captured; of raw sound 0 samples in a frame mean as captured. The errors are ErrTooMany, ErrClosed, or wrap pcm.ErrFormat. Close
// the reader.
func (p *Pipeline) Open(want *mediav1.AudioFormat, blockSamples int) (*Reader, error) {
	k, err := p.resolve(want, blockSamples)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	v := p.variants[k]
	if v == nil {
		if v, err = p.addVariant(k); err != nil {
			return nil, err
		}
	}
	v.refs++
	p.want()
	p.config.Metrics.readers.WithLabelValues(p.config.Tap).Inc()
	return &Reader{v: v, sub: v.topic.Subscribe(stream.DropOldest(k.queue()))}, nil
}

// addVariant starts a variant. The caller holds mu.
func (p *Pipeline) addVariant(k key) (*variant, error) {
	if len(p.variants) >= maxVariants {
		return nil, fmt.Errorf("%w: %d; ask for one that others listen to", ErrTooMany, maxVariants)
	}
	after := make(chan struct{})
	if k == p.live() {
		after = p.lastLive // two of them would number their frames at the same time
	} else {
		close(after)
	}
	v, err := p.startVariant(k, after)
	if err != nil {
		return nil, err
	}
	if k == p.live() {
		p.lastLive = v.done
	}
	p.variants[k] = v
	return v, nil
}

// drop takes a reader's part in a variant back, and reports whether it was the last.
func (p *Pipeline) drop(v *variant) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config.Metrics.readers.WithLabelValues(p.config.Tap).Dec()
	p.unwant()
	v.refs--
	if v.refs > 0 || p.variants[v.key] != v {
		return false
	}
	delete(p.variants, v.key)
	return true
}

// Next returns the next frame, waiting for it if need be, also while there is no microphone. It fails with the context's error, or io.EOF when
// the pipeline is closed.
func (r *Reader) Next(ctx context.Context) (*mediav1.AudioFrame, error) { return r.sub.Next(ctx) }

// Dropped is how many frames the reader has lost because it was slow.
func (r *Reader) Dropped() int64 { return int64(r.sub.Lost()) }

// Close takes the reader off. If it was the last of its variant it returns when that has ended.
func (r *Reader) Close() {
	r.close.Do(func() {
		p := r.v.p
		p.config.Metrics.drop(p.config.Tap, dropSlowReader, r.sub.Lost())
		r.sub.Close()
		if p.drop(r.v) {
			r.v.end(nil)
		}
	})
}
