package supervise

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a process may take to stop before it is killed.
const Grace = 2 * time.Second

// ErrNothingRuns is returned by Run when all processes have ended for good though nobody asked for it.
var ErrNothingRuns = errors.New("nothing is left to run")

// Process is a program to keep running.
type Process struct {
	// Name is put in front of each line the process prints.
	Name string
	// Path is the program's file.
	Path string
	// Args are its arguments, without its name.
	Args []string
	// Env is added to the environment of this process; of two values for a name the later one counts.
	Env []string
}

// starter starts processes: real ones, or those of a test.
type starter interface {
	start(p Process, output io.Writer) (child, error)
}

// child is a process that was started.
type child interface {
	// wait returns when the process has ended and everything it printed was read. It is called once.
	wait() exit
	// signal does nothing if the process has ended.
	signal(sig syscall.Signal)
}

// Run keeps the processes running until ctx ends; then it stops them and returns nil when none is left. It returns
// [ErrNothingRuns] if before that all have ended for good.
func Run(ctx context.Context, printer *Printer, processes []Process) error {
	s := newSpawner()
	defer s.close()
	return run(ctx, s, printer, processes)
}

func run(ctx context.Context, start starter, printer *Printer, processes []Process) error {
	var keepers sync.WaitGroup
	for _, p := range processes {
		k := keeper{Process: p, starter: start, printer: printer}
		keepers.Go(func() { k.keep(ctx) })
	}
	keepers.Wait()
	if ctx.Err() != nil {
		return nil // it was asked for
	}
	return ErrNothingRuns
}

// keeper keeps one process running.
type keeper struct {
	Process
	starter starter
	printer *Printer
	backoff backoff
}

// keep returns when the process has ended for good, or has been stopped because ctx ended.
func (k *keeper) keep(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		end := k.live(ctx)
		if ctx.Err() != nil {
			return
		}
		if why, final := end.final(); final {
			k.printer.Printf(k.Name, "%s; %s", end, why)
			return
		}
		delay := k.backoff.next(time.Since(began))
		k.printer.Printf(k.Name, "%s; starting again%s", end, after(delay))
		sleep(ctx, delay)
	}
}

// live runs the process once and returns how it ended.
func (k *keeper) live(ctx context.Context) exit {
	output := k.printer.Writer(k.Name)
	defer output.Close()
	c, err := k.starter.start(k.Process, output)
	if err != nil {
		return exit{err: err}
	}
	ended := make(chan exit, 1)
	go func() { ended <- c.wait() }()
	select {
	case e := <-ended:
		return e
	case <-ctx.Done():
	}
	c.signal(syscall.SIGTERM)
	select {
	case e := <-ended:
		return e
	case <-time.After(Grace):
	}
	k.printer.Printf(k.Name, "did not stop within %s; killed", Grace)
	c.signal(syscall.SIGKILL)
	return <-ended
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
