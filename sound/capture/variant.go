package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/sound/convert"
)

// variant makes one format for all listeners that want it.
type variant struct {
	p       *Pipeline
	key     key
	metrics variantMetrics
	input   *stream.Subscription[*block]
	topic   *stream.Topic[*mediav1.AudioFrame]
	origin  atomic.Int64 // index, as captured, of the first sample of the first frame since the last gap

	// The rest belongs to Run.
	sequence  *atomic.Int64
	converter *convert.Converter
	encoder   encoder
	expected  int64     // index of the next block, if none is missing
	waiting   []float32 // converted, and not yet a whole frame
	index     int64     // of the first frame in waiting
	lost      uint64    // blocks left out so far
	warned    time.Time
}

// open makes a variant.
func (p *Pipeline) open(_ context.Context, k key) (*variant, error) {
	if p.count.Add(1) > maxVariants {
		p.count.Add(-1)
		return nil, fmt.Errorf("%w: %d; ask for one that others listen to", ErrTooMany, maxVariants)
	}
	v, err := p.newVariant(k)
	if err != nil {
		p.count.Add(-1)
	}
	return v, err
}

func (p *Pipeline) newVariant(k key) (*variant, error) {
	converter, err := convert.New(p.config.Format, k.Format)
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(k, p.config.Opus)
	if err != nil {
		converter.Close()
		return nil, err
	}
	policy := stream.DropOldest(max(4, p.config.Format.Frames(maxDelay)/p.config.Block))
	v := &variant{
		p: p, key: k, metrics: p.metrics.of(k.mediaType), input: p.captured.Subscribe(policy),
		topic: stream.NewTopic[*mediav1.AudioFrame](), sequence: &atomic.Int64{},
		converter: converter, encoder: e, expected: -1,
	}
	if v.live() {
		v.sequence = &p.liveSequence
	}
	return v, nil
}

// live reports whether this is the variant that the bus carries.
func (v *variant) live() bool { return v.key == v.p.live() }

// Run implements [stream.Resource]: it makes frames until ctx ends.
func (v *variant) Run(ctx context.Context) {
	if v.live() {
		v.p.liveTurn.Lock()
		defer v.p.liveTurn.Unlock()
	}
	for {
		b, err := v.input.Next(ctx)
		if err != nil {
			return
		}
		v.countLost()
		begin, end := time.Now(), v.p.config.Turn()
		if err := v.take(b); err != nil {
			v.p.metrics.drop(dropBroken, 1)
			v.warn(err)
		}
		end()
		v.metrics.seconds.Observe(time.Since(begin).Seconds())
	}
}

// Close implements [stream.Resource]: it ends the listeners.
func (v *variant) Close() {
	v.input.Close()
	v.topic.Close(nil)
	v.converter.Close()
	v.p.count.Add(-1)
}

func (v *variant) countLost() {
	lost := v.input.Lost()
	v.p.metrics.drop(dropLate, lost-v.lost)
	v.lost = lost
}

// missing returns after how many frames behind an index the next frame is whole. With another rate nobody knows
// exactly: 0.
func (v *variant) missing(index int64) int {
	block := int64(v.key.block)
	if v.key.Rate != v.p.config.Format.Rate {
		return 0
	}
	return int(block - (index-v.origin.Load())%block)
}

// take converts a block, and publishes the frames that are whole by it.
func (v *variant) take(b *block) error {
	from, to := v.p.config.Format, v.key.Format
	if b.index != v.expected {
		v.restart(b)
	}
	v.expected = b.index + int64(len(b.samples)/from.Channels)
	at := b.at.Add(-to.Duration(int64(len(v.waiting) / to.Channels)))
	converted, err := v.converter.Convert(b.samples)
	if err != nil {
		return err
	}
	v.waiting = append(v.waiting, converted...)
	size, used := v.key.block*to.Channels, 0
	for ; len(v.waiting)-used >= size; used += size {
		if err := v.publish(v.waiting[used:used+size], at); err != nil {
			return err
		}
		at = at.Add(to.Duration(int64(v.key.block)))
	}
	v.waiting = v.waiting[:copy(v.waiting, v.waiting[used:])]
	return nil
}

// restart begins again with a block that does not follow the one before.
func (v *variant) restart(b *block) {
	from, to := int64(v.p.config.Format.Rate), int64(v.key.Rate)
	v.converter.Reset()
	v.waiting = v.waiting[:0]
	v.origin.Store(b.index)
	v.index = max(v.index, b.index/from*to+b.index%from*to/from)
}

func (v *variant) publish(samples []float32, at time.Time) error {
	index := v.index
	v.index += int64(v.key.block)
	data, err := v.encoder.encode(samples)
	if err != nil || data == nil {
		return err
	}
	v.topic.Publish(&mediav1.AudioFrame{
		Epoch: v.p.config.Epoch, Sequence: v.sequence.Add(1) - 1, CaptureTime: timestamppb.New(at), Format: v.key.message(),
		SampleIndex: index, SampleCount: int32(v.key.block), Data: data,
	})
	v.metrics.made.Inc()
	return nil
}

// warn logs, but not for every block.
func (v *variant) warn(err error) {
	if time.Since(v.warned) > 10*time.Second {
		v.warned = time.Now()
		v.p.config.Log.Warn("sound could not be converted or encoded", "format", fmt.Sprint(v.key), "error", err)
	}
}
