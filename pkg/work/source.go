package work

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mediav1 "github.com/waldo-robot/waldo/api/gen/go/waldo/media/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// intake is how many messages may wait to be looked at, which takes no time.
const intake = 256

var frameType = string((*mediav1.VideoFrame)(nil).ProtoReflect().Descriptor().FullName())

// live are the frames that the server deals to a worker as they come.
type live struct {
	worker *Worker
	sub    *bus.Subscription[bus.Raw]
	queue  chan *job
}

func newLive(w *Worker, subject, group string) (*live, error) {
	sub, err := bus.Join(w.conn, subject, group, stream.DropOldest(intake))
	if err != nil {
		return nil, err
	}
	l := &live{worker: w, sub: sub, queue: make(chan *job, w.config.Queue)}
	w.slots.Go(l.fill)
	return l, nil
}

func (l *live) next() *job { return <-l.queue }

func (l *live) leave() {
	if l.worker.conn.Connected() {
		l.sub.Drain()
	} else {
		l.sub.Close()
	}
}

func (l *live) stop() { l.sub.Close() }

// fill queues what the server sends until the subscription ends. If there is no room, the oldest is dropped.
func (l *live) fill() {
	defer close(l.queue)
	for raw, err := range l.sub.All(context.Background()) {
		if err != nil {
			return // closed
		}
		j := read(raw)
		if j == nil {
			l.worker.ignored.Add(1)
			continue
		}
		select {
		case l.queue <- j:
			continue
		default:
		}
		select {
		case oldest := <-l.queue:
			l.worker.drop(oldest)
		default: // a slot has just taken it
		}
		l.queue <- j // there is room, and nobody else fills it
	}
}

// kept are the frames that the server keeps until they have been worked on.
type kept struct {
	worker *Worker
	from   *bus.Kept
}

func newKept(w *Worker, subject, group string) (*kept, error) {
	from, err := w.conn.Keep(w.ctx, subject, group, w.config.KeepBytes)
	if err != nil {
		return nil, err
	}
	return &kept{worker: w, from: from}, nil
}

func (k *kept) next() *job {
	for {
		d, err := k.from.Next(k.worker.ctx)
		if err != nil {
			return nil
		}
		if j := read(d.Raw); j != nil {
			j.kept = d
			return j
		}
		d.Confirm() // it will not be a frame for others, either
		k.worker.ignored.Add(1)
	}
}

func (k *kept) leave() { k.from.Close() }

func (k *kept) stop() { k.from.Close() }

// read returns nil if the message is no frame.
func read(raw bus.Raw) *job {
	if raw.Type != frameType {
		return nil
	}
	if raw.Parts > 1 {
		return &job{frame: head(raw.Data), problem: fmt.Errorf("the frame is too large: it travels in %d parts, which "+
			"cannot be dealt to workers: make the picture smaller, or raise the NATS server's max_payload", raw.Parts)}
	}
	frame := &mediav1.VideoFrame{}
	if err := proto.Unmarshal(raw.Data, frame); err != nil || frame.GetEpoch() <= 0 {
		return nil
	}
	return &job{frame: frame}
}

// head reads what stands before the picture in the first part of a frame.
func head(data []byte) *mediav1.VideoFrame {
	f := &mediav1.VideoFrame{}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return f
		}
		data = data[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(data) // 0 if it is cut off
			f.Epoch = int64(v)
		case number == 2 && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(data)
			f.Sequence = int64(v)
		case number == 3 && kind == protowire.BytesType:
			v, _ := protowire.ConsumeBytes(data)
			if at := (&timestamppb.Timestamp{}); proto.Unmarshal(v, at) == nil {
				f.CaptureTime = at
			}
		}
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return f
		}
		data = data[n:]
	}
	return f
}
