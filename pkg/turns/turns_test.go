package turns_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/turns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a queue whose work ends when the test decides.
type bench struct {
	turns.Queue[string, int]
	mu      sync.Mutex
	begun   []string
	running int
	most    int
	release chan struct{}
	callers sync.WaitGroup
	results map[int]int   // by caller
	errs    map[int]error // by caller
}

func newBench() *bench {
	return &bench{release: make(chan struct{}), results: map[int]int{}, errs: map[int]error{}}
}

// call calls Do in a goroutine and waits until all goroutines are blocked.
func (b *bench) call(ctx context.Context, caller int, key string) {
	b.callers.Go(func() {
		n, err := b.Do(ctx, key, b.work(key))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.results[caller], b.errs[caller] = n, err
	})
	synctest.Wait()
}

func (b *bench) work(key string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		b.mu.Lock()
		b.begun = append(b.begun, key)
		n := len(b.begun)
		b.running++
		b.most = max(b.most, b.running)
		b.mu.Unlock()
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.running--
		}()
		select {
		case <-b.release:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func TestOneAtATimeAndEachOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		for i, key := range []string{"a", "b", "a", "a", "b", "c"} {
			b.call(t.Context(), i, key)
		}
		close(b.release)
		b.callers.Wait()
		// The second a came after the first had begun: its result must be newer than its call.
		if want := []string{"a", "b", "a", "c"}; !slices.Equal(b.begun, want) {
			t.Errorf("work done: %v, want %v", b.begun, want)
		}
		if b.most != 1 {
			t.Errorf("%d pieces at a time", b.most)
		}
		for caller, want := range []int{1, 2, 3, 3, 2, 4} {
			if b.results[caller] != want || b.errs[caller] != nil {
				t.Errorf("caller %d got piece %d, %v, want %d", caller, b.results[caller], b.errs[caller], want)
			}
		}
	})
}

func TestWorkEndsWithItsLastCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		ctx, cancel := context.WithCancel(t.Context())
		b.call(ctx, 0, "a") // running
		b.call(ctx, 1, "b") // one of the callers that share it stays
		b.call(t.Context(), 2, "b")
		b.call(ctx, 3, "c") // nobody stays
		b.call(t.Context(), 4, "d")
		cancel()
		synctest.Wait()
		if want := []string{"a", "b"}; !slices.Equal(b.begun, want) {
			t.Errorf("work begun: %v, want %v", b.begun, want)
		}
		close(b.release)
		b.callers.Wait()
		if want := []string{"a", "b", "d"}; !slices.Equal(b.begun, want) {
			t.Errorf("work begun: %v, want %v", b.begun, want)
		}
		for caller, want := range []error{context.Canceled, context.Canceled, nil, context.Canceled, nil} {
			if !errors.Is(b.errs[caller], want) {
				t.Errorf("caller %d: %v, want %v", caller, b.errs[caller], want)
			}
		}
		if n, err := b.Do(ctx, "e", b.work("e")); err == nil || len(b.begun) != 3 {
			t.Errorf("a caller that has left already: %v, %v; started %v", n, err, b.begun)
		}
	})
}

func TestBounds(t *testing.T) {
	for name, tt := range map[string]struct {
		keys func(i int) string
		most int
	}{
		"pieces":  {func(i int) string { return string(rune(0x100 + i)) }, 64},
		"callers": {func(int) string { return "a" }, 256},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench()
				for i := range tt.most + 1 {
					b.call(t.Context(), i, tt.keys(i))
				}
				if len(b.errs) != 1 || !errors.Is(b.errs[tt.most], turns.ErrBusy) {
					t.Errorf("with %d waiting: %v, want ErrBusy for the last", tt.most, b.errs)
				}
				close(b.release)
				b.callers.Wait()
				b.call(t.Context(), 0, "z")
				if b.errs[0] != nil {
					t.Errorf("afterwards: %v", b.errs[0])
				}
			})
		})
	}
}
