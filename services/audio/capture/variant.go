package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/services/audio/convert"
)

// variant makes one format for all listeners that want it.
type variant struct {
	p      *Pipeline
	key    key
	input  *stream.Subscription[*block]
	topic  *stream.Topic[*mediav1.AudioFrame]
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended
	refs   int           // listeners; guarded by Pipeline.mu

	// The rest belongs to run.
	sequence  *atomic.Int64
	converter *convert.Converter
	encoder   encoder
	expected  int64     // index of the next block, if none is missing
	waiting   []float32 // converted, and not yet a whole frame
	index     int64     // of the first frame in waiting
	lost      uint64    // blocks left out so far
	warned    time.Time
}

// startVariant makes a variant run. It begins when after is closed. The caller holds p.mu.
func (p *Pipeline) startVariant(k key, after <-chan struct{}) (*variant, error) {
	converter, err := convert.New(p.config.Format, k.Format)
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(k, p.config.Opus)
	if err != nil {
		converter.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	policy := stream.DropOldest(max(4, p.config.Format.Frames(maxDelay)/p.config.Block))
	v := &variant{
		p: p, key: k, input: p.captured.Subscribe(policy), topic: stream.NewTopic[*mediav1.AudioFrame](), cancel: cancel,
		done: make(chan struct{}), sequence: &atomic.Int64{}, converter: converter, encoder: e, expected: -1,
	}
	if k == p.live() {
		v.sequence = &p.liveSequence
	}
	p.running.Go(func() { v.run(ctx, after) })
	return v, nil
}

// run makes frames until end.
func (v *variant) run(ctx context.Context, after <-chan struct{}) {
	defer close(v.done)
	defer v.converter.Close()
	<-after
	for {
		b, err := v.input.Next(ctx)
		if err != nil {
			return
		}
		v.countLost()
		begin := time.Now()
		if err := v.take(b); err != nil {
			v.p.config.Metrics.drop(v.p.config.Tap, dropBroken, 1)
			v.warn(err)
		}
		v.p.config.Metrics.took(v.p.config.Tap, v.key.mediaType, time.Since(begin))
	}
}

// end stops the variant, waits for it, and ends its listeners.
func (v *variant) end(why error) {
	v.cancel()
	<-v.done
	v.input.Close()
	v.topic.Close(why)
}

func (v *variant) countLost() {
	lost := v.input.Lost()
	v.p.config.Metrics.drop(v.p.config.Tap, dropLate, lost-v.lost)
	v.lost = lost
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

// restart begins anew with a block that does not follow the one before.
func (v *variant) restart(b *block) {
	from, to := int64(v.p.config.Format.Rate), int64(v.key.Rate)
	v.converter.Reset()
	v.waiting = v.waiting[:0]
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
	v.p.config.Metrics.made.WithLabelValues(v.p.config.Tap, v.key.mediaType).Inc()
	return nil
}

// warn logs, but not for every block.
func (v *variant) warn(err error) {
	if time.Since(v.warned) > 10*time.Second {
		v.warned = time.Now()
		v.p.config.Log.Warn("sound could not be made", "format", fmt.Sprint(v.key), "error", err)
	}
}
