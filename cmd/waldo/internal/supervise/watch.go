package supervise

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// askEvery is how often a process is asked for a sign of life.
	askEvery = time.Second
	// patience is how long a process may take to answer, or stay stopped, before it counts as hanging.
	patience = 5 * time.Second
	// busyQuestions is how many questions in a row a process that is working or waiting for a processor
	// may leave unanswered: a busy machine makes it slow.
	busyQuestions = 4
	// startQuestions is the same for a process that has never answered: it is still starting.
	startQuestions = 12
	// late is how far a question may overrun its time; beyond that the launcher itself was not running.
	late = time.Second
)

// Answer is the outcome of a question.
type Answer int

const (
	// Unasked means that the question could not be put: the process is not listening, or not yet.
	Unasked Answer = iota
	// Answered means that there was an answer of any kind, even that the hardware is away.
	Answered
	// Silent means that the process did not answer in time.
	Silent
)

// Probe asks a process for signs of life.
type Probe interface {
	// Ask returns when there is an answer, or when ctx ends.
	Ask(ctx context.Context) Answer
	// Close frees what Ask needs.
	Close()
}

// activity is what a process is doing, as far as the system can tell.
type activity int

const (
	asleep  activity = iota
	busy             // working, or waiting for a processor or a disk
	stopped          // by SIGSTOP
)

// watch asks a process for signs of life. If it hangs, the reason is sent to hung, once. stop ends the
// watch and waits for it.
func watch(ctx context.Context, c child, p Process) (hung <-chan string, stop func()) {
	if p.NewProbe == nil {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	why, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		probe := p.NewProbe(c.pid())
		defer probe.Close()
		w := watcher{child: c, probe: probe}
		if text := w.run(ctx); text != "" {
			why <- text
		}
	}()
	return why, func() { cancel(); <-done }
}

// watcher judges one run of a process.
type watcher struct {
	child    child
	probe    Probe
	answered bool          // at least once
	silent   int           // questions in a row without an answer
	still    time.Duration // how long it has been seen stopped, while it could not be asked
}

// run returns why the process counts as hanging, or "" if ctx ends before.
func (w *watcher) run(ctx context.Context) string {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
		if why := w.ask(ctx); why != "" && ctx.Err() == nil {
			return why
		}
	}
}

// ask puts one question, and returns the reason if the process now counts as hanging.
func (w *watcher) ask(ctx context.Context) string {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	answer := w.probe.Ask(limited)
	cancel()
	if answer == Answered {
		w.answered, w.silent, w.still = true, 0, 0
		return ""
	}
	now := w.child.activity()
	switch {
	case answer == Unasked && now == stopped:
		w.still += askEvery
	case answer == Unasked:
		w.silent, w.still = 0, 0
	case time.Since(began) < patience+late: // otherwise this program was not running either, or the machine slept
		w.silent++
	}
	switch {
	case now == stopped && (w.silent > 0 || w.still >= patience):
		return fmt.Sprintf("was stopped for %s", patience)
	case w.silent >= w.most(now):
		return fmt.Sprintf("gave no sign of life for %s", patience*time.Duration(w.silent))
	}
	return ""
}

// most is how many questions in a row may go unanswered.
func (w *watcher) most(now activity) int {
	switch {
	case !w.answered:
		return startQuestions
	case now == busy:
		return busyQuestions
	default:
		return 1
	}
}

// activityOf looks at all threads of a process.
func activityOf(pid int) activity {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid)) // the pattern is valid
	found := asleep
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		_, state, ok := strings.Cut(string(stat), ") ")
		if err != nil || !ok || state == "" {
			continue // it has ended
		}
		switch state[0] {
		case 'T', 't':
			return stopped
		case 'R', 'D':
			found = busy
		}
	}
	return found
}
