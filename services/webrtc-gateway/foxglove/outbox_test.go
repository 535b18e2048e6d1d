package foxglove

import (
	"testing"
	"time"
)

// box is an outbox with a clock that the test moves.
type box struct {
	*testing.T
	*outbox
	now  time.Time
	lost int
	asks int
}

func newBox(t *testing.T) *box {
	b := &box{T: t, now: time.Unix(1000, 0)}
	b.outbox = newOutbox(func(n int) { b.lost += n })
	return b
}

func (b *box) subscription(id uint32) *subscription {
	s := newSubscription(id, &channel{})
	s.askKey = func() { b.asks++ }
	return s
}

func (b *box) plain(s *subscription, n int, bytes int) {
	for range n {
		b.put(s, message{data: make([]byte, bytes)}, b.now)
	}
}

// frames puts frames of video with sequence numbers, of which some are key frames.
func (b *box) frames(s *subscription, from, to int64, keys ...int64) {
	for n := from; n < to; n++ {
		m := message{at: uint64(n), data: make([]byte, 100), video: true, epoch: 1, sequence: n}
		for _, k := range keys {
			m.key = m.key || k == n
		}
		b.put(s, m, b.now)
	}
}

// take returns what waits: the sequence numbers of video, and how many others.
func (b *box) take() (video []int64, others int) {
	for {
		_, m, there := b.next(b.now)
		switch {
		case !there:
			return video, others
		case m.video:
			video = append(video, m.sequence)
		default:
			others++
		}
	}
}

func (b *box) check(what string, frames []int64, others, lost int) {
	b.Helper()
	video, n := b.take()
	if len(video) != len(frames) || n != others || b.lost != lost || b.losses() != uint64(lost) {
		b.Fatalf("%s: %d frames, %d others, %d lost; want %d, %d, %d", what, len(video), n, b.lost, len(frames), others, lost)
	}
	for i, n := range frames {
		if video[i] != n {
			b.Fatalf("%s: the frames are %v, want %v", what, video, frames)
		}
	}
	if b.count != 0 || b.bytes != 0 {
		b.Fatalf("%s: it is empty and counts %d messages, %d bytes", what, b.count, b.bytes)
	}
}

func span(from, to int64) (all []int64) {
	for n := from; n < to; n++ {
		all = append(all, n)
	}
	return all
}

func TestOutboxOverflow(t *testing.T) {
	b := newBox(t)
	one, other := b.subscription(1), b.subscription(2)
	b.plain(one, maxQueued+10, 10)
	b.check("count", nil, maxQueued, 10)
	b.plain(one, 5, maxQueuedBytes/4)
	b.check("bytes", nil, 4, 11)
	b.plain(one, 1, maxQueuedBytes+1)
	b.check("one that is larger than the bound", nil, 1, 11)
	b.plain(one, 3, 1)
	b.plain(other, 3, 1)
	b.end(one)
	b.check("a subscription that has ended", nil, 3, 11)
	b.plain(one, 1, 1)
	b.check("nothing comes after its end", nil, 0, 11)
	b.plain(other, 2, 1)
	b.close()
	b.plain(other, 2, 1)
	b.check("closed", nil, 0, 11)
}

func TestOutboxAge(t *testing.T) {
	b := newBox(t)
	s := b.subscription(1)
	b.plain(s, 3, 10)
	b.now = b.now.Add(maxWait)
	b.plain(s, 2, 10)
	b.now = b.now.Add(1)
	b.check("old ones", nil, 2, 3)
}

func TestOutboxVideo(t *testing.T) {
	b := newBox(t)
	s, other := b.subscription(1), b.subscription(2)
	b.frames(s, 5, 8)
	b.check("before the first key frame", nil, 0, 0)
	if b.asks != 1 {
		t.Errorf("it was asked for %d times", b.asks)
	}
	b.frames(s, 8, 12, 8)
	b.check("from the key frame on", span(8, 12), 0, 0)
	// The oldest of them is lost, and with it all that depends on it; the other stream is not touched.
	b.frames(s, 12, 32, 20)
	b.plain(other, maxQueued-20+1, 1)
	b.check("skipped to the key frame that waits", span(20, 32), maxQueued-19, 8)
	b.now = b.now.Add(keyPatience)
	b.frames(s, 32, 42)
	b.plain(other, maxQueued-10+1, 1)
	b.frames(s, 42, 45)
	b.check("no key frame waits", nil, maxQueued-9, 8+10+3)
	if b.asks != 2 {
		t.Errorf("it was asked for %d times", b.asks)
	}
	b.frames(s, 45, 48, 46)
	b.check("goes on with the next", span(46, 48), 0, 8+10+3+1)
	b.frames(s, 50, 52)
	b.check("a gap on the bus", nil, 0, 8+10+3+1+2)
}

// A client that never stops losing asks for five key frames, and then for one every 2 s.
func TestOutboxWishes(t *testing.T) {
	b := newBox(t)
	s := b.subscription(1)
	for range 200 { // 20 s
		b.now = b.now.Add(100 * time.Millisecond)
		b.frames(s, 1, 2)
	}
	if b.asks < keyBurst+8 || b.asks > keyBurst+10 {
		t.Errorf("it was asked for %d times", b.asks)
	}
}
