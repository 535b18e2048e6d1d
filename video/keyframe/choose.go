package keyframe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/waldo-robot/waldo/video/source"
)

// next returns by which ways to ask now; none, with the time after which that changes by itself.
func (a *Asker) next(now time.Time) (list []Way, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if early := a.asked.Add(Least).Sub(now); early > 0 && !a.asked.IsZero() {
		return nil, early
	}
	switch {
	case a.wish != nil:
		list = a.forWish()
	case a.wanted:
		if list = a.best(nil); list == nil {
			list = a.unmeasured()
		}
		a.wanted = false
	default:
		if wait = a.untilMeasurement(now); wait == 0 {
			list = a.unmeasured()
		}
	}
	if list == nil {
		return nil, max(wait, Least)
	}
	a.asked, a.answered = now, time.Time{}
	return list, 0
}

// forWish chooses for those who wait: one way that works after the other, then all others at once. When there is
// nothing left to try it ends their wish. The caller holds mu, and there is a wish.
func (a *Asker) forWish() []Way {
	if list := a.best(a.wish.tried); list != nil {
		return list
	}
	var rest []Way
	var names []string
	for _, w := range a.ways {
		names = append(names, w.Name)
		if !a.wish.tried[w.Name] {
			rest = append(rest, w)
		}
	}
	if rest == nil && a.preparing == 0 {
		a.settle(fmt.Errorf("%w: none came within %v of asking by %s: %s", source.ErrNoKeyFrame, Limit,
			strings.Join(names, ", "), remedy))
	}
	return rest
}

// best returns the way that works best, without those that were tried. The caller holds mu.
func (a *Asker) best(tried map[string]bool) (list []Way) {
	var least *rating
	for _, w := range a.ways {
		r := a.ratings[w.Name]
		if r == nil || r.took == 0 || tried[w.Name] {
			continue
		}
		if least == nil || r.failed < least.failed || r.failed == least.failed && r.took < least.took {
			least, list = r, []Way{w}
		}
	}
	return list
}

// unmeasured returns the next way that was never asked alone. The caller holds mu.
func (a *Asker) unmeasured() []Way {
	for _, w := range a.ways {
		if a.ratings[w.Name] == nil {
			return []Way{w}
		}
	}
	return nil
}

// untilMeasurement is the time until a way can be measured: right after a key frame, or if none has come for long. The
// caller holds mu.
func (a *Asker) untilMeasurement(now time.Time) time.Duration {
	since := now.Sub(a.last)
	switch late := a.asked.Add(quiet).Sub(now); {
	case late > 0 && a.answered.IsZero():
		return late
	case a.last.IsZero():
		return max(0, a.began.Add(patience).Sub(now))
	case a.interval > 0 && since <= a.interval/4:
		return 0
	}
	return max(0, patience-since)
}

// ask asks by some ways at once, and waits for the key frame.
func (a *Asker) ask(ctx context.Context, list []Way) {
	a.mu.Lock()
	asked, before, wish := a.asked, a.last, a.wish
	a.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, asked.Add(Limit))
	var asking sync.WaitGroup
	for _, w := range list {
		a.metrics.requests.WithLabelValues(w.Name).Inc()
		asking.Go(func() { _ = w.Ask(ctx) }) // what it cannot send shows in the key frame that does not come
	}
	for a.waits() {
		select {
		case <-a.wake:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	ended := errors.Is(ctx.Err(), context.Canceled)
	cancel()
	asking.Wait()
	if ended {
		a.broke(list)
		return
	}
	a.judge(list, before, wish)
}

// broke notes that the connection ended while the camera was asked.
func (a *Asker) broke(list []Way) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range list {
		if a.broken[w.Name]++; a.broken[w.Name] == breaks && a.ratings[w.Name] == nil {
			a.ratings[w.Name] = &rating{}
		}
	}
}

func (a *Asker) waits() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answered.IsZero()
}

// judge notes how asking by some ways went: the last key frame and the wish are those before.
func (a *Asker) judge(list []Way, before time.Time, asked *wish) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed() // for Run: the wakes meanwhile were taken
	came := !a.answered.IsZero()
	due := a.interval > 0 && a.answered.Sub(before) > a.interval*4/5
	if len(list) == 1 {
		a.rate(list[0], came, due)
	} else if came && !due && a.best(nil) == nil {
		clear(a.ratings) // one of them works now: find out which
	}
	for _, w := range list {
		if a.wish != nil && a.wish == asked {
			a.wish.tried[w.Name] = true
		}
	}
}

// rate notes whether a way brought a key frame, and whether that was due anyway. The caller holds mu.
func (a *Asker) rate(w Way, came, due bool) {
	r := a.ratings[w.Name]
	switch took := a.answered.Sub(a.asked); {
	case r == nil && came && !due:
		r = &rating{took: took}
	case r == nil:
		r = &rating{}
	case came:
		if r.failed = 0; r.took == 0 && !due {
			r.took = took
		}
	default:
		if r.failed++; r.failed == failures {
			r.took = 0
		}
	}
	a.ratings[w.Name] = r
	a.metrics.answers.WithLabelValues(w.Name).Set(r.took.Seconds())
}
