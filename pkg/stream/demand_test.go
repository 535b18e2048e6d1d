package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDemandRunsWorkWhileThereAreUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Demand
		var log []string
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- d.While(ctx, func(ctx context.Context) error {
				log = append(log, "begin")
				<-ctx.Done()
				time.Sleep(time.Second) // the next period waits for this one's work
				log = append(log, "end")
				return ctx.Err()
			})
		}()
		synctest.Wait()
		if d.Wanted() || len(log) > 0 {
			t.Errorf("without a user: wanted %v, %v", d.Wanted(), log)
		}
		first, second := d.Want(), d.Want()
		synctest.Wait()
		first()
		first() // counts once
		synctest.Wait()
		if !d.Wanted() || fmt.Sprint(log) != "[begin]" {
			t.Errorf("with one user left: wanted %v, %v", d.Wanted(), log)
		}
		second()
		third := d.Want()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !d.Wanted() || fmt.Sprint(log) != "[begin end begin]" {
			t.Errorf("with the next user: wanted %v, %v", d.Wanted(), log)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || fmt.Sprint(log) != "[begin end begin end]" {
			t.Errorf("after the end: %v, %v", err, log)
		}
		third()
	})
}

// TestDemandNow: what is returned is closed when the first user comes, and when the last one goes, and not before.
func TestDemandNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Demand
		for range 2 {
			wanted, begins := d.Now()
			if wanted || isClosed(begins) {
				t.Fatalf("without a user: wanted is %v, changed is %v", wanted, isClosed(begins))
			}
			release := d.Want()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { _ = d.During(ctx) }()
			synctest.Wait()
			wanted, ends := d.Now()
			release()
			if !wanted || !isClosed(begins) || isClosed(ends) {
				t.Fatalf("with a user: wanted is %v, begun is %v, ended is %v", wanted, isClosed(begins), isClosed(ends))
			}
			cancel()
			synctest.Wait()
			if d.Wanted() || !isClosed(ends) {
				t.Fatalf("after the last one: wanted is %v, ended is %v", d.Wanted(), isClosed(ends))
			}
		}
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestDemandEndsWithTheErrorOfItsWork(t *testing.T) {
	var d Demand
	defer d.Want()()
	broken := errors.New("broken")
	if err := d.While(t.Context(), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := d.While(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestDemandOfManyUsers: whatever the order in which users come and go, work runs once at a time, and
// while a user waits for it.
func TestDemandOfManyUsers(t *testing.T) {
	var d Demand
	var running, most atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var owned, users sync.WaitGroup
	owned.Go(func() {
		_ = d.While(ctx, func(ctx context.Context) error {
			most.Store(max(most.Load(), running.Add(1)))
			<-ctx.Done()
			running.Add(-1)
			return nil
		})
	})
	for range 8 {
		users.Go(func() {
			for range 200 {
				release := d.Want()
				for running.Load() == 0 {
					time.Sleep(time.Microsecond)
				}
				release()
			}
		})
	}
	users.Wait()
	if d.Wanted() {
		t.Error("wanted by nobody")
	}
	cancel()
	owned.Wait()
	if running.Load() != 0 || most.Load() != 1 {
		t.Errorf("%d still run, at most %d ran at once", running.Load(), most.Load())
	}
}

func TestTopicWhileRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := NewTopic[int]()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = topic.WhileRead(ctx, func(ctx context.Context) error {
				for tick := time.NewTicker(time.Second); ; {
					select {
					case <-ctx.Done():
						tick.Stop()
						return nil
					case <-tick.C:
						topic.Publish(1)
					}
				}
			})
		}()
		count := func(s *Subscription[int]) (n int) {
			for _, ok := s.TryNext(); ok; _, ok = s.TryNext() {
				n++
			}
			return n
		}
		a, b := topic.Subscribe(DropOldest(100)), topic.Subscribe(DropOldest(100))
		time.Sleep(10*time.Second + 1)
		if n, m := count(a), count(b); n != 10 || m != 10 {
			t.Errorf("%d and %d values in 10 s, want 10", n, m)
		}
		a.Close()
		a.Close()
		time.Sleep(10 * time.Second)
		if n := count(b); n != 10 {
			t.Errorf("%d values for the reader that stayed, want 10", n)
		}
		b.Close()
		synctest.Wait()
		c := topic.Subscribe(DropOldest(100))
		time.Sleep(10*time.Second + 1)
		if n := count(c); n != 10 {
			t.Errorf("%d values for the reader that came later, want 10", n)
		}
		topic.Close(nil)
		synctest.Wait()
		cancel()
		<-ended
	})
}

func ExampleDemand() {
	var heat Demand
	ctx, stop := context.WithCancel(context.Background())
	var owned sync.WaitGroup
	on := make(chan struct{})
	owned.Go(func() {
		_ = heat.While(ctx, func(ctx context.Context) error {
			fmt.Println("on")
			close(on)
			<-ctx.Done()
			fmt.Println("off")
			return nil
		})
	})
	release := heat.Want()
	<-on
	release()
	stop()
	owned.Wait()
	// Output:
	// on
	// off
}
