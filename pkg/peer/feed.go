package peer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// linger is how long a stream goes on without readers: those that come and go, such as Latest, need not wait for it.
const linger = 5 * time.Second

// feed is the frames of one stream of a device, for all its readers. The stream is wanted while there are any, and a
// little longer.
type feed[F any] struct {
	robot *Robot
	want  *want
	topic *stream.Topic[item[F]]
	lost  atomic.Uint64 // frames that did not arrive, or could not be used
	shown shown

	mu     sync.Mutex
	users  int
	leave  *time.Timer // ends the stream when nobody reads; nil while somebody does
	newest F
	count  uint64      // of frames that arrived; newest is the last of them
	conn   *connection // that the frames arrive by …
	ssrc   webrtc.SSRC // … and as what
	asked  time.Time   // when a key frame was
	ended  bool
}

// newFeed returns the feed of a stream, the same for all.
func newFeed[F any](r *Robot, k streamKey, kind webrtc.RTPCodecType,
	arrives func(*feed[F], *connection, *webrtc.TrackRemote, *webrtc.RTPReceiver),
) *feed[F] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.feeds[k].(*feed[F]); ok {
		return f
	}
	f := &feed[F]{robot: r, topic: stream.NewTopic[item[F]](), ended: r.feeds == nil}
	f.want = &want{
		streamKey: k, kind: kind,
		arrives: func(c *connection, t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) { arrives(f, c, t, receiver) },
		settled: func(err error) {
			if err != nil {
				f.topic.Publish(item[F]{err: err})
			}
		},
	}
	if f.ended {
		f.topic.Close(nil)
	} else {
		r.feeds[k] = f
	}
	return f
}

// counts is what the program got of the frames.
func (f *feed[F]) counts() *shown { return &f.shown }

// enter adds a reader; leave removes it.
func (f *feed[F]) enter() {
	f.mu.Lock()
	f.users++
	first := f.users == 1 && f.leave == nil && !f.ended
	if first { // another than one that was refused
		again := *f.want
		f.want = &again
	}
	w := f.want
	if f.leave != nil {
		f.leave.Stop()
		f.leave = nil
	}
	f.mu.Unlock()
	if first {
		f.robot.want(w)
	}
}

func (f *feed[F]) exit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users == 0 && !f.ended {
		f.leave = time.AfterFunc(linger, f.idle)
	}
}

// idle ends the stream if nobody has come back.
func (f *feed[F]) idle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == 0 && f.leave != nil {
		f.leave = nil
		f.robot.unwant(f.want)
	}
}

// end ends all readers: the robot is closed.
func (f *feed[F]) end() {
	f.mu.Lock()
	f.ended = true
	if f.leave != nil {
		f.leave.Stop()
		f.leave = nil
	}
	f.mu.Unlock()
	f.topic.Close(nil)
}

// publish hands a frame to all readers.
func (f *feed[F]) publish(frame F) {
	f.mu.Lock()
	f.newest = frame
	f.count++
	f.mu.Unlock()
	f.topic.Publish(item[F]{value: frame})
}

// after waits for a frame that is newer than the last one with a number, and returns the newest, with its number.
func (f *feed[F]) after(ctx context.Context, last uint64) (frame F, count uint64, err error) {
	f.enter()
	defer f.exit()
	sub := f.topic.Subscribe(stream.Latest())
	defer sub.Close()
	for {
		f.mu.Lock()
		newest, count := f.newest, f.count
		f.mu.Unlock()
		if count > last {
			return newest, count, nil
		}
		i, err := sub.Next(ctx)
		if errors.Is(err, io.EOF) {
			err = ErrClosed
		}
		if err = cmp.Or(err, i.err); err != nil {
			return frame, last, err
		}
	}
}

// read yields frames as they come. At most n wait.
func (f *feed[F]) read(ctx context.Context, n int, each func(F) bool, dropped *atomic.Uint64) iter.Seq2[F, error] {
	return func(yield func(F, error) bool) {
		f.enter()
		defer f.exit()
		sub := f.topic.Subscribe(stream.DropOldest(n))
		defer sub.Close()
		var none F
		lost := uint64(0)
		for i, err := range sub.All(ctx) {
			dropped.Add(sub.Lost() - lost)
			lost = sub.Lost()
			switch {
			case err != nil:
				yield(none, err)
				return
			case i.err != nil:
				if !yield(none, i.err) {
					return
				}
			case each(i.value):
				if !yield(i.value, nil) {
					return
				}
			}
		}
		yield(none, ErrClosed)
	}
}
