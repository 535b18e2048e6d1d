package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/waldo-robot/waldo/pkg/stream"
)

var errUnplugged = errors.New("unplugged")

// callbacks are cases in which a function is busy with -1 while 0, 1 and 2 are published and the topic is closed.
var callbacks = []struct {
	name   string
	policy stream.Policy
	f      func(int) error
	close  error // of the topic
	want   []int // what the function is called with after -1
	err    string
}{
	{"all values", stream.DropOldest(10), nil, nil, []int{0, 1, 2}, ""},
	{"the newest", stream.Latest(), nil, nil, []int{2}, ""},
	{"the topic ends with an error", stream.DropOldest(10), nil, errUnplugged, []int{0, 1, 2}, "unplugged"},
	{"slower than its promise", stream.Strict(1), nil, nil, []int{0}, "overflowed"},
	{"the function fails", stream.DropOldest(10), func(int) error { return errUnplugged }, nil, []int{0}, "unplugged"},
	{"the function says io.EOF", stream.DropOldest(10), func(int) error { return io.EOF }, nil, []int{0}, "EOF"},
	{"the function panics", stream.DropOldest(10), func(i int) error { panic(i) }, nil, []int{0}, "panicked: 0"},
}

func TestCallbacks(t *testing.T) {
	for _, tt := range callbacks {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := stream.NewTopic[int]()
				goOn := make(chan struct{})
				var got []int
				c := stream.Call(topic, tt.policy, func(i int) error {
					if i == -1 {
						<-goOn
						return nil
					}
					if got = append(got, i); tt.f != nil {
						return tt.f(i)
					}
					return nil
				})
				topic.Publish(-1)
				synctest.Wait() // until the function is busy
				beside := topic.Subscribe(stream.DropOldest(10))
				for i := range 3 {
					topic.Publish(i)
				}
				if err := c.Err(); err != nil {
					t.Errorf("before the end: %v", err)
				}
				topic.Close(tt.close)
				close(goOn)
				<-c.Ended()
				if err := c.Err(); !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") ||
					err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("called with %v, ended with %v; want %v, %q", got, err, tt.want, tt.err)
				}
				if got, _ := drain(t, beside); !slices.Equal(got, []int{0, 1, 2}) {
					t.Errorf("the reader beside it got %v", got)
				}
			})
		})
	}
}

// TestACallbackCloses: also by its own function, and nobody has to wait for a call that is under way.
func TestACallbackCloses(t *testing.T) {
	for _, itself := range []bool{false, true} {
		t.Run(fmt.Sprintf("by itself %v", itself), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := stream.NewTopic[int]()
				goOn := make(chan struct{})
				calls := 0
				var c *stream.Callback[int]
				c = stream.Call(topic, stream.Latest(), func(int) error {
					<-goOn
					if calls++; itself {
						c.Close()
					}
					return nil
				})
				for range 3 {
					topic.Publish(1)
					synctest.Wait()
				}
				if !itself {
					c.Close()
				}
				close(goOn)
				<-c.Ended()
				if calls != 1 || c.Err() != nil || c.Lost() != 1 || topic.Subscribers() != 0 {
					t.Errorf("%d calls, %v, %d lost, %d subscribers", calls, c.Err(), c.Lost(), topic.Subscribers())
				}
			})
		})
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name   string
		settle func(*stream.Event[int])
		want   int
		err    error
	}{
		{"fired", func(e *stream.Event[int]) { e.Fire(7) }, 7, nil},
		{"fired twice", func(e *stream.Event[int]) { e.Fire(7); e.Fire(8) }, 7, nil},
		{"fired and closed", func(e *stream.Event[int]) { e.Fire(7); e.Close(errUnplugged) }, 7, nil},
		{"closed", func(e *stream.Event[int]) { e.Close(nil) }, 0, io.EOF},
		{"closed with an error, and fired", func(e *stream.Event[int]) { e.Close(errUnplugged); e.Fire(7) }, 0, errUnplugged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := stream.NewEvent[int]()
				check := func(who string) {
					if v, err := e.Next(context.Background()); v != tt.want || !errors.Is(err, tt.err) {
						t.Errorf("%s: %d, %v; want %d, %v", who, v, err, tt.want, tt.err)
					}
				}
				for range 2 {
					go check("early")
				}
				synctest.Wait()
				select {
				case <-e.Settled():
					t.Error("settled before it came")
				default:
				}
				tt.settle(e)
				<-e.Settled()
				synctest.Wait()
				check("late")
				check("again")
			})
		})
	}
}

// TestReadersEndWithTheirContext: those that are not subscriptions too.
func TestReadersEndWithTheirContext(t *testing.T) {
	fired := stream.NewEvent[int]()
	fired.Fire(1)
	readers := map[string]stream.Reader[int]{
		"event":       stream.NewEvent[int](),
		"fired event": fired,
		"getter": stream.Getter[int](func(context.Context) (int, error) {
			t.Error("asked although nobody waits")
			return 1, nil
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, r := range readers {
		if v, err := r.Next(ctx); v != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %d, %v", name, v, err)
		}
	}
}

func TestAnEventIsWaitedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := stream.NewEvent[int]().Next(ctx)
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func ExampleGetter() {
	asked := 0
	get := stream.Getter[[]int](func(context.Context) ([]int, error) {
		if asked++; asked > 2 {
			return nil, io.EOF
		}
		return []int{asked, asked * 10}, nil
	})
	blocks := stream.Rebatch(get, 3)
	fmt.Println("asked", asked)
	block, err := blocks.Next(context.Background())
	fmt.Println(block, err, "asked", asked)
	// Output:
	// asked 0
	// [1 10 2] <nil> asked 2
}
