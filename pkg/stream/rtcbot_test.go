package stream_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestRTCBotsCases has what RTCBot's own tests ask of its subscriptions and producers, as far as there is
// such a thing here: connections, data channels and its consumers are elsewhere.
func TestRTCBotsCases(t *testing.T) {
	policy := stream.DropOldest(10)
	tests := []struct {
		name string
		run  func(t *testing.T, topic *stream.Topic[int])
	}{
		{"what came before the first read waits for a subscription", func(t *testing.T, topic *stream.Topic[int]) {
			s := topic.Subscribe(policy)
			topic.Publish(1)
			topic.Publish(2)
			wantNext(t, s, 1, 2)
		}},
		{"two get the same, and one that has left gets nothing", func(t *testing.T, topic *stream.Topic[int]) {
			one, two := topic.Subscribe(policy), topic.Subscribe(policy)
			topic.Publish(1)
			wantNext(t, one, 1)
			one.Close()
			one.Close()
			topic.Publish(2)
			wantNext(t, two, 1, 2)
			if _, err := one.Next(t.Context()); !errors.Is(err, stream.ErrClosed) {
				t.Errorf("after it left: %v", err)
			}
		}},
		{"who subscribes again misses what came between", func(t *testing.T, topic *stream.Topic[int]) {
			topic.Subscribe(policy).Close()
			topic.Publish(4)
			again := topic.Subscribe(policy)
			topic.Publish(5)
			wantNext(t, again, 5)
		}},
		{"the end wakes everybody who reads", func(t *testing.T, topic *stream.Topic[int]) {
			ended := make(chan error)
			readers := []stream.Reader[int]{topic.Subscribe(policy), stream.Delay(topic, policy)}
			for _, r := range readers {
				go func() {
					_, err := r.Next(context.Background())
					ended <- err
				}()
			}
			synctest.Wait()
			topic.Close(nil)
			for range readers {
				if err := <-ended; !errors.Is(err, io.EOF) {
					t.Error(err)
				}
			}
		}},
		{"the newest waits for a new one", func(t *testing.T, topic *stream.Topic[int]) {
			s := topic.Subscribe(stream.Latest())
			topic.Publish(1)
			topic.Publish(2)
			wantNext(t, s, 2)
			go topic.Publish(3)
			wantNext(t, s, 3)
		}},
		{"one that raises takes nothing from the others", func(t *testing.T, topic *stream.Topic[int]) {
			raises := stream.Call(topic, policy, func(int) error { panic("raised") })
			good := topic.Subscribe(policy)
			topic.Publish(1)
			topic.Publish(2)
			wantNext(t, good, 1, 2)
			<-raises.Ended()
			if n := topic.Subscribers(); n != 1 {
				t.Errorf("%d subscribers are left", n)
			}
		}},
		{"sound in blocks of another size", func(t *testing.T, _ *stream.Topic[int]) {
			in := count([]int{960, 960, 128, 2048})
			blocks := stream.Rebatch(feed(in), 1024)
			var got []int
			for range 4 {
				block, err := blocks.Next(t.Context())
				if err != nil || len(block) != 1024 {
					t.Fatalf("%d, %v", len(block), err)
				}
				got = append(got, block...)
			}
			if !slices.Equal(got, slices.Concat(in...)) {
				t.Error("the blocks have other contents")
			}
			exact := count([]int{1024})
			if block, err := stream.Rebatch(feed(exact), 1024).Next(t.Context()); err != nil || &block[0] != &exact[0][0] {
				t.Errorf("an exact block was copied, or %v", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.run(t, stream.NewTopic[int]()) })
		})
	}
}

// wantNext checks what a reader gets next.
func wantNext(t *testing.T, r stream.Reader[int], want ...int) {
	t.Helper()
	for _, w := range want {
		if v, err := r.Next(t.Context()); err != nil || v != w {
			t.Fatalf("got %d, %v; want %d", v, err, w)
		}
	}
}
