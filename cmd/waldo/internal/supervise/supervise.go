package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a process may take to stop before it is killed.
const Grace = 2 * time.Second

// ErrNothingRuns is returned by Run when all processes have ended for good though nobody asked for it.
var ErrNothingRuns = errors.New("nothing is left to run")

// errNoProcess is for names that there are not.
var errNoProcess = errors.New("there is no such process")

// IsUnknown tells whether an error means that there is no process of the name.
func IsUnknown(err error) bool { return errors.Is(err, errNoProcess) }

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
	// Input is what the process finds in file descriptor 3; nil for nothing.
	Input []byte
	// Config stands for what Input says of this process: if it differs, the process has to be restarted.
	Config string
	// NewProbe makes what asks one life of the process for signs of life; nil: it is never asked.
	NewProbe func(pid int) Probe
}

// same tells whether a process that was started as p runs as q says.
func (p *Process) same(q *Process) bool {
	return p.Path == q.Path && p.Config == q.Config && slices.Equal(p.Args, q.Args) && slices.Equal(p.Env, q.Env)
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
	pid() int
	// activity tells what the process is doing as far as the system can see.
	activity() activity
}

// Supervisor keeps processes running. It is safe for concurrent use.
type Supervisor struct {
	printer *Printer
	starter starter
	group   sync.WaitGroup // the keepers

	mu      sync.Mutex
	ctx     context.Context // nil before Run
	end     context.CancelCauseFunc
	keepers []*keeper
	over    bool
}

// New returns a supervisor that prints what its processes print.
func New(printer *Printer) *Supervisor { return &Supervisor{printer: printer} }

// Run keeps the processes running until ctx ends; then it stops them and returns nil when none is left. It returns
// [ErrNothingRuns] if before that all have ended for good. It is called once.
func (s *Supervisor) Run(ctx context.Context, processes []Process) error {
	if s.starter == nil {
		spawner := newSpawner()
		defer spawner.close()
		s.starter = spawner
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s.mu.Lock()
	s.ctx, s.end = ctx, end
	s.change(processes)
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.group.Wait()
	if errors.Is(context.Cause(ctx), ErrNothingRuns) {
		return ErrNothingRuns
	}
	return nil // it was asked for
}

// Changes are the names of processes that [Supervisor.Change] has touched.
type Changes struct{ Restarted, Started, Stopped []string }

// Change makes these the processes to keep running. Those that are the same run on untouched, as does what they print; the others are stopped,
// started or restarted, which goes on when Change returns.
func (s *Supervisor) Change(processes []Process) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.over {
		return Changes{}, errors.New("the launcher is stopping")
	}
	return s.change(processes), nil
}

// change needs mu.
func (s *Supervisor) change(processes []Process) Changes {
	var changes Changes
	keepers := make([]*keeper, 0, len(processes))
	for _, p := range processes {
		k := s.find(p.Name)
		switch {
		case k == nil:
			k = newKeeper(s, p)
			changes.Started = append(changes.Started, p.Name)
			s.group.Go(k.keep)
		case k.set(p):
			changes.Restarted = append(changes.Restarted, p.Name)
		}
		keepers = append(keepers, k)
	}
	for _, k := range s.keepers {
		if !slices.Contains(keepers, k) {
			k.cancel()
			changes.Stopped = append(changes.Stopped, k.name)
		}
	}
	s.keepers = keepers
	return changes
}

// find needs mu.
func (s *Supervisor) find(name string) *keeper {
	if i := slices.IndexFunc(s.keepers, func(k *keeper) bool { return k.name == name }); i >= 0 {
		return s.keepers[i]
	}
	return nil
}

// Restart ends a process and starts it again, also one that had ended for good. It returns when the new one was started.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	s.mu.Lock()
	k := s.find(name)
	s.mu.Unlock()
	if k == nil {
		return fmt.Errorf("%q: %w", name, errNoProcess)
	}
	return k.restart(ctx)
}

// Status is what the supervisor does with a process.
type Status struct {
	Name string
	// PID is 0 while there is no process.
	PID int
	// Ended tells that it is not going to be started again by itself.
	Ended bool
	// Reason says why there is no process.
	Reason string
}

// Status lists all processes, in order.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Status, len(s.keepers))
	for i, k := range s.keepers {
		list[i] = k.state()
	}
	return list
}

// ended is called by a keeper whose process has ended for good: the last one ends the whole.
func (s *Supervisor) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.keepers, func(k *keeper) bool { return !k.state().Ended }) {
		s.end(ErrNothingRuns)
	}
}
