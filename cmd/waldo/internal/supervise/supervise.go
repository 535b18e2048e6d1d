package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a process may take to stop before it is killed.
const Grace = 2 * time.Second

// ErrNothingRuns is returned by Run when all processes have ended permanently though nobody stopped it.
var ErrNothingRuns = errors.New("nothing is left to run")

// errNoProcess is for unknown names.
var errNoProcess = errors.New("there is no such process")

// IsUnknown tells whether an error means that there is no process of that name.
func IsUnknown(err error) bool { return errors.Is(err, errNoProcess) }

// Process is a program to keep running.
type Process struct {
	// Name is put in front of each line the process prints.
	Name string
	// Path is the program's file.
	Path string
	// Args are its arguments, without its name.
	Args []string
	// Env is added to the environment of this process; if a name has two values, the later one counts.
	Env []string
	// Input is what the process finds in file descriptor 3; nil for nothing.
	Input []byte
	// Secret is what the process finds in another file descriptor, whose number is in the environment variable SecretFD;
	// nil for nothing. Nobody else can read it.
	Secret   []byte
	SecretFD string
	// Config is the part of Input that concerns this process: when it changes, the process has to be
	// restarted.
	Config string
	// HandsOver tells that another process of the same program can take over from it; see [Supervisor.Upgrade].
	HandsOver bool
	// NewProbe makes the probe that asks one run of the process for signs of life; nil: it is never asked.
	NewProbe func(pid int) Probe
}

// same tells whether a process that was started as p runs as q would.
func (p *Process) same(q *Process) bool {
	return p.Path == q.Path && p.Config == q.Config && slices.Equal(p.Args, q.Args) && slices.Equal(p.Env, q.Env) &&
		bytes.Equal(p.Secret, q.Secret)
}

// starter starts processes: real ones, or a test's.
type starter interface {
	// start gives the process these files, from descriptor firstFile on; nil stands for none.
	start(p Process, output io.Writer, files []*os.File) (child, error)
}

// child is a started process.
type child interface {
	// wait returns when the process has ended and all its output has been read. It is called once.
	wait() exit
	// signal does nothing if the process has ended.
	signal(sig syscall.Signal)
	pid() int
	// activity tells what the process is doing, as far as the system can tell.
	activity() activity
}

// Supervisor keeps processes running. It is safe for concurrent use.
type Supervisor struct {
	printer *Printer
	starter starter
	group   sync.WaitGroup // the keepers
	// upgradeLimit is that of tests; 0 for the usual one.
	upgradeLimit time.Duration

	mu      sync.Mutex
	ctx     context.Context // nil before Run
	end     context.CancelCauseFunc
	keepers []*keeper
	leaving map[string]*keeper // by name, those that were removed and whose processes may still run
	over    bool
}

// New returns a supervisor that prints what its processes print.
func New(printer *Printer) *Supervisor { return &Supervisor{printer: printer} }

// Run keeps the processes running until ctx ends; then it stops them and returns nil when all have
// ended. It returns [ErrNothingRuns] if all have ended permanently before that. It is called once.
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
	return nil // on request
}

// Changes are the names of processes that [Supervisor.Change] has touched.
type Changes struct{ Restarted, Started, Stopped []string }

// Change makes these the processes to keep running. Those that are the same keep running untouched, with
// their output; the others are stopped, started or restarted, which continues after Change returns. One
// that was removed has ended before another of its name is started.
func (s *Supervisor) Change(processes []Process) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.over {
		return Changes{}, errors.New("the launcher is stopping")
	}
	return s.change(processes), nil
}

// change requires mu.
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
	if s.leaving == nil {
		s.leaving = map[string]*keeper{}
	}
	for _, k := range s.keepers {
		if !slices.Contains(keepers, k) {
			s.leaving[k.name] = k
			k.cancel()
			changes.Stopped = append(changes.Stopped, k.name)
		}
	}
	s.keepers = keepers
	return changes
}

// left notes that there is no process any more.
func (s *Supervisor) left(k *keeper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving[k.name] == k {
		delete(s.leaving, k.name)
	}
	close(k.done)
}

// Running returns when a process of that name has been started and has not ended since.
func (s *Supervisor) Running(ctx context.Context, name string) error {
	k, err := s.lookUp(name)
	if err != nil {
		return err
	}
	return k.running(ctx)
}

// Leaving reports whether a process of that name was removed and may still run.
func (s *Supervisor) Leaving(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving[name] != nil
}

func (s *Supervisor) lookUp(name string) (*keeper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.find(name); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%q: %w", name, errNoProcess)
}

// find requires mu.
func (s *Supervisor) find(name string) *keeper {
	if i := slices.IndexFunc(s.keepers, func(k *keeper) bool { return k.name == name }); i >= 0 {
		return s.keepers[i]
	}
	return nil
}

// Restart ends a process and starts it again, even one that had ended permanently. It returns when the
// new one has been started.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	k, err := s.lookUp(name)
	if err != nil {
		return err
	}
	return k.restart(ctx)
}

// Status is the state of a process, as the supervisor sees it.
type Status struct {
	Name string
	// PID is 0 while there is no process.
	PID int
	// Ended tells that it is not restarted automatically.
	Ended bool
	// Reason tells why there is no process.
	Reason string
	// Taken tells that there is none because an address that it needs was in use.
	Taken bool
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

// ended is called by a keeper whose process has ended permanently: the last one ends Run.
func (s *Supervisor) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.keepers, func(k *keeper) bool { return !k.state().Ended }) {
		s.end(ErrNothingRuns)
	}
}
