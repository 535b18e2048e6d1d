package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
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

	upgrades chan upgrade
	after    *keeper       // of a process of the same name, which ends before this one starts; nil for none
	done     chan struct{} // closed when there is no process any more, for good

	mu      sync.Mutex
	process Process
	status  Status
	started chan struct{} // closed at the next start
}

// newKeeper requires the supervisor's mu.
func newKeeper(s *Supervisor, p Process) *keeper {
	k := &keeper{name: p.Name, whole: s, printer: s.printer, again: make(chan struct{}, 1), upgrades: make(chan upgrade),
		process: p, started: make(chan struct{}), done: make(chan struct{}), after: s.leaving[p.Name],
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
		return errors.New("it was stopped before its process ran")
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
			k.note(Status{Reason: end.String() + "; starting again" + after(delay), Taken: end.taken()})
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

// live runs the process, and those that take over from it, and returns how the last one ended.
func (k *keeper) live() exit {
	r, err := k.start(nil)
	if err != nil {
		return exit{err: err}
	}
	defer func() { r.close() }()
	for {
		select {
		case e := <-r.ended:
			return e
		case why := <-r.hung:
			return k.killHung(r.child, why, r.ended)
		case <-k.again:
			k.printer.Printf(k.name, "restarting on request")
			e := k.stop(r.child, r.ended)
			e.wanted = true
			return e
		case u := <-k.upgrades:
			next, err := k.upgrade(r, u)
			u.done <- err
			if next != nil {
				r.close()
				r = next
			}
		case <-k.ctx.Done():
			return k.stop(r.child, r.ended)
		}
	}
}

// running is one process that was started.
type running struct {
	child
	process Process
	ended   chan exit
	hung    <-chan string
	unwatch func()
	output  io.WriteCloser
	channel *handover.Conn // nil for one that does not hand over
}

// close frees what a process needs, after it has ended.
func (r *running) close() {
	r.unwatch()
	if r.channel != nil {
		r.channel.Close()
	}
	_ = r.output.Close() // never fails
}

// start starts the process in its current configuration. A successor gets its end of the connection to its predecessor,
// which start closes.
func (k *keeper) start(predecessor *os.File) (*running, error) {
	k.mu.Lock()
	process := k.process
	if predecessor == nil {
		select {
		case <-k.again: // this start fulfils the request
		default:
		}
	}
	k.mu.Unlock()
	r := &running{process: process, ended: make(chan exit, 1), unwatch: func() {}, output: k.printer.Writer(k.name)}
	if err := k.spawn(r, process, predecessor); err != nil {
		_ = r.output.Close() // never fails
		return nil, err
	}
	go func() { r.ended <- r.wait() }()
	if predecessor == nil {
		r.hung, r.unwatch = watch(k.ctx, r.child, process)
		k.began(r)
	}
	return r, nil
}

// spawn starts the process with what it needs to hand over, or to take over.
func (k *keeper) spawn(r *running, process Process, predecessor *os.File) (err error) {
	files := []*os.File{nil, predecessor}
	env := process.Env[:len(process.Env):len(process.Env)]
	if predecessor != nil {
		defer func() { _ = predecessor.Close() }() // the process has its own
		env = append(env, fmt.Sprintf("%s=%d", handover.PredecessorFD, firstFile+1))
	}
	if process.HandsOver {
		ours, its, err := handover.Pair()
		if err != nil {
			return err
		}
		defer func() { _ = its.Close() }() // the process has its own
		if r.channel, err = handover.Open(ours); err != nil {
			return err
		}
		files[0], env = its, append(env, fmt.Sprintf("%s=%d", handover.ChannelFD, firstFile))
	}
	process.Env = env
	if r.child, err = k.whole.starter.start(process, r.output, files); err != nil && r.channel != nil {
		r.channel.Close()
	}
	return err
}

// began notes which process runs now.
func (k *keeper) began(r *running) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = Status{Name: k.name, PID: r.pid()}
	close(k.started)
	k.started = make(chan struct{})
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
