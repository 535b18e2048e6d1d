package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	workv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/work/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/stream"
	"github.com/waldo-robot/waldo/pkg/text"
)

// What [ResultsConfig] says by default, and the bound that it cannot change.
const (
	defaultBuffer = 500 * time.Millisecond
	defaultMost   = 1024      // for an earlier one
	defaultUnread = 256       // for the reader
	maxWaiting    = 128 << 20 // bytes
)

// ResultsConfig describes how to collect. The zero value works.
type ResultsConfig struct {
	// Buffer is how long a result may wait for an earlier one; the very first waits for 500 ms at most. Default 500 ms.
	// With [Config.Lossless] it should be longer than it takes to give a frame to another worker, which is [bus.KeptFor]
	// and the time of the work.
	Buffer time.Duration
	// Most is how many results may wait for an earlier one, and as many for the reader; of the latter the oldest are lost.
	// Default 1024 and 256. What waits for an earlier one is bounded by 128 MiB, too.
	Most int
	// All has [Results.Next] also return what became of the frames of which there is no result: dropped ones and failures.
	All bool
	// Log receives failures of workers, one in a second at most. Default: nothing is logged.
	Log *slog.Logger
}

// Stats counts results.
type Stats struct {
	// Delivered to the reader.
	Delivered uint64
	// Dropped frames, by workers that were behind.
	Dropped uint64
	// Failed frames: the worker said that it failed.
	Failed uint64
	// Missing are frames of which nothing has come, so far: workers died with them, or the bus was away.
	Missing uint64
	// Late results came after a later one was delivered.
	Late uint64
	// Duplicate results are for a frame of which there was one.
	Duplicate uint64
	// Invalid results name no frame, or do not say what became of it.
	Invalid uint64
	// Lost results waited for the reader, who was too slow.
	Lost uint64
}

// Results are what the workers of a track make, in the order in which the frames were captured. Like a
// [stream.Subscription] it has one reader at a time; Stats and Close may be called from anywhere.
type Results struct {
	sub    *bus.Subscription[*workv1.Result]
	config ResultsConfig

	mu     sync.Mutex
	order  *order
	logged time.Time
}

// Collect subscribes to the results of a track.
func Collect(conn *bus.Conn, camera bus.Address, track string, config ResultsConfig) (*Results, error) {
	if err := check(camera, track); err != nil {
		return nil, fmt.Errorf("collect results: %w", err)
	}
	if config.Buffer <= 0 {
		config.Buffer = defaultBuffer
	}
	unread := config.Most
	if config.Most <= 0 {
		config.Most, unread = defaultMost, defaultUnread
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	sub, err := bus.Subscribe[*workv1.Result](conn, camera.Work(track), stream.DropOldest(unread))
	if err != nil {
		return nil, fmt.Errorf("collect results: %w", err)
	}
	return &Results{sub: sub, config: config, order: newOrder(config.Buffer, config.Most, maxWaiting)}, nil
}

// Next waits for the next result whose turn it is. It returns the error of ctx, [stream.ErrClosed] after Close, or
// [io.EOF] once the connection is closed and everything has been returned.
func (r *Results) Next(ctx context.Context) (*workv1.Result, error) {
	var end error
	for {
		result, due, waits := r.take(end != nil)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case result != nil && r.wanted(result):
			return result, nil
		case result != nil:
			continue
		case end != nil:
			return nil, end
		}
		end = r.receive(ctx, due, waits)
	}
}

// All yields results until ctx ends, the results are closed or the loop is left. Any end but [io.EOF] is yielded as a
// last error.
func (r *Results) All(ctx context.Context) iter.Seq2[*workv1.Result, error] {
	return func(yield func(*workv1.Result, error) bool) {
		for {
			result, err := r.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(result, err) || err != nil {
				return
			}
		}
	}
}

// Stats returns what has been counted so far.
func (r *Results) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.order.stats
	s.Lost = r.sub.Lost()
	return s
}

// Close ends the subscription, and a Next that waits.
func (r *Results) Close() { r.sub.Close() }

// take puts what has come in order, and returns the result whose turn it is, if any; at the end it waits for no other.
// Otherwise it says until when to wait for another one.
func (r *Results) take(end bool) (result *workv1.Result, due time.Time, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for r.order.held() < r.config.Most {
		next, ok := r.sub.TryNext()
		if !ok {
			break
		}
		r.order.put(next, proto.Size(next), now)
	}
	if end {
		now = now.Add(r.config.Buffer)
	}
	if result = r.order.take(now); result == nil {
		due, waits = r.order.due()
	}
	return result, due, waits
}

// receive waits for another result, until due if that is given. It returns an error when no more will come.
func (r *Results) receive(ctx context.Context, due time.Time, waits bool) error {
	if waits {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, due)
		defer cancel()
	}
	next, err := r.sub.Next(ctx)
	switch {
	case err == nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.order.put(next, proto.Size(next), time.Now())
		return nil
	case ctx.Err() != nil:
		return nil // it is time to look again, or the caller's context has ended
	}
	return err
}

// wanted counts a result, and reports whether the reader gets it.
func (r *Results) wanted(result *workv1.Result) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := r.config.All
	switch result.GetOutcome() {
	case workv1.Outcome_OUTCOME_DONE:
		wanted = true
	case workv1.Outcome_OUTCOME_DROPPED:
		r.order.stats.Dropped++
	default:
		r.order.stats.Failed++
		r.logFailure(result)
	}
	if wanted {
		r.order.stats.Delivered++
	}
	return wanted
}

func (r *Results) logFailure(result *workv1.Result) {
	if now := time.Now(); now.Sub(r.logged) >= time.Second {
		r.logged = now
		r.config.Log.Warn("a worker failed on a frame", "worker", clean(result.GetWorker(), maxName), "sequence",
			result.GetSequence(), "error", clean(result.GetError(), maxError))
	}
}

// clean is text of others, for people to read.
func clean(s string, most int) string {
	s = text.Printable(s)
	for n, r := range s {
		if n+utf8.RuneLen(r) > most {
			return s[:n]
		}
	}
	return s
}
