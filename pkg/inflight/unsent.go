package inflight

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var (
	errFull = status.Error(codes.ResourceExhausted, "too much is waiting for this client, or for others, that do not "+
		"read what they asked for: read it, make fewer calls at once, or try again later")
	errStopping = status.Error(codes.Unavailable, "the server is stopping")
)

// Messages that are held for a client are in one of these states.
const (
	queued  = iota // in the transport: encoded, and not written to the connection
	waiting        // for room among those that are queued
	states
)

// unsent bounds the memory of messages that clients have not taken. In each state there are at most that many bytes,
// and one connection has at most as much as is left for all others: half if it is alone. So one that reads nothing
// leaves room for those that do.
type unsent struct {
	most     int64
	patience time.Duration // see relieve
	stopping context.Context
	log      *slog.Logger

	mu      sync.Mutex
	all     [states]int64
	holders map[*share]struct{} // those with something queued
	waiters []*waiter           // in the order in which they came
}

// share is what is held for one connection. The unsent's mu guards it.
type share struct {
	client string // its address
	close  func() // ends the connection at once; nil if it was not seen
	has    [states]int64
	moved  time.Time // when a queued message was last written, or the first one queued
	gone   bool      // the connection has ended
}

// waiter waits for room.
type waiter struct {
	share   *share
	size    int64
	granted chan struct{} // closed when it has the room
}

// take waits until there is room for n bytes to be queued: for ever if within is 0.
func (u *unsent) take(ctx context.Context, s *share, n int64, within time.Duration) error {
	w, err := u.ask(s, n)
	if w == nil {
		return err
	}
	look := time.NewTicker(u.patience / 10)
	defer look.Stop()
	var late <-chan time.Time
	if within > 0 {
		late = time.After(within)
	}
	for {
		select {
		case <-w.granted:
			return nil
		case <-look.C:
			u.press(w)
		case <-late:
			return u.giveUp(w, errFull)
		case <-ctx.Done():
			return u.giveUp(w, ctx.Err())
		case <-u.stopping.Done():
			return u.giveUp(w, errStopping)
		}
	}
}

// ask takes room. If there is none, it returns who waits for it.
func (u *unsent) ask(s *share, n int64) (*waiter, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for !u.add(s, queued, n) {
		if u.relieve(s) {
			continue
		}
		if !u.add(s, waiting, n) {
			return nil, errFull
		}
		w := &waiter{share: s, size: n, granted: make(chan struct{})}
		u.waiters = append(u.waiters, w)
		return w, nil
	}
	return nil, nil
}

// press makes room for one that waits, if others have had their time.
func (u *unsent) press(w *waiter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for slices.Contains(u.waiters, w) && u.relieve(w.share) {
	}
}

// giveUp ends a wait with an error, unless the room was granted meanwhile.
func (u *unsent) giveUp(w *waiter, why error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.Index(u.waiters, w)
	if i < 0 {
		return nil
	}
	u.waiters = slices.Delete(u.waiters, i, i+1)
	u.sub(w.share, waiting, w.size)
	return why
}

// add reports whether there is room. It requires mu, as sub, grant, relieve and drop do.
func (u *unsent) add(s *share, state int, n int64) bool {
	if s.gone {
		return true // sending fails
	}
	if u.all[state]+s.has[state]+n > u.most {
		return false
	}
	if state == queued && s.has[queued] == 0 {
		s.moved = time.Now()
		u.holders[s] = struct{}{}
	}
	u.all[state] += n
	s.has[state] += n
	return true
}

func (u *unsent) sub(s *share, state int, n int64) {
	if s.gone {
		return
	}
	u.all[state] -= n
	s.has[state] -= n
	if state != queued {
		return
	}
	s.moved = time.Now()
	if s.has[queued] == 0 {
		delete(u.holders, s)
	}
	u.grant()
}

// grant gives room that became free to those that waited for it.
func (u *unsent) grant() {
	u.waiters = slices.DeleteFunc(u.waiters, func(w *waiter) bool {
		if !u.add(w.share, queued, w.size) {
			return false
		}
		u.sub(w.share, waiting, w.size)
		close(w.granted)
		return true
	})
}

// relieve makes room by ending the connection that has taken nothing for longest, if that is longer than anybody who
// reads takes, and if it is not smaller than the one that needs room.
func (u *unsent) relieve(s *share) bool {
	var worst *share
	for one := range u.holders {
		if one != s && one.close != nil && one.has[queued] >= s.has[queued] && time.Since(one.moved) > u.patience &&
			(worst == nil || one.moved.Before(worst.moved)) {
			worst = one
		}
	}
	if worst == nil {
		return false
	}
	u.log.Warn("a client that does not read was disconnected: what it asked for took the room of others", "client",
		worst.client, "bytes", worst.has[queued], "for", time.Since(worst.moved).Round(time.Second).String())
	u.drop(worst)
	worst.close()
	return true
}

// drop forgets what was held for a connection that has ended, or is about to: the transport lets go of it then.
func (u *unsent) drop(s *share) {
	for state, n := range s.has {
		u.all[state] -= n
	}
	s.has, s.gone = [states]int64{}, true
	delete(u.holders, s)
	u.grant()
}

func (u *unsent) ended(s *share) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !s.gone {
		u.drop(s)
	}
}

// hold returns what to send in place of a message of that size, as soon as there is room for it. Small messages are
// bounded by the transport: to 64 KiB for each call.
func (u *unsent) hold(ctx context.Context, s *share, m any, size int, within time.Duration) (any, error) {
	if mem.IsBelowBufferPoolingThreshold(size) {
		return m, nil
	}
	room := room{u, s, min(int64(size), u.most)}
	if err := u.take(ctx, s, room.size, within); err != nil {
		return nil, err
	}
	h := &held{room: room, message: m, length: size}
	h.lost = runtime.AddCleanup(h, release, room)
	return h, nil
}

// room is what a message takes of a share.
type room struct {
	unsent *unsent
	share  *share
	size   int64
}

func release(r room) {
	r.unsent.mu.Lock()
	defer r.unsent.mu.Unlock()
	r.unsent.sub(r.share, queued, r.size)
}

// held is a message that has room. It is the pool of its own buffer, so it learns when the transport has written it, or
// dropped it because its call was reset. Sometimes the transport drops a message without a word: then it counts until
// the garbage collector finds it.
type held struct {
	room
	message any // nil once encoded
	length  int
	lost    runtime.Cleanup
}

// buffers are those of messages that are held: at most twice as large as these, unlike gRPC's own.
var buffers = mem.NewTieredBufferPool(2<<10, 4<<10, 8<<10, 16<<10, 32<<10, 64<<10, 128<<10, 256<<10, 512<<10, 1<<20)

func (h *held) encode() (mem.BufferSlice, error) {
	message := h.message.(proto.Message) // only these have a size
	h.message = nil                      // it may be long until the transport forgets h
	buffer := buffers.Get(h.length)
	// sizeOf has computed the sizes of all its parts
	data, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend((*buffer)[:0], message)
	*buffer = data
	if err != nil {
		h.Put(buffer)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(buffer, h)}, nil
}

// Get implements [mem.BufferPool].
func (h *held) Get(n int) *[]byte { return buffers.Get(n) }

// Put implements [mem.BufferPool].
func (h *held) Put(buffer *[]byte) {
	h.lost.Stop()
	buffers.Put(buffer)
	release(h.room)
}

// codec encodes messages that are held, too.
type codec struct{ encoding.CodecV2 }

func (c codec) Marshal(m any) (mem.BufferSlice, error) {
	if h, ok := m.(*held); ok {
		return h.encode()
	}
	return c.CodecV2.Marshal(m)
}

// sizeOf is the encoded size of a message.
func sizeOf(m any) int {
	if p, ok := m.(proto.Message); ok {
		return proto.Size(p)
	}
	return 0
}
