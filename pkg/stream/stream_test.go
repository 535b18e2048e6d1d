package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drain reads until the subscription ends and returns the values and the reason for its end.
func drain(t *testing.T, s *stream.Subscription[int]) (got []int, end error) {
	t.Helper()
	for {
		v, err := s.Next(t.Context())
		if err != nil {
			return got, err
		}
		got = append(got, v)
	}
}

func TestPolicies(t *testing.T) {
	tests := []struct {
		name   string
		policy stream.Policy
		want   []int
		lost   uint64
		end    error
	}{
		{"zero value is latest", stream.Policy{}, []int{9}, 9, io.EOF},
		{"latest", stream.Latest(), []int{9}, 9, io.EOF},
		{"drop oldest", stream.DropOldest(3), []int{7, 8, 9}, 7, io.EOF},
		{"drop oldest of none", stream.DropOldest(0), []int{9}, 9, io.EOF},
		{"drop oldest with room", stream.DropOldest(100), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, io.EOF},
		{"strict with room", stream.Strict(10), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, io.EOF},
		{"strict overflow", stream.Strict(4), []int{0, 1, 2, 3}, 1, stream.ErrOverflow},
		{"block with room", stream.Block(10), []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			topic := stream.NewTopic[int]()
			s := topic.Subscribe(tt.policy)
			for i := range 10 {
				topic.Publish(i)
			}
			topic.Close(nil)
			got, end := drain(t, s)
			if !slices.Equal(got, tt.want) || s.Lost() != tt.lost || !errors.Is(end, tt.end) {
				t.Errorf("got %v, lost %d, end %v; want %v, %d, %v", got, s.Lost(), end, tt.want, tt.lost, tt.end)
			}
		})
	}
}

func TestBlockMakesTheProducerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := stream.NewTopic[int]()
		s := topic.Subscribe(stream.Block(1))
		published := 0
		go func() {
			for i := range 5 {
				topic.Publish(i)
				published++
			}
			topic.Close(nil)
		}()
		synctest.Wait()
		if published != 1 {
			t.Fatalf("producer published %d values into a queue of 1", published)
		}
		got, _ := drain(t, s)
		if !slices.Equal(got, []int{0, 1, 2, 3, 4}) || s.Lost() != 0 {
			t.Errorf("got %v, lost %d", got, s.Lost())
		}
	})
}

func TestLeavingFreesAWaitingProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := stream.NewTopic[int]()
		s := topic.Subscribe(stream.Block(1))
		var done sync.WaitGroup
		for range 3 {
			done.Go(func() {
				for i := range 5 {
					topic.Publish(i)
				}
			})
		}
		synctest.Wait()
		s.Close()
		done.Wait() // synctest fails the test if this can never return
		if n := topic.Subscribers(); n != 0 {
			t.Errorf("%d subscribers left", n)
		}
	})
}

func TestStalledReaderSlowsNobody(t *testing.T) {
	topic := stream.NewTopic[int]()
	stalled := topic.Subscribe(stream.Latest())
	strict := topic.Subscribe(stream.Strict(2))
	live := topic.Subscribe(stream.DropOldest(1000))
	for i := range 1000 {
		topic.Publish(i)
	}
	topic.Close(nil)
	if got, _ := drain(t, live); len(got) != 1000 {
		t.Errorf("live reader got %d of 1000", len(got))
	}
	if stalled.Lost() != 999 || strict.Lost() == 0 {
		t.Errorf("stalled lost %d, strict lost %d", stalled.Lost(), strict.Lost())
	}
}

func TestEnds(t *testing.T) {
	reason := errors.New("unplugged")
	topic := stream.NewTopic[int]()
	s := topic.Subscribe(stream.DropOldest(5))
	topic.Publish(1)
	topic.Close(reason)
	topic.Close(errors.New("second close is ignored"))
	topic.Publish(2)
	if got, end := drain(t, s); !slices.Equal(got, []int{1}) || !errors.Is(end, reason) {
		t.Errorf("got %v, %v", got, end)
	}
	if _, err := topic.Subscribe(stream.Latest()).Next(t.Context()); !errors.Is(err, reason) {
		t.Errorf("late subscriber got %v", err)
	}
}

func TestCloseDiscardsAndWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := stream.NewTopic[int]()
		s := topic.Subscribe(stream.DropOldest(5))
		woken := make(chan error, 1)
		go func() {
			_, err := s.Next(context.Background())
			woken <- err
		}()
		synctest.Wait()
		s.Close()
		if err := <-woken; !errors.Is(err, stream.ErrClosed) {
			t.Errorf("woken with %v", err)
		}
		topic.Publish(1)
		s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, stream.ErrClosed) {
			t.Errorf("after close got %v", err)
		}
	})
}

func TestNextEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := stream.NewTopic[int]().Subscribe(stream.Latest())
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAContextThatIsOverWins: queued values do not keep a loop alive whose context has ended.
func TestAContextThatIsOverWins(t *testing.T) {
	topic := stream.NewTopic[[]int]()
	policy := stream.DropOldest(5)
	plain, blocks, delayed := topic.Subscribe(policy), stream.Rebatch(topic.Subscribe(policy), 1),
		stream.Delay(topic, policy)
	topic.Publish([]int{1, 2})
	if _, err := blocks.Next(t.Context()); err != nil { // leaves an element for the next block
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = delayed.Next(ctx) // begins
	topic.Publish([]int{3})
	for name, reader := range map[string]stream.Reader[[]int]{"subscription": plain, "blocks": blocks,
		"delayed": delayed} {
		if v, err := reader.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, %v after the context had ended", name, v, err)
		}
	}
	for v, err := range plain.All(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the loop continued with %v, %v", v, err)
		}
	}
	if v, err := plain.Next(t.Context()); err != nil || !slices.Equal(v, []int{1, 2}) {
		t.Errorf("another context got %v, %v: nothing should be lost", v, err)
	}
}

func TestAllYieldsTheLastError(t *testing.T) {
	reason := errors.New("unplugged")
	for _, tt := range []struct{ close, want error }{{nil, nil}, {reason, reason}} {
		topic := stream.NewTopic[int]()
		s := topic.Subscribe(stream.DropOldest(5))
		topic.Publish(7)
		topic.Close(tt.close)
		var got []int
		var last error
		for v, err := range s.All(t.Context()) {
			if last = err; err == nil {
				got = append(got, v)
			}
		}
		if !slices.Equal(got, []int{7}) || !errors.Is(last, tt.want) {
			t.Errorf("close(%v): got %v, %v", tt.close, got, last)
		}
	}
}

// TestWithin: a value that has waited too long is treated like one that found no room.
func TestWithin(t *testing.T) {
	tests := []struct {
		name   string
		policy stream.Policy
		want   []int
		lost   uint64
		end    error
	}{
		{"drop oldest", stream.DropOldest(10).Within(250 * time.Millisecond), []int{3, 4, 5}, 3, io.EOF},
		{"latest", stream.Latest().Within(time.Millisecond), []int{5}, 5, io.EOF},
		{"strict", stream.Strict(10).Within(250 * time.Millisecond), nil, 1, stream.ErrOverflow},
		{"strict in time", stream.Strict(10).Within(time.Second), []int{0, 1, 2, 3, 4, 5}, 0, io.EOF},
		{"block", stream.Block(10).Within(time.Millisecond), []int{0, 1, 2, 3, 4, 5}, 0, io.EOF},
		{"no limit", stream.DropOldest(10).Within(0), []int{0, 1, 2, 3, 4, 5}, 0, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := stream.NewTopic[int]()
				s := topic.Subscribe(tt.policy)
				for i := range 6 { // ages at the end: 500, 400 … 0 ms
					time.Sleep(100 * time.Millisecond)
					topic.Publish(i)
				}
				if errors.Is(tt.end, io.EOF) {
					topic.Close(nil)
				}
				got, end := drain(t, s)
				if !slices.Equal(got, tt.want) || s.Lost() != tt.lost || !errors.Is(end, tt.end) {
					t.Errorf("got %v, lost %d, %v; want %v, %d, %v", got, s.Lost(), end, tt.want, tt.lost, tt.end)
				}
				if n := topic.Subscribers(); !errors.Is(tt.end, io.EOF) && n != 0 {
					t.Errorf("%d subscribers are left", n)
				}
			})
		})
	}
}

// TestConcurrentUse is for the race detector, and checks that received and lost values add up.
func TestConcurrentUse(t *testing.T) {
	topic := stream.NewTopic[int]()
	const producers, each = 4, 500
	var readers, writers sync.WaitGroup
	for i := range 4 {
		s := topic.Subscribe([]stream.Policy{stream.Latest(), stream.DropOldest(8), stream.Block(2),
			stream.DropOldest(producers * each)}[i])
		readers.Go(func() {
			n := uint64(0)
			for _, err := range s.All(context.Background()) {
				if err != nil {
					t.Errorf("reader %d: %v", i, err)
				}
				n++
			}
			if n+s.Lost() != producers*each {
				t.Errorf("reader %d: %d received and %d lost of %d", i, n, s.Lost(), producers*each)
			}
		})
	}
	for range producers {
		writers.Go(func() {
			for i := range each {
				topic.Publish(i)
				if i%100 == 0 {
					topic.Subscribe(stream.Strict(1)).Close()
				}
			}
		})
	}
	writers.Wait()
	topic.Close(nil)
	readers.Wait()
}

func ExampleTopic() {
	topic := stream.NewTopic[string]()
	pictures := topic.Subscribe(stream.Latest())
	keys := topic.Subscribe(stream.Strict(16))
	for _, v := range []string{"a", "b", "c"} {
		topic.Publish(v)
	}
	topic.Close(nil)
	for v, err := range pictures.All(context.Background()) {
		fmt.Println("picture", v, err)
	}
	for v, err := range keys.All(context.Background()) {
		fmt.Println("key", v, err)
	}
	// Output:
	// picture c <nil>
	// key a <nil>
	// key b <nil>
	// key c <nil>
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d readers", n), func(b *testing.B) {
			topic := stream.NewTopic[int]()
			for range n {
				topic.Subscribe(stream.Latest())
			}
			b.ReportAllocs()
			for i := range b.N {
				topic.Publish(i)
			}
		})
	}
}

// TestTryNext: values queued before a reader was ended can still be taken.
func TestTryNext(t *testing.T) {
	topic := stream.NewTopic[int]()
	sub := topic.Subscribe(stream.DropOldest(4))
	defer sub.Close()
	topic.Publish(1)
	topic.Publish(2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, err := sub.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v after the context ended", v, err)
	}
	for _, want := range []int{1, 2} {
		if v, ok := sub.TryNext(); !ok || v != want {
			t.Errorf("%d, %v, want %d", v, ok, want)
		}
	}
	if v, ok := sub.TryNext(); ok {
		t.Errorf("%d out of nothing", v)
	}
}
