// Package turns does costly pieces of work one at a time, and each piece once for all callers waiting
// for it.
//
// A caller shares a piece only if it has not started yet, so a result is never older than the call that
// gets it. Work that nobody waits for any longer is canceled.
package turns

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy is returned when too many callers are waiting already.
var ErrBusy = errors.New("too many are waiting: try again later")

// Most that may wait.
const (
	maxPieces  = 64  // different ones
	maxCallers = 256 // of all pieces together
)

// Queue gives turns to pieces of work that are told apart by K and make a V. The zero value is ready; it
// is safe for concurrent use.
type Queue[K comparable, V any] struct {
	mu      sync.Mutex
	line    []*piece[K, V] // in the order of their turns; the first one is running
	callers int
}

// piece is one piece of work.
type piece[K comparable, V any] struct {
	key     K
	work    func(context.Context) (V, error)
	ctx     context.Context
	cancel  context.CancelFunc
	callers int           // guarded by the queue's mu
	done    chan struct{} // closed when value and err are there
	value   V
	err     error
}

// Do returns the result of work, or of another caller's work with the same key that started after this
// call. The context of work ends when its last caller has left; that caller's Do then waits until work
// has returned. Do fails with the cause of ctx, or with ErrBusy.
func (q *Queue[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	var none V
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	p := q.join(key, work)
	if p == nil {
		return none, ErrBusy
	}
	defer q.leave(p)
	select {
	case <-p.done:
		return p.value, p.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// join adds a caller to a waiting piece, or adds a piece; nil if there are too many.
func (q *Queue[K, V]) join(key K, work func(context.Context) (V, error)) *piece[K, V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.callers >= maxCallers {
		return nil
	}
	for i, p := range q.line {
		if i > 0 && p.key == key {
			p.callers++
			q.callers++
			return p
		}
	}
	if len(q.line) >= maxPieces {
		return nil
	}
	p := &piece[K, V]{key: key, work: work, callers: 1, done: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	q.callers++
	q.line = append(q.line, p)
	if len(q.line) == 1 {
		go q.run(p)
	}
	return p
}

// leave removes a caller. The last one cancels the piece, and waits for its end if it is running.
func (q *Queue[K, V]) leave(p *piece[K, V]) {
	q.mu.Lock()
	p.callers--
	q.callers--
	last := p.callers == 0
	running := len(q.line) > 0 && q.line[0] == p
	if last && !running {
		q.remove(p)
	}
	q.mu.Unlock()
	if last {
		p.cancel()
	}
	if last && running {
		<-p.done
	}
}

// remove takes a piece out of the queue if it is still in it. The caller holds mu.
func (q *Queue[K, V]) remove(p *piece[K, V]) {
	if i := slices.Index(q.line, p); i >= 0 {
		q.line = slices.Delete(q.line, i, i+1)
	}
}

// run does a piece of work and passes the turn to the next.
func (q *Queue[K, V]) run(p *piece[K, V]) {
	p.value, p.err = p.work(p.ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	close(p.done)
	q.remove(p)
	if len(q.line) > 0 {
		go q.run(q.line[0])
	}
}
