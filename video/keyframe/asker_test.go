package keyframe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/video/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	pli   = "PLI"
	fir   = "FIR"
	point = "SetSynchronizationPoint"
)

// camera sends key frames to an asker.
type camera struct {
	*Asker
	every  time.Duration            // between key frames; 0 is never
	obeys  map[string]time.Duration // how long it takes
	breaks string                   // the way at which it ends the connection
	slow   time.Duration            // until a way is prepared

	mu    sync.Mutex
	asked []request
	began time.Time
	end   context.CancelFunc
}

type request struct {
	way string
	at  time.Duration // since the start of the test
}

// ways are those of the camera; the last has to be prepared.
func (c *camera) ways(ctx context.Context) (ways []Way) {
	for _, name := range []string{pli, fir, point} {
		w := Way{Name: name, Ask: func(context.Context) error { return c.take(ctx, name) }}
		if name == point {
			w.Prepare = func(ctx context.Context) error {
				select {
				case <-time.After(c.slow):
				case <-ctx.Done():
				}
				return ctx.Err()
			}
		}
		ways = append(ways, w)
	}
	return ways
}

// take is a request that the camera gets.
func (c *camera) take(ctx context.Context, way string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, request{way, time.Since(c.began)})
	if way == c.breaks {
		c.end()
	}
	if delay, obeys := c.obeys[way]; obeys {
		time.AfterFunc(delay, func() {
			if ctx.Err() == nil {
				c.Key(time.Now())
			}
		})
	}
	return nil
}

func (c *camera) requests() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// connect runs a connection until ctx ends, or the camera ends it.
func (c *camera) connect(ctx context.Context) {
	ctx, c.end = context.WithCancel(ctx)
	defer c.end()
	var sending sync.WaitGroup
	defer sending.Wait()
	if c.every > 0 {
		sending.Go(func() {
			for tick := time.NewTicker(c.every); ; {
				c.Key(time.Now())
				select {
				case <-tick.C:
				case <-ctx.Done():
					tick.Stop()
					return
				}
			}
		})
	}
	c.Run(ctx, c.ways(ctx))
}

// with runs a test with a camera that is connected.
func with(t *testing.T, c *camera, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c.Asker, c.began = New(nil), time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() { c.connect(ctx) })
		synctest.Wait()
		test(t)
		last := time.Duration(-1)
		for _, r := range c.requests() {
			if apart := r.at - last; apart > 0 && apart < Least && last >= 0 {
				t.Errorf("asked %v after the last time, want %v: %v", apart, Least, c.requests())
			}
			last = r.at
		}
	})
}

// Each way is measured once, right after a key frame, and what is known is told. A key frame that was due is no answer.
func TestWaysAreMeasured(t *testing.T) {
	const quick = 80 * time.Millisecond
	const ignored = "PLI is ignored; FIR is ignored; SetSynchronizationPoint is ignored"
	for name, tt := range map[string]struct {
		every time.Duration
		obeys map[string]time.Duration
		want  string
	}{
		"nothing, often": {300 * time.Millisecond, nil, ignored},
		"nothing":        {2 * time.Second, nil, ignored},
		"nothing, never": {0, nil, ignored},
		"PLI": {2 * time.Second, map[string]time.Duration{pli: quick},
			"PLI in 80ms; FIR is ignored; SetSynchronizationPoint is ignored"},
		"all, often": {time.Second, map[string]time.Duration{pli: 300 * time.Millisecond, fir: quick, point: quick},
			"PLI in 300ms; FIR in 80ms; SetSynchronizationPoint in 80ms"},
		"point, rarely": {20 * time.Second, map[string]time.Duration{point: quick},
			"PLI is ignored; FIR is ignored; SetSynchronizationPoint in 80ms"},
		"too late": {10 * time.Second, map[string]time.Duration{pli: 1100 * time.Millisecond}, ignored},
	} {
		t.Run(name, func(t *testing.T) {
			c := &camera{every: tt.every, obeys: tt.obeys}
			with(t, c, func(t *testing.T) {
				if got := c.String(); strings.Count(got, "not measured yet") < 2 || c.OnRequest() {
					t.Errorf("at first: %s, %v", got, c.OnRequest())
				}
				time.Sleep(time.Minute)
				if got := c.String(); got != tt.want || c.OnRequest() != (tt.obeys != nil && name != "too late") {
					t.Errorf("%s, %v, want %s", got, c.OnRequest(), tt.want)
				}
				if n := len(c.requests()); n != 3 {
					t.Errorf("asked %d times: %v", n, c.requests())
				}
			})
		})
	}
}

// The fastest way is used, for all who wait at a time, and not more often than the camera bears.
func TestTheBestWayIsUsed(t *testing.T) {
	c := &camera{every: 10 * time.Second, obeys: map[string]time.Duration{pli: 200 * time.Millisecond,
		fir: 50 * time.Millisecond}}
	with(t, c, func(t *testing.T) {
		time.Sleep(time.Minute + 3*time.Second)
		before := len(c.requests())
		begin := time.Now()
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() {
				if err := c.Request(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		waiting.Wait()
		if took := time.Since(begin); took != 50*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		c.Want()
		c.Want()
		if err := c.Request(t.Context()); err != nil || time.Since(begin) != Least+50*time.Millisecond {
			t.Errorf("the second after %v: %v", time.Since(begin), err)
		}
		if got := c.requests()[before:]; len(got) != 2 || got[0].way != fir || got[1].way != fir {
			t.Errorf("asked %v", got)
		}
	})
}

// Before anything is known, all ways are tried at once for those who wait.
func TestARequestBeforeAnythingIsKnown(t *testing.T) {
	c := &camera{obeys: map[string]time.Duration{point: 50 * time.Millisecond}, slow: 300 * time.Millisecond}
	with(t, c, func(t *testing.T) {
		begin := time.Now()
		if err := c.Request(t.Context()); err != nil || time.Since(begin) != Least+50*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		time.Sleep(Least)
		begin = time.Now()
		if err := c.Request(t.Context()); err != nil || time.Since(begin) != 50*time.Millisecond {
			t.Errorf("again, after %v: %v", time.Since(begin), err)
		}
	})
}

// Somebody who has gone before they ask has nobody asked.
func TestARequestThatIsOver(t *testing.T) {
	a := New(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.begin([]Way{{Name: pli}})
	if err := a.Request(ctx); !errors.Is(err, context.Canceled) || a.wish != nil {
		t.Errorf("%v; a key frame is wished for: %v", err, a.wish != nil)
	}
}

// A camera that obeys nothing is an error with the remedy, within a second. Who lost a picture does not ask it again,
// those who wait do.
func TestACameraThatObeysNothing(t *testing.T) {
	c := &camera{}
	with(t, c, func(t *testing.T) {
		time.Sleep(time.Minute)
		c.Want()
		time.Sleep(time.Minute)
		if n := len(c.requests()); n != 3 {
			t.Errorf("asked %d times: %v", n, c.requests())
		}
		begin := time.Now()
		err := c.Request(t.Context())
		if !errors.Is(err, source.ErrNoKeyFrame) || time.Since(begin) != Limit ||
			!strings.Contains(err.Error(), "PLI, FIR, SetSynchronizationPoint: set") {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if n := len(c.requests()); n != 6 {
			t.Errorf("asked %d times: %v", n, c.requests())
		}
	})
}

func TestWithoutAnyWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(nil)
		if err := a.Request(t.Context()); !errors.Is(err, device.ErrAway) {
			t.Errorf("not connected: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx, nil) })
		synctest.Wait()
		begin := time.Now()
		if err := a.Request(t.Context()); !errors.Is(err, source.ErrNoKeyFrame) || time.Since(begin) != 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		cancel()
		running.Wait()
	})
}

// A way that stops working is replaced by the next best, and one that begins to work is found.
func TestACameraThatChangesItsMind(t *testing.T) {
	c := &camera{every: 10 * time.Second, obeys: map[string]time.Duration{pli: 20 * time.Millisecond,
		fir: 60 * time.Millisecond}}
	obey := func(way string, took time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.obeys = map[string]time.Duration{way: took}
	}
	with(t, c, func(t *testing.T) {
		time.Sleep(time.Minute + 100*time.Millisecond)
		obey(fir, 60*time.Millisecond)
		begin := time.Now()
		if err := c.Request(t.Context()); err != nil || time.Since(begin) != Limit+60*time.Millisecond {
			t.Errorf("PLI does not work any more, after %v: %v", time.Since(begin), err)
		}
		before := len(c.requests())
		time.Sleep(time.Minute - time.Since(begin))
		if err := c.Request(t.Context()); err != nil || c.requests()[before].way != fir {
			t.Errorf("%v: %v", c.requests()[before:], err)
		}
		obey(point, 30*time.Millisecond)
		for range failures {
			time.Sleep(10 * time.Second)
			_ = c.Request(t.Context())
		}
		const want = "PLI is ignored lately; FIR is ignored lately; SetSynchronizationPoint in 30ms"
		if got := c.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// A camera that ends the connection when it is asked in one way does so twice, and is measured by the others.
func TestACameraThatBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &camera{Asker: New(nil), began: time.Now(), every: time.Second, breaks: pli,
			obeys: map[string]time.Duration{fir: 50 * time.Millisecond}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		connections := 0
		for ; ctx.Err() == nil; connections++ {
			c.connect(ctx)
		}
		if connections != 3 || !c.OnRequest() {
			t.Errorf("%d connections; %v", connections, c.requests())
		}
	})
}

// Those who wait learn that the connection has ended.
func TestTheConnectionEnds(t *testing.T) {
	c := &camera{}
	with(t, c, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- c.Request(t.Context()) }()
		synctest.Wait()
		c.end()
		if err := <-done; !errors.Is(err, device.ErrAway) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Request(ctx); !errors.Is(err, device.ErrAway) {
			t.Error(err)
		}
	})
}

func ExampleAsker_String() {
	a := New(nil)
	a.running, a.ways = true, []Way{{Name: pli}, {Name: fir}}
	a.ratings[pli] = &rating{took: 80 * time.Millisecond}
	fmt.Println(a)
	// Output: PLI in 80ms; FIR is not measured yet
}
