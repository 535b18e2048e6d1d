package device

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// TestServe: what a reader delivers arrives on the bus.
func TestServe(t *testing.T) {
	server := startServer(t, embedded.Config{})
	c := connect(t, server.URL())
	p, out := startOut(t, Settings{NATS: server.URL()})
	values, err := bus.Subscribe[*wrapperspb.DoubleValue](c, p.Kit().Address().Out("out"), stream.DropOldest(10))
	if err != nil {
		t.Fatal(err)
	}
	defer values.Close()
	untilState(t, states(t, c), ready)
	topic, opened := stream.NewTopic[*wrapperspb.DoubleValue](), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		Serve(ctx, out, func() (*stream.Subscription[*wrapperspb.DoubleValue], error) {
			defer close(opened)
			return topic.Subscribe(stream.DropOldest(10)), nil
		})
	})
	defer serving.Wait()
	defer cancel()
	if err := holdOut(t, c, "a", time.Minute); err != nil {
		t.Fatal(err)
	}
	<-opened
	topic.Publish(wrapperspb.Double(7))
	if v, err := values.Next(t.Context()); err != nil || v.Value != 7 {
		t.Errorf("got %v, %v", v, err)
	}
}

// failing is a reader that fails after a while.
type failing struct {
	after time.Duration
	note  func(string)
}

func (f *failing) Next(ctx context.Context) (*wrapperspb.DoubleValue, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(f.after):
		return nil, errors.New("broken")
	}
}

func (f *failing) Close() { f.note("closed") }

// TestServeOpensAgain: readers come and go with the holders, and one that fails, or cannot be opened, is replaced after
// a second.
func TestServeOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		o := &Out[*wrapperspb.DoubleValue]{&out{name: "out", holds: newHolds(func() {}),
			kit: &Kit{Log: slog.New(slog.NewTextHandler(&logged, nil))}}}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var log []string
		note := func(what string) { log = append(log, what+" "+time.Since(begin).String()) }
		opened := 0
		var serving sync.WaitGroup
		serving.Go(func() {
			Serve(ctx, o, func() (*failing, error) {
				note("open")
				if opened++; opened == 1 {
					return nil, errors.New("no room")
				}
				return &failing{2 * time.Second, note}, nil
			})
			note("end")
		})
		for _, ttl := range []time.Duration{5500 * time.Millisecond, 500 * time.Millisecond} {
			if err := o.holds.renew("a", ttl); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second)
		}
		cancel()
		serving.Wait()
		want := []string{"open 0s", "open 1s", "closed 3s", "open 4s", "closed 5.5s", "open 6s", "closed 6.5s", "end 12s"}
		if !slices.Equal(log, want) {
			t.Errorf("got %q, want %q", log, want)
		}
		for _, want := range []string{`stream=out error="no room"`, `stream=out error=broken`} {
			if strings.Count(logged.String(), want) != 1 {
				t.Errorf("%s is not logged once: %s", want, &logged)
			}
		}
	})
}
