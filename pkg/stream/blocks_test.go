package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// count returns blocks of these sizes, whose elements count up over all of them.
func count(sizes []int) (blocks [][]int) {
	next := 0
	for _, n := range sizes {
		block := make([]int, n)
		for i := range block {
			block[i] = next
			next++
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// feed returns a subscription that yields the blocks, and then io.EOF.
func feed(blocks [][]int) *stream.Subscription[[]int] {
	topic := stream.NewTopic[[]int]()
	s := topic.Subscribe(stream.DropOldest(len(blocks)))
	for _, b := range blocks {
		topic.Publish(b)
	}
	topic.Close(nil)
	return s
}

var rebatches = []struct {
	name  string
	sizes []int
	size  int
}{
	{"equal", []int{960, 960, 960}, 960},
	{"to smaller ones", []int{960, 960}, 480},
	{"to larger ones", []int{480, 480, 480, 480}, 960},
	{"of a codec to those of a card", []int{960, 960, 128, 2048}, 1024},
	{"out of step, then in step again", []int{3, 10, 7, 10}, 10},
	{"with empty ones between", []int{0, 5, 0, 5, 0}, 10},
	{"too few for one", []int{3, 4}, 10},
	{"nothing", nil, 10},
	{"single elements", []int{5}, 1},
	{"no size counts as 1", []int{3}, 0},
}

// checkRebatch checks that nothing is lost, added or reordered, and that nothing is copied needlessly.
func checkRebatch(t *testing.T, sizes []int, size int) {
	t.Helper()
	in := count(sizes)
	b := stream.Rebatch(feed(in), size)
	size = max(size, 1)
	var got []int
	for {
		block, err := b.Next(t.Context())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		if len(block) != size {
			t.Fatalf("a block of %d, want %d", len(block), size)
		}
		if whole := within(in, block[0], size); whole != nil && &whole[0] != &block[0] {
			t.Errorf("the block at %d was copied", block[0])
		}
		got = append(got, block...)
	}
	rest := b.Rest()
	if len(rest) >= size || len(b.Rest()) != 0 {
		t.Errorf("a rest of %d, and %d after it", len(rest), len(b.Rest()))
	}
	if got = append(got, rest...); !slices.Equal(got, slices.Concat(in...)) {
		t.Errorf("blocks of %v to those of %d: %v", sizes, size, got)
	}
}

// within returns the elements from first on if they lie in one block.
func within(blocks [][]int, first, n int) []int {
	for _, b := range blocks {
		if len(b) > 0 && first >= b[0] && first+n <= b[0]+len(b) {
			return b[first-b[0]:]
		}
	}
	return nil
}

func TestRebatch(t *testing.T) {
	for _, tt := range rebatches {
		t.Run(tt.name, func(t *testing.T) { checkRebatch(t, tt.sizes, tt.size) })
	}
}

func FuzzRebatch(f *testing.F) {
	for _, tt := range rebatches {
		sizes := make([]byte, len(tt.sizes))
		for i, n := range tt.sizes {
			sizes[i] = byte(n)
		}
		f.Add(sizes, tt.size)
	}
	f.Fuzz(func(t *testing.T, sizes []byte, size int) {
		many := make([]int, min(len(sizes), 64))
		for i := range many {
			many[i] = int(sizes[i])
		}
		checkRebatch(t, many, size%1000)
	})
}

// TestRebatchGoesOnAfterAnError: a reader that gives up waiting loses nothing.
func TestRebatchGoesOnAfterAnError(t *testing.T) {
	topic := stream.NewTopic[[]int]()
	b := stream.Rebatch(topic.Subscribe(stream.DropOldest(5)), 4)
	topic.Publish([]int{1, 2, 3})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	topic.Publish([]int{4, 5})
	if got, err := b.Next(t.Context()); err != nil || !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRebatchLeavesTheBlocksOfOthersAlone(t *testing.T) {
	in := count([]int{6, 6})
	b := stream.Rebatch(feed(in), 4)
	for {
		block, err := b.Next(t.Context())
		if err != nil {
			break
		}
		_ = append(block, -1) // must not reach into the elements that follow
	}
	if got := slices.Concat(in...); !slices.Equal(got, slices.Concat(count([]int{12})...)) {
		t.Errorf("the producer's blocks are %v now", got)
	}
}

func TestDelayed(t *testing.T) {
	topic := stream.NewTopic[int]()
	d := stream.Delay(topic, stream.DropOldest(2))
	topic.Publish(1) // nobody reads yet
	if n := topic.Subscribers(); n != 0 {
		t.Errorf("%d subscribers before the first read", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("first read: %v", err)
	}
	for i := 2; i < 6; i++ {
		topic.Publish(i)
	}
	topic.Close(nil)
	for want := 4; want < 6; want++ {
		if got, err := d.Next(t.Context()); err != nil || got != want {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	if _, err := d.Next(t.Context()); !errors.Is(err, io.EOF) || d.Lost() != 2 {
		t.Errorf("end %v, lost %d", err, d.Lost())
	}
}

func TestDelayedWaitsForWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := stream.NewTopic[int]()
		d := stream.Delay(topic, stream.Latest())
		got := make(chan int, 1)
		go func() {
			v, _ := d.Next(context.Background())
			got <- v
		}()
		synctest.Wait()
		topic.Publish(7)
		if v := <-got; v != 7 {
			t.Errorf("got %d", v)
		}
	})
}

func TestDelayedCloses(t *testing.T) {
	for _, begun := range []bool{false, true} {
		t.Run(fmt.Sprintf("begun %v", begun), func(t *testing.T) {
			topic := stream.NewTopic[int]()
			d := stream.Delay(topic, stream.DropOldest(5))
			if begun {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_, _ = d.Next(ctx)
			}
			topic.Publish(1)
			d.Close()
			d.Close()
			topic.Publish(2)
			if _, err := d.Next(t.Context()); !errors.Is(err, stream.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
			if n := topic.Subscribers(); n != 0 || d.Lost() != 0 {
				t.Errorf("%d subscribers, %d lost", n, d.Lost())
			}
		})
	}
}

func TestDelayedClosesWhileItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := stream.Delay(stream.NewTopic[int](), stream.Latest())
		ended := make(chan error, 1)
		go func() {
			_, err := d.Next(context.Background())
			ended <- err
		}()
		synctest.Wait()
		d.Close()
		if err := <-ended; !errors.Is(err, stream.ErrClosed) {
			t.Error(err)
		}
	})
}

func ExampleRebatch() {
	topic := stream.NewTopic[[]int16]()
	blocks := stream.Rebatch(topic.Subscribe(stream.DropOldest(50)), 2)
	topic.Publish([]int16{1, 2, 3})
	topic.Publish([]int16{4, 5})
	topic.Close(nil)
	for {
		block, err := blocks.Next(context.Background())
		if err != nil {
			break
		}
		fmt.Println(block)
	}
	fmt.Println("rest", blocks.Rest())
	// Output:
	// [1 2]
	// [3 4]
	// rest [5]
}
