package keyframe

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/video/source"
)

const (
	// Limit is how long a key frame may take after asking.
	Limit = time.Second
	// Least is the least time between two requests to the camera.
	Least = time.Second

	// patience is how long the next key frame is awaited before the camera is asked without knowing how far apart they
	// are; a little more than the round figures that people set.
	patience = 5200 * time.Millisecond
	quiet    = 2 * time.Second // after asking in vain, until the next measurement: the answer may be late
	failures = 3               // in a row, until a way counts as not working
	breaks   = 2               // of the connection while a way is measured, until it counts as not working
	prepare  = 5 * time.Second // for what a way does before the first request
)

// remedy is for people whose camera cannot be asked.
const remedy = "set the camera's key frame interval (I-frame interval, GOP) to 1 s"

// Way is a way to ask a camera for a key frame.
type Way struct {
	Name string // for people, the same in every connection
	// Ask sends a request. It need not wait for an answer.
	Ask func(context.Context) error
	// Prepare does what takes long and is needed once, before the first Ask; nil if there is nothing.
	Prepare func(context.Context) error
}

// Asker asks one camera, over all its connections. Make it with [New].
type Asker struct {
	metrics *metrics
	wake    chan struct{} // has a value when something below has changed

	mu        sync.Mutex
	running   bool
	ways      []Way              // of the present connection, those that are ready
	preparing int                // ways that are not ready yet
	ratings   map[string]*rating // by way, once it was measured
	broken    map[string]int     // by way, how often the connection ended while it was measured
	asked     time.Time          // the last time
	answered  time.Time          // the first key frame after that; zero while there is none
	began     time.Time          // this connection
	last      time.Time          // key frame of this connection; zero before the first
	interval  time.Duration      // between key frames that were not asked for; 0 until it was seen
	wanted    bool               // see Want
	wish      *wish              // nil if nobody waits
}

// rating is what is known of a way.
type rating struct {
	took   time.Duration // to the key frame; 0: it does not work
	failed int           // times in a row
}

// wish is that of all who wait for the same key frame.
type wish struct {
	done  chan struct{}
	err   error           // once done is closed
	tried map[string]bool // by which ways the camera was asked
}

// New returns an asker that knows nothing of its camera. Metrics are registered with to, unless it is nil.
func New(to prometheus.Registerer) *Asker {
	return &Asker{
		metrics: newMetrics(to), wake: make(chan struct{}, 1), ratings: map[string]*rating{}, broken: map[string]int{},
	}
}

// Run asks over one connection, by ways, until ctx ends.
func (a *Asker) Run(ctx context.Context, ways []Way) {
	var preparing sync.WaitGroup
	defer preparing.Wait()
	defer a.end()
	a.begin(ways)
	for _, w := range ways {
		if w.Prepare != nil {
			preparing.Go(func() { a.prepare(ctx, w) })
		}
	}
	for ctx.Err() == nil {
		list, wait := a.next(time.Now())
		if list != nil {
			a.ask(ctx, list)
			continue
		}
		a.pause(ctx, wait)
	}
}

// pause waits until something has changed, or for some time.
func (a *Asker) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-a.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (a *Asker) begin(ways []Way) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running, a.ways, a.preparing = true, nil, 0
	a.began, a.last, a.interval = time.Now(), time.Time{}, 0
	for _, w := range ways {
		if w.Prepare == nil {
			a.ways = append(a.ways, w)
		} else {
			a.preparing++
		}
	}
}

// end tells those who wait that the camera is gone.
func (a *Asker) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running, a.ways, a.preparing, a.wanted = false, nil, 0, false
	a.settle(device.ErrAway)
}

// prepare makes a way ready; one that does not become so is left out of this connection.
func (a *Asker) prepare(ctx context.Context, w Way) {
	ctx, cancel := context.WithTimeout(ctx, prepare)
	defer cancel()
	err := w.Prepare(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.preparing--; err == nil && a.running {
		a.ways = append(a.ways, w)
	}
	a.changed()
}

// changed wakes Run.
func (a *Asker) changed() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// settle ends the wish, if there is one. The caller holds mu.
func (a *Asker) settle(err error) {
	if a.wish != nil {
		a.wish.err = err
		close(a.wish.done)
		a.wish = nil
	}
}

// Key notes a key frame whose first byte came at that time.
func (a *Asker) Key(arrival time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.last.IsZero() && a.asked.Before(a.last) {
		a.interval = arrival.Sub(a.last)
	}
	if a.answered.IsZero() && arrival.After(a.asked) {
		a.answered = arrival
	}
	a.last, a.wanted = arrival, false
	a.settle(nil)
	a.changed()
}

// Want asks for a key frame by a way that works, or that has not been tried, and does not wait. It is for those who
// cannot go on without one.
func (a *Asker) Want() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.wanted {
		a.wanted = true
		a.changed()
	}
}

// Request asks for a key frame, and waits for it. It fails with [source.ErrNoKeyFrame] if none comes within Limit of
// asking or the camera cannot be asked, and with [device.ErrAway] if it is not connected.
func (a *Asker) Request(ctx context.Context) error {
	w, err := a.join(ctx)
	if err != nil {
		return err
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err() // others may wait for the same
	}
}

// join makes a wish, or joins that of others. Nobody is asked for those who have gone.
func (a *Asker) join(ctx context.Context) (*wish, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.running:
		return nil, device.ErrAway
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case a.ways == nil && a.preparing == 0:
		return nil, fmt.Errorf("%w: there is no way to ask this camera: %s", source.ErrNoKeyFrame, remedy)
	case a.wish == nil:
		a.wish = &wish{done: make(chan struct{}), tried: map[string]bool{}}
		a.changed()
	}
	return a.wish, nil
}

// OnRequest reports whether the camera is known to send a key frame on request.
func (a *Asker) OnRequest() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.ratings {
		if r.took > 0 {
			return true
		}
	}
	return false
}

// String says for people what is known, as in "PLI in 80ms; FIR is ignored".
func (a *Asker) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var known []string
	for _, w := range a.ways {
		switch r := a.ratings[w.Name]; {
		case r == nil:
			known = append(known, w.Name+" is not measured yet")
		case r.took > 0 && r.failed > 0:
			known = append(known, w.Name+" is ignored lately")
		case r.took > 0:
			known = append(known, fmt.Sprintf("%s in %v", w.Name, r.took.Round(time.Millisecond)))
		default:
			known = append(known, w.Name+" is ignored")
		}
	}
	switch {
	case !a.running || known == nil && a.preparing > 0:
		return "unknown"
	case known == nil:
		return "there is no way"
	}
	return strings.Join(known, "; ")
}
