package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/handover"
)

// upgradeLimit bounds an upgrade whose successor neither fails nor gets on. It is more than a successor takes to fail
// by itself, and less than callers wait, who are to learn the reason.
const upgradeLimit = 50 * time.Second

// Errors of [Supervisor.Upgrade].
var (
	// ErrNotRunning means that there is no process at present from which another one could take over.
	ErrNotRunning = errors.New("it does not run at present: start it with waldo restart")
	// ErrCannotHandOver means that no other process can take over from this one.
	ErrCannotHandOver = errors.New("it cannot hand over")
)

// upgrade is a request to replace a process by another one that takes over from it.
type upgrade struct {
	force bool
	done  chan error
}

// Upgrade starts another process, of the program as it is in its file now, which takes over from the present one. It
// returns when it has, or when the present one goes on, with the reason. With force an actuator hands over even while
// somebody holds its lease. The other errors wrap [ErrNotRunning], [ErrCannotHandOver], or what [IsUnknown] knows.
func (s *Supervisor) Upgrade(ctx context.Context, name string, force bool) error {
	k, err := s.lookUp(name)
	if err != nil {
		return err
	}
	if !k.handsOver() {
		return ErrCannotHandOver
	}
	if k.state().PID == 0 {
		return ErrNotRunning
	}
	u := upgrade{force, make(chan error, 1)}
	select {
	case k.upgrades <- u:
	case <-ctx.Done():
		return ctx.Err()
	case <-k.ctx.Done():
		return errors.New("the launcher is stopping")
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done(): // it goes on
		return ctx.Err()
	}
}

func (k *keeper) handsOver() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.process.HandsOver
}

// upgrade returns the process that has taken over, nil if the present one goes on, and why.
func (k *keeper) upgrade(old *running, u upgrade) (*running, error) {
	if old.channel == nil {
		return nil, ErrCannotHandOver
	}
	its, successors, err := handover.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = its.Close() }() // the process has its own
	next, err := k.start(successors)
	if err != nil {
		return nil, err
	}
	k.printer.Printf(k.name, "process %d is to take over from %d", next.pid(), old.pid())
	if err := old.channel.Send(handover.Message{Kind: handover.Offer, Force: u.force}, its); err != nil {
		k.stop(next.child, next.ended)
		next.close()
		return nil, fmt.Errorf("the present process cannot be told: %w", err)
	}
	_ = its.Close() // so that the other end learns of the process's end
	return k.settle(old, next)
}

// settle waits until it is decided which of two processes goes on, and ends the other one.
func (k *keeper) settle(old, next *running) (*running, error) {
	limit := time.NewTimer(k.whole.limit())
	defer limit.Stop()
	said := listen(next.channel)
	defer said.stop()
	still, stop := watchStopped(k.ctx, next.child)
	defer stop()
	select {
	case e := <-next.ended:
		why := said.why(e)
		next.close()
		return nil, why
	case m := <-said.messages:
		if m.Kind != handover.Done {
			k.stop(next.child, next.ended)
			next.close()
			return nil, errors.New(m.Reason)
		}
	case e := <-old.ended: // whether it is done, or has crashed: the other one serves now
		old.ended <- e
		if e.code != 0 || e.signal != 0 {
			k.printer.Printf(k.name, "%s; process %d takes over", e, next.pid())
		}
	case why := <-old.hung:
		k.printer.Printf(k.name, "%s; process %d takes over", k.killHung(old.child, why, old.ended), next.pid())
		k.succeeded(next)
		return next, nil
	case <-k.ctx.Done():
		k.stop(next.child, next.ended)
		next.close()
		return nil, errors.New("the launcher is stopping")
	case <-still:
		return nil, k.kill(next, fmt.Sprintf("was stopped for %v, and was killed", patience))
	case <-limit.C:
		return nil, k.kill(next, fmt.Sprintf("did not take over within %v, and was killed", k.whole.limit()))
	}
	k.retire(old)
	k.succeeded(next)
	return next, nil
}

// limit is how long an upgrade may take.
func (s *Supervisor) limit() time.Duration { return cmp.Or(s.upgradeLimit, upgradeLimit) }

// kill ends a successor that does not take over.
func (k *keeper) kill(next *running, why string) error {
	next.signal(syscall.SIGKILL)
	<-next.ended
	next.close()
	return errors.New("the new process " + why)
}

// succeeded makes a successor the process that runs. Only now can it be asked for signs of life: before, its
// predecessor may have answered at its address.
func (k *keeper) succeeded(next *running) {
	next.hung, next.unwatch = watch(k.ctx, next.child, next.process)
	k.began(next)
}

// watchStopped tells when a process that cannot be asked yet has been stopped by a signal for so long that it counts as
// hanging. stop ends the watch and waits for it.
func watchStopped(ctx context.Context, c child) (still <-chan string, stop func()) {
	return watch(ctx, c, Process{NewProbe: func(int) Probe { return unasked{} }})
}

// unasked is the probe of a process that cannot be asked.
type unasked struct{}

func (unasked) Ask(context.Context) Answer { return Unasked }
func (unasked) Close()                     {}

// retire waits for the end of a process from which another one has taken over.
func (k *keeper) retire(old *running) {
	select {
	case <-old.ended:
		return
	case <-time.After(Grace):
	}
	k.printer.Printf(k.name, "process %d did not stop within %s; killed", old.pid(), Grace)
	old.signal(syscall.SIGKILL)
	<-old.ended
}

// listener hears what a process says of how it went.
type listener struct {
	messages chan handover.Message
	ended    chan struct{}
	stop     func()
}

// listen ends with stop, or with the process.
func listen(c *handover.Conn) *listener {
	l := &listener{messages: make(chan handover.Message, 1), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		if m, _, err := c.Receive(); err == nil {
			l.messages <- m
		}
	}()
	l.stop = func() {
		c.Interrupt()
		<-l.ended
	}
	return l
}

// why is the reason that a process has given before it ended, or how it ended.
func (l *listener) why(e exit) error {
	<-l.ended
	select {
	case m := <-l.messages:
		if m.Kind == handover.Failed {
			return errors.New(m.Reason)
		}
	default:
	}
	return fmt.Errorf("the new process %s", e)
}
