package stream

import (
	"context"
	"iter"
	"maps"
	"sync"
)

// Resource is what the users of a [Shared] have in common: the source behind a topic, or anything else
// that is costly to have twice.
type Resource interface {
	// Run works until ctx ends, or until the resource ends by itself. It is called once at most.
	Run(ctx context.Context)
	// Close frees what is left. It is called once, after Run.
	Close()
}

// Shared opens a resource for the first user of a key and ends it with the last. It is safe for
// concurrent use. Its zero value is not usable: see [NewShared].
//
// A new resource may be opened while the last one of the same key is still ending. Resources that must
// not overlap share a lock, which Run holds.
type Shared[K comparable, R Resource] struct {
	open func(ctx context.Context, key K) (R, error)

	mu     sync.Mutex
	closed bool
	lives  map[K]*life[R] // those that can be acquired
	owned  sync.WaitGroup // one goroutine for each life
}

// life is one resource, from before it is opened until after it is closed.
type life[R Resource] struct {
	users    int // guarded by Shared.mu; those that wait for open count
	cancel   context.CancelCauseFunc
	opened   chan struct{} // closed when open has returned
	ended    chan struct{} // closed when everything has ended
	resource R             // set before opened is closed
	err      error         // likewise: why there is no resource
}

// Share is one user's part in a resource.
type Share[R Resource] struct {
	// Value is the resource.
	Value R

	ended <-chan struct{}
	leave func() (last bool)
	once  sync.Once
}

// NewShared returns a Shared that gets its resources from open. The context of open is also that of
// [Resource.Run]. It ends with the last user, so an open that nobody waits for any longer is canceled.
// Open and Run may take as long as they need: users of other keys do not wait for them.
func NewShared[K comparable, R Resource](open func(ctx context.Context, key K) (R, error)) *Shared[K, R] {
	return &Shared[K, R]{open: open, lives: make(map[K]*life[R])}
}

// Acquire returns a share in the resource of a key, and opens the resource if nobody has a share yet.
// Callers that want the same key meanwhile wait for the same open; if it fails, all of them get its
// error and the next caller tries again. A caller whose ctx ends gets the error of ctx, and the others
// keep waiting. A resource that has ended by itself is not given to new users: a new one is opened for
// them. After Close the error is [ErrClosed].
//
// A share must be released. The caller must not hold a lock that open needs.
func (s *Shared[K, R]) Acquire(ctx context.Context, key K) (*Share[R], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := s.join(key)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.opened:
		err = l.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.leave(key, l)
		return nil, err
	}
	return &Share[R]{Value: l.resource, ended: l.ended, leave: func() bool { return s.leave(key, l) }}, nil
}

// join counts one more user of a key.
func (s *Shared[K, R]) join(key K) (*life[R], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := s.lives[key]
	if l == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		l = &life[R]{cancel: cancel, opened: make(chan struct{}), ended: make(chan struct{})}
		s.lives[key] = l
		s.owned.Go(func() { s.live(ctx, key, l) })
	}
	l.users++
	return l, nil
}

// leave counts one user fewer, and ends the resource with the last.
func (s *Shared[K, R]) leave(key K, l *life[R]) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users > 0 {
		return false
	}
	s.retireLocked(key, l)
	l.cancel(nil)
	return true
}

// live runs a resource from opening to closing.
func (s *Shared[K, R]) live(ctx context.Context, key K, l *life[R]) {
	defer close(l.ended)
	defer l.cancel(nil)
	resource, err := s.open(ctx, key)
	opened := err == nil
	if ctx.Err() != nil {
		err = context.Cause(ctx) // nobody waits any longer, except callers that are to get Close's error
	}
	l.resource, l.err = resource, err
	if err != nil {
		s.retire(key, l)
	}
	close(l.opened)
	if err == nil {
		resource.Run(ctx)
		s.retire(key, l)
	}
	if opened {
		resource.Close()
	}
}

// retire keeps further users from joining a life.
func (s *Shared[K, R]) retire(key K, l *life[R]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retireLocked(key, l)
}

func (s *Shared[K, R]) retireLocked(key K, l *life[R]) {
	if s.lives[key] == l {
		delete(s.lives, key)
	}
}

// All returns the resources that are open and have users, in no particular order, as they are when the
// loop begins.
func (s *Shared[K, R]) All() iter.Seq2[K, R] {
	return func(yield func(K, R) bool) {
		s.mu.Lock()
		lives := maps.Clone(s.lives)
		s.mu.Unlock()
		for key, l := range lives {
			select {
			case <-l.opened:
				if l.err == nil && !yield(key, l.resource) {
					return
				}
			default:
			}
		}
	}
}

// Close ends all resources, also those that have users, and returns when all have ended. Users keep
// their shares, which still have to be released and whose Ended is closed. It may be called more than
// once, but not by a resource.
func (s *Shared[K, R]) Close() {
	s.mu.Lock()
	s.closed = true
	for _, l := range s.lives {
		l.cancel(ErrClosed)
	}
	s.mu.Unlock()
	s.owned.Wait()
}

// Release gives the share back and reports whether it was the last of its resource, which then ends. It
// does not wait for that: see Ended. Only the first call counts.
func (s *Share[R]) Release() (last bool) {
	s.once.Do(func() { last = s.leave() })
	return last
}

// Ended is closed when the resource has been closed: by itself, after the last release, or by [Shared.Close].
func (s *Share[R]) Ended() <-chan struct{} { return s.ended }
