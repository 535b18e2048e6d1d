package stream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// device is a resource for tests.
type device struct {
	key    string
	feed   chan struct{} // closed when it ends by itself
	closed atomic.Bool
}

func (d *device) Run(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-d.feed:
	}
}

func (d *device) Close() {
	if d.closed.Swap(true) {
		panic("closed twice")
	}
}

// shelf opens devices and remembers them.
type shelf struct {
	*stream.Shared[string, *device]
	mu     sync.Mutex
	opened []*device
	gate   map[string]chan error // open waits here, if there is one for the key
}

func newShelf() *shelf {
	s := &shelf{gate: make(map[string]chan error)}
	s.Shared = stream.NewShared(s.open)
	return s
}

func (s *shelf) open(ctx context.Context, key string) (*device, error) {
	s.mu.Lock()
	gate := s.gate[key]
	s.mu.Unlock()
	if gate != nil {
		select {
		case err := <-gate:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d := &device{key: key, feed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, d)
	return d, nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opened)
}

// result is the result of an Acquire.
type result struct {
	share *stream.Share[*device]
	err   error
}

func (s *shelf) acquire(ctx context.Context, key string) <-chan result {
	c := make(chan result, 1)
	go func() {
		share, err := s.Acquire(ctx, key)
		c <- result{share, err}
	}()
	return c
}

func (s *shelf) must(t *testing.T, key string) *stream.Share[*device] {
	t.Helper()
	share, err := s.Acquire(t.Context(), key)
	if err != nil {
		t.Fatalf("acquire %s: %v", key, err)
	}
	return share
}

func ended[R stream.Resource](s *stream.Share[R]) bool {
	select {
	case <-s.Ended():
		return true
	default:
		return false
	}
}

func TestSharedOpensOnceAndEndsWithTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		a, b, other := s.must(t, "front"), s.must(t, "front"), s.must(t, "rear")
		if a.Value != b.Value || a.Value == other.Value || s.count() != 2 {
			t.Fatalf("%d opened; the two of a key share one: %v", s.count(), a.Value == b.Value)
		}
		for range 2 {
			if a.Release() {
				t.Error("a release that is not the last reports that it is")
			}
		}
		synctest.Wait()
		if a.Value.closed.Load() {
			t.Fatal("closed while a user holds it: a second release counted")
		}
		if !b.Release() || b.Release() {
			t.Error("only the first call of the last release is the last")
		}
		<-b.Ended()
		if !b.Value.closed.Load() || other.Value.closed.Load() {
			t.Error("the last release of a key has to end it, and nothing else")
		}
		again := s.must(t, "front")
		if again.Value == a.Value {
			t.Error("a resource that has ended was given out")
		}
		again.Release()
		other.Release()
		s.Close()
	})
}

func TestSharedOpenThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		gate := make(chan error)
		s.gate["front"] = gate
		waiting := []<-chan result{s.acquire(t.Context(), "front"), s.acquire(t.Context(), "front"),
			s.acquire(t.Context(), "front")}
		synctest.Wait()
		unplugged := errors.New("unplugged")
		gate <- unplugged
		for i, w := range waiting {
			if r := <-w; !errors.Is(r.err, unplugged) || r.share != nil {
				t.Errorf("waiter %d got %v, %v", i, r.share, r.err)
			}
		}
		next := s.acquire(t.Context(), "front")
		gate <- nil
		if r := <-next; r.err != nil {
			t.Errorf("a failure was remembered: %v", r.err)
		} else {
			r.share.Release()
		}
		s.Close()
	})
}

func TestSharedOpenThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		gate := make(chan error)
		s.gate["front"] = gate
		ctx, cancel := context.WithCancel(t.Context())
		impatient, patient := s.acquire(ctx, "front"), s.acquire(t.Context(), "front")
		synctest.Wait()
		s.must(t, "rear").Release() // does not wait
		for key := range s.All() {
			t.Errorf("%s is listed, and is not open", key)
		}
		cancel()
		if r := <-impatient; !errors.Is(r.err, context.Canceled) {
			t.Errorf("the impatient one got %v", r.err)
		}
		gate <- nil
		r := <-patient
		if r.err != nil {
			t.Fatalf("the patient one got %v: the other one ended the open", r.err)
		}
		if s.count() != 2 { // rear as well
			t.Errorf("%d opened", s.count())
		}
		r.share.Release()
		s.Close()
	})
}

func TestSharedOpenNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.gate["front"] = make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		only := s.acquire(ctx, "front")
		synctest.Wait()
		cancel()
		if r := <-only; !errors.Is(r.err, context.Canceled) {
			t.Errorf("got %v", r.err)
		}
		synctest.Wait() // the open has returned, or this test never ends
		s.gate["front"] = nil
		s.must(t, "front").Release()
		if _, err := s.Acquire(ctx, "front"); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
		s.Close()
		if n := s.count(); n != 1 {
			t.Errorf("%d opened", n)
		}
	})
}

func TestSharedResourceThatEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		old := s.must(t, "front")
		close(old.Value.feed)
		<-old.Ended()
		if !old.Value.closed.Load() {
			t.Error("not closed")
		}
		fresh := s.must(t, "front")
		if fresh.Value == old.Value {
			t.Fatal("what has ended was given to a new user")
		}
		if !old.Release() { // of its own life
			t.Error("the release of the last user is not the last")
		}
		synctest.Wait()
		if ended(fresh) {
			t.Error("the release of the old one ended the new one")
		}
		fresh.Release()
		s.Close()
	})
}

func TestSharedClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		held := s.must(t, "front")
		s.gate["slow"] = make(chan error)
		opening := s.acquire(t.Context(), "slow")
		synctest.Wait()
		s.Close()
		if !held.Value.closed.Load() || !ended(held) {
			t.Error("Close returned before a held resource had ended")
		}
		if r := <-opening; !errors.Is(r.err, stream.ErrClosed) {
			t.Errorf("a caller waiting for an open gets %v", r.err)
		}
		if _, err := s.Acquire(t.Context(), "front"); !errors.Is(err, stream.ErrClosed) {
			t.Errorf("acquire after close: %v", err)
		}
		for key := range s.All() {
			t.Errorf("%s is still listed", key)
		}
		held.Release()
		s.Close()
	})
}

func TestSharedAll(t *testing.T) {
	s := newShelf()
	front, rear := s.must(t, "front"), s.must(t, "rear")
	got := make(map[string]*device)
	for key, d := range s.All() {
		got[key] = d
	}
	if len(got) != 2 || got["front"] != front.Value || got["rear"] != rear.Value {
		t.Errorf("listed: %v", got)
	}
	for range s.All() {
		break // a loop may end early
	}
	front.Release()
	rear.Release()
	s.Close()
}

// TestSharedHistories lets many users come and go at random, with opens that fail and resources that end
// by themselves. At every moment a share's resource must not be closed unless it ended by itself, and in
// the end all must be closed.
func TestSharedHistories(t *testing.T) {
	const users, steps = 8, 400
	var opened, closed atomic.Int64
	s := stream.NewShared(func(ctx context.Context, key int) (*counted, error) {
		if rand.IntN(8) == 0 {
			return nil, errors.New("no luck")
		}
		opened.Add(1)
		return &counted{count: &closed, mortal: key == 0}, nil
	})
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			for range steps {
				key := rand.IntN(3)
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(4) == 0 {
					go cancel()
				}
				share, err := s.Acquire(ctx, key)
				cancel()
				if err != nil {
					continue
				}
				if key != 0 && (share.Value.closed.Load() || ended(share)) {
					t.Error("a resource has ended while somebody has a share in it")
				}
				if last := share.Release(); last && rand.IntN(2) == 0 {
					<-share.Ended()
					if !share.Value.closed.Load() {
						t.Error("ended, and not closed")
					}
				}
			}
		})
	}
	all.Wait()
	for key := range s.All() {
		t.Errorf("%d is open, and nobody has a share in it", key)
	}
	s.Close()
	if opened.Load() != closed.Load() || opened.Load() == 0 {
		t.Errorf("%d opened, %d closed", opened.Load(), closed.Load())
	}
}

type counted struct {
	count  *atomic.Int64
	closed atomic.Bool
	mortal bool // it ends by itself
}

func (c *counted) Run(ctx context.Context) {
	if !c.mortal {
		<-ctx.Done()
	}
}

func (c *counted) Close() {
	c.closed.Store(true)
	c.count.Add(1)
}

func BenchmarkShared(b *testing.B) {
	s := stream.NewShared(func(context.Context, string) (*counted, error) {
		return &counted{count: new(atomic.Int64)},
			nil
	})
	defer s.Close()
	b.Run("held", func(b *testing.B) {
		first, err := s.Acquire(b.Context(), "front")
		if err != nil {
			b.Fatal(err)
		}
		defer first.Release()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				share, err := s.Acquire(b.Context(), "front")
				if err != nil {
					b.Error(err)
					return
				}
				share.Release()
			}
		})
	})
	b.Run("open and end", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			share, err := s.Acquire(b.Context(), "front")
			if err != nil {
				b.Fatal(err)
			}
			share.Release()
			<-share.Ended()
		}
	})
}

// picture is a source of pictures that all viewers share.
type picture struct{ topic *stream.Topic[string] }

func (p *picture) Run(ctx context.Context) {
	p.topic.Publish("a picture")
	<-ctx.Done()
}

func (p *picture) Close() {
	p.topic.Close(nil)
	fmt.Println("camera closed")
}

func ExampleShared() {
	cameras := stream.NewShared(func(_ context.Context, name string) (*picture, error) {
		fmt.Println("opened", name)
		return &picture{stream.NewTopic[string]()}, nil
	})
	first, _ := cameras.Acquire(context.Background(), "front")
	second, _ := cameras.Acquire(context.Background(), "front") // shares it
	first.Release()
	second.Release() // the last one
	cameras.Close()
	_, err := cameras.Acquire(context.Background(), "front")
	fmt.Println(err)
	// Output:
	// opened front
	// camera closed
	// closed
}
