package actuator

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/boottime"
	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/pkg/stream"
)

const (
	// announceEvery is how often the state is published when nothing changes: who watches must notice within 300 ms that
	// it is not known any more.
	announceEvery = 100 * time.Millisecond
	// repetition is how long after an e-stop the same one counts as a repetition of it. Later it is another one, which a
	// late click that was meant for the first does not clear.
	repetition = 2 * time.Second
	// idle is how long the watch over the time sleeps when nothing is due; it is woken as soon as something is.
	idle = time.Hour
)

// Hardware is what can be made to stand still.
type Hardware interface {
	// Safe makes the hardware stand still from now on: nothing that was submitted before may reach it any more. It is
	// called also when there is nothing to stop, and while the hardware is away. It must not wait, nor call the Actuator.
	Safe(why control.Cause)
}

// Actuator is described in the package comment. It is safe for concurrent use.
type Actuator struct {
	kit      *device.Kit
	log      *slog.Logger
	key      string
	safeJSON string
	clock    func() control.Clock
	metrics  *metrics
	states   *stream.Topic[*controlv1.ControlState]
	judged   *stream.Topic[*judgement]
	latch    latch
	latching sync.Mutex // held while the file changes, and taken before mu
	watcher  *watcher   // nil if drivers need not see anything

	due     chan struct{} // holds a token when the arbiter has something to do earlier than was known
	changed chan struct{} // holds a token when the state has changed
	cancel  context.CancelFunc
	owned   sync.WaitGroup

	mu       sync.Mutex
	arbiter  *control.Arbiter
	attached bool
	begun    bool          // it was attached before
	eStop    *eStop        // nil if none is latched
	clearing bool          // the e-stop is being cleared
	pressed  control.Clock // when the e-stop was last pressed
	since    time.Time     // of the lease
	leases   int64         // granted so far
	recorded int64         // commands that were given to judged
	stopped  control.Cause // why the hardware was stopped last
	alarm    control.Clock // when the goroutine that watches the time wakes; negative: not by itself
}

// New makes the device an actuator, in [device.Kind.New]. safeJSON is the message that means standing still, for
// drivers to see. It fails if an e-stop could not be kept, and with an error that wraps [device.ErrTaken] if another
// process keeps its e-stops in the same place.
func New(kit *device.Kit, c Config, hardware Hardware, safeJSON string) (*Actuator, error) {
	folder, err := state.Folder(c.State, os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("%w: say with control.state where a latched e-stop is kept", err)
	}
	l, err := newLatch(folder, kit.Address().Robot, kit.Address().Device)
	if err != nil {
		return nil, err
	}
	held, err := l.lock()
	if err != nil {
		return nil, err
	}
	kit.OnStop(held.Release)
	a := newActuator(kit, c, hardware, safeJSON, l, bootClock())
	controlv1.RegisterControlServiceServer(kit, &service{a: a})
	out := device.NewOut[*controlv1.ControlState](kit, "control", device.OutOptions{})
	records := device.NewOut[*controlv1.CommandRecord](kit, Commands, device.OutOptions{})
	kit.OnStop(a.close)
	kit.BeforeRestart(a.obstacles)
	ctx := a.start()
	if a.watcher != nil {
		a.owned.Go(func() { a.watchCamera(ctx) })
	}
	// ends with ctx
	a.owned.Go(func() { _ = out.WhileHeld(ctx, func(ctx context.Context) error { return a.publish(ctx, out.Publish) }) })
	a.owned.Go(func() {
		_ = records.WhileHeld(ctx, func(ctx context.Context) error { return a.publishRecords(ctx, records.Publish) })
	})
	return a, nil
}

func newActuator(kit *device.Kit, c Config, hardware Hardware, safeJSON string, l latch,
	clock func() control.Clock) *Actuator {
	a := &Actuator{
		kit: kit, log: kit.Log, key: c.Key, safeJSON: safeJSON, clock: clock, latch: l, alarm: -1,
		states: stream.NewTopic[*controlv1.ControlState](), judged: stream.NewTopic[*judgement](),
		due: make(chan struct{}, 1), changed: make(chan struct{}, 1),
	}
	a.eStop = l.load()
	a.watcher = newWatcher(c.Sight)
	config := control.Config{Deadman: c.Deadman, NewID: access.NewID, Sight: c.sight()}
	if a.eStop != nil {
		config.EStop = a.eStop.ID
		a.log.Warn("an e-stop is latched from before", "by", a.eStop.By, "reason", a.eStop.Reason, "pressed", a.eStop.Time)
	}
	a.metrics = newMetrics(kit.Metrics, a)
	config.Safe = func(why control.Cause) {
		a.metrics.stops.WithLabelValues(why.String()).Inc()
		a.stopped = why
		hardware.Safe(why)
	}
	a.arbiter = control.New(config)
	return a
}

// bootClock returns a clock that begins now and counts while the machine sleeps.
func bootClock() func() control.Clock {
	start := boottime.Now()
	return func() control.Clock { return boottime.Now() - start }
}

// start returns the context that ends with close.
func (a *Actuator) start() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.owned.Go(func() { a.watch(ctx) })
	a.owned.Go(func() { _ = a.states.WhileRead(ctx, a.announce) }) // ends with ctx
	return ctx
}

func (a *Actuator) close() {
	a.cancel()
	a.owned.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if holder := a.arbiter.State().Holder; holder != "" {
		a.record(audit.Event{Kind: audit.LeaseEnded, Who: holder, What: a.leaseName(), Reason: "device_stopped"})
	}
}

// do lets f work with the arbiter at the present time, and sees to what follows from it.
func (a *Actuator) do(f func(now control.Clock)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.arbiter.State()
	now := a.clock()
	f(now)
	state := a.arbiter.State()
	if state != before {
		a.tell()
	}
	if before.Holder != "" && state.Holder == "" {
		a.record(audit.Event{Kind: audit.LeaseEnded, Who: before.Holder, What: a.leaseName(), Reason: a.stopped.String()})
	}
	a.watcher.follow(now, state.Holder != "")
	if next, ok := a.arbiter.Next(); ok && (a.alarm < 0 || next < a.alarm) {
		signal(a.due)
	}
}

// tell has the state announced soon.
func (a *Actuator) tell() { signal(a.changed) }

// signal leaves one token; more would say nothing new.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watch lets the arbiter do what is due.
func (a *Actuator) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-a.due:
		}
		a.do(a.arbiter.Advance)
		timer.Reset(a.nextAlarm())
	}
}

// nextAlarm notes when watch wakes next, and returns how long that is from now.
func (a *Actuator) nextAlarm() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, ok := a.arbiter.Next()
	if !ok {
		a.alarm = -1
		return idle
	}
	a.alarm = next
	return next - a.clock()
}

// announce reports the state on every change, and ten times a second. It runs while somebody watches.
func (a *Actuator) announce(ctx context.Context) error {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.changed:
		}
		a.states.Publish(a.State())
	}
}

// publish sends the state now, and whatever is announced until ctx ends.
func (a *Actuator) publish(ctx context.Context, send func(*controlv1.ControlState)) error {
	states := a.states.Subscribe(stream.Latest())
	defer states.Close()
	send(a.State())
	for state, err := range states.All(ctx) {
		if err != nil {
			break // ctx has ended
		}
		send(state)
	}
	return nil
}

// Attach reports that the hardware is open. It may stand other than it was left.
func (a *Actuator) Attach() { a.setAttached(true) }

// Detach reports that the hardware is gone, or about to be closed.
func (a *Actuator) Detach() { a.setAttached(false) }

func (a *Actuator) setAttached(attached bool) {
	a.do(func(now control.Clock) {
		switch {
		case a.attached == attached:
			return
		case !a.begun:
			a.begun = true
			a.arbiter.Begin(now)
		default:
			a.arbiter.Interrupt(now)
		}
		a.attached = attached
	})
}

// press latches an e-stop, keeps it, and only then says so in the log: a log that cannot be written must not cost the
// e-stop. Said again by the same one for the same reason it stays the one it is: a page says one press on every way it
// has, until it is confirmed.
func (a *Actuator) press(by actor, reason string) {
	var again bool
	a.do(func(now control.Clock) {
		pressed := &eStop{By: by.name, Reason: reason, Time: time.Now()}
		again = a.eStop.same(pressed) && !a.clearing && now < a.pressed+repetition
		a.pressed = now
		if again {
			return
		}
		pressed.ID = a.arbiter.EStop(now)
		a.eStop = pressed
		a.tell()
	})
	err := a.keep()
	a.log.Warn("e-stop", "by", by.name, "reason", reason)
	if !again {
		a.record(audit.Event{Kind: audit.EStop, Who: by.name, Token: by.token, From: by.from, Reason: reason})
	}
	if err != nil {
		a.log.Error("the e-stop is latched, but will not outlast a restart of this process", "error", err)
	}
}

// keep stores the latched e-stop, unless it has been cleared or stored meanwhile.
func (a *Actuator) keep() error {
	a.latching.Lock()
	defer a.latching.Unlock()
	a.mu.Lock()
	latched := a.eStop
	a.mu.Unlock()
	if latched == nil || latched.persisted {
		return nil
	}
	if err := a.latch.store(latched); err != nil {
		a.metrics.unkept.Inc()
		return err
	}
	a.do(func(control.Clock) {
		kept := *latched
		kept.persisted = true
		if a.eStop == latched {
			a.eStop = &kept
			a.tell()
		}
	})
	return nil
}

// clear ends an e-stop, in its file first: one that cannot be ended there stays.
func (a *Actuator) clear(id int64, by actor) error {
	a.latching.Lock()
	defer a.latching.Unlock()
	if !a.beginClear(id) {
		return control.ErrOtherEStop
	}
	defer a.endClear()
	if err := a.latch.store(nil); err != nil {
		return fmt.Errorf("the e-stop stays latched: its end could not be kept: %w", err)
	}
	var err error
	a.do(func(now control.Clock) {
		if err = a.arbiter.ClearEStop(now, id); err == nil {
			a.eStop = nil
			a.tell()
		}
	})
	if err == nil {
		a.log.Warn("e-stop cleared", "by", by.name)
		a.record(audit.Event{Kind: audit.EStopCleared, Who: by.name, Token: by.token, From: by.from})
	}
	return err
}

// actor is who does something with the device: what they are called, and, if known, the id of their token and where
// they are.
type actor struct{ name, token, from string }

// leaseName names the latest lease in the audit log: the life of the process, and the number of the lease in it.
func (a *Actuator) leaseName() string { return fmt.Sprintf("%d/%d", a.kit.Epoch(), a.leases) }

// record keeps who did what with this device.
func (a *Actuator) record(e audit.Event) {
	e.Device = a.kit.Address().Device
	a.kit.Audit.Write(e)
}

// beginClear reports whether this is the e-stop that is latched. Until endClear whatever is pressed is another one.
func (a *Actuator) beginClear(id int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.eStop == nil || a.eStop.ID != id {
		return false
	}
	a.clearing = true
	return true
}

func (a *Actuator) endClear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clearing = false
}

// State returns the current state.
func (a *Actuator) State() *controlv1.ControlState {
	var state *controlv1.ControlState
	a.do(func(now control.Clock) {
		a.arbiter.Advance(now)
		state = a.describe(now)
	})
	return state
}
