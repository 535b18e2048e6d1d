package supervise

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// traceTime is how long a hanging process has to print where it hangs before it is killed.
const traceTime = 300 * time.Millisecond

// keeper keeps one process running.
type keeper struct {
	name    string
	whole   *Supervisor
	printer *Printer
	backoff backoff
	ctx     context.Context
	cancel  context.CancelFunc
	again   chan struct{} // holds a token when a restart is due
	after   *keeper       // of a process of the same name, which ends before this one starts; nil for none
	done    chan struct{} // closed when there is no process any more, for good

	mu      sync.Mutex
	process Process
	status  Status
	started chan struct{} // closed at the next start
}

// newKeeper requires the supervisor's mu.
func newKeeper(s *Supervisor, p Process) *keeper {
	k := &keeper{name: p.Name, whole: s, printer: s.printer, again: make(chan struct{}, 1), process: p,
		started: make(chan struct{}), done: make(chan struct{}), after: s.leaving[p.Name],
		status: Status{Name: p.Name, Reason: "it is being started"}}
	k.ctx, k.cancel = context.WithCancel(s.ctx)
	return k
}

// set changes what is kept running, and tells whether that takes a restart, which begins at once.
func (k *keeper) set(p Process) (restart bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	restart = !k.process.same(&p)
	k.process = p
	if restart {
		k.poke()
	}
	return restart
}

func (k *keeper) poke() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

func (k *keeper) restart(ctx context.Context) error {
	k.mu.Lock()
	started := k.started
	k.poke()
	k.mu.Unlock()
	return k.await(ctx, started)
}

// running returns when there is a process.
func (k *keeper) running(ctx context.Context) error {
	k.mu.Lock()
	started, pid := k.started, k.status.PID
	k.mu.Unlock()
	if pid != 0 {
		return nil
	}
	return k.await(ctx, started)
}

func (k *keeper) await(ctx context.Context, started <-chan struct{}) error {
	select {
	case <-started:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.ctx.Done():
		return errors.New("the launcher is stopping")
	}
}

func (k *keeper) state() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

func (k *keeper) note(s Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.Name = k.name
	k.status = s
}

// keep returns when the process no longer has to be kept running.
func (k *keeper) keep() {
	defer k.whole.left(k)
	defer k.cancel()
	if k.after != nil {
		<-k.after.done
		k.after = nil // which would otherwise be kept, and all that were before it
	}
	for k.ctx.Err() == nil {
		began := time.Now()
		end := k.live()
		why, final := end.final()
		switch {
		case k.ctx.Err() != nil:
			return
		case end.wanted:
			k.backoff = backoff{}
		case final:
			k.printer.Printf(k.name, "%s; %s", end, why)
			k.note(Status{Ended: true, Reason: end.String() + "; " + why})
			k.whole.ended()
			k.wait(nil)
		default:
			delay := k.backoff.next(time.Since(began))
			k.printer.Printf(k.name, "%s; starting again%s", end, after(delay))
			k.note(Status{Reason: end.String() + "; starting again" + after(delay)})
			k.wait(time.After(delay))
		}
	}
}

// wait returns when the time is up, when a restart is due, or when the process no longer has to be kept
// running.
func (k *keeper) wait(until <-chan time.Time) {
	select {
	case <-k.ctx.Done():
	case <-until:
	case <-k.again:
		k.backoff = backoff{}
	}
}

// live runs the process once and returns how it ended.
func (k *keeper) live() exit {
	output := k.printer.Writer(k.name)
	defer output.Close()
	c, process, err := k.start(output)
	if err != nil {
		return exit{err: err}
	}
	ended := make(chan exit, 1)
	go func() { ended <- c.wait() }()
	hung, stop := watch(k.ctx, c, process)
	defer stop()
	select {
	case e := <-ended:
		return e
	case why := <-hung:
		return k.killHung(c, why, ended)
	case <-k.again:
		k.printer.Printf(k.name, "restarting on request")
		e := k.stop(c, ended)
		e.wanted = true
		return e
	case <-k.ctx.Done():
		return k.stop(c, ended)
	}
}

// start starts the process in its current configuration.
func (k *keeper) start(output io.Writer) (child, Process, error) {
	k.mu.Lock()
	process := k.process
	select {
	case <-k.again: // this start fulfils the request
	default:
	}
	k.mu.Unlock()
	c, err := k.whole.starter.start(process, output)
	if err != nil {
		return nil, process, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = Status{Name: k.name, PID: c.pid()}
	close(k.started)
	k.started = make(chan struct{})
	return c, process, nil
}

// stop ends a process gracefully if possible.
func (k *keeper) stop(c child, ended <-chan exit) exit {
	c.signal(syscall.SIGTERM)
	select {
	case e := <-ended:
		return e
	case <-time.After(Grace):
	}
	k.printer.Printf(k.name, "did not stop within %s; killed", Grace)
	c.signal(syscall.SIGKILL)
	return <-ended
}

// killHung ends a process that gives no sign of life. Unless it is stopped it may first print where it hangs.
func (k *keeper) killHung(c child, why string, ended <-chan exit) exit {
	if c.activity() != stopped {
		c.signal(syscall.SIGQUIT)
		select {
		case <-ended:
			return exit{hung: why}
		case <-time.After(traceTime):
		}
	}
	c.signal(syscall.SIGKILL)
	<-ended
	return exit{hung: why}
}
