package device

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/handover"
	"github.com/waldo-robot/waldo/pkg/systemd"
)

// UpgradeAttribute is the attribute of a device that says when, and why, no other process could take over from it the
// last time that one tried.
const UpgradeAttribute = "upgrade_failed"

// lives is what [Main] runs: a device, from its start, perhaps as the successor of another process, until it is stopped
// or until a successor has taken over from it.
type lives[C any] struct {
	kind     Kind[C]
	settings Settings
	config   C
	log      *slog.Logger
	defaults func()        // has a second signal end the process at once
	unit     *systemd.Unit // of systemd

	channel *handover.Conn // to the launcher; nil without one that upgrades
	offers  chan offer
}

// offer is a successor that wants to take over.
type offer struct {
	conn  *handover.Conn
	force bool
	taken func() // called when the successor has taken over
}

// run returns the exit code of the process.
func (l *lives[C]) run(ctx context.Context) int {
	from, err := handover.Inherited(handover.PredecessorFD)
	if err == nil {
		l.channel, err = handover.Inherited(handover.ChannelFD)
	}
	if err != nil {
		l.log.Error("cannot start", "error", err)
		return ExitConfiguration
	}
	process, err := l.first(ctx, from)
	if err != nil {
		l.log.Error("cannot start", "error", err)
		if from != nil {
			l.tell(handover.Message{Kind: handover.Failed, Reason: plain(err.Error())})
			return ExitSuccession
		}
		return exitCode(err)
	}
	if from != nil {
		l.log.Info("has taken over", "epoch", process.kit.Epoch())
		l.tell(handover.Message{Kind: handover.Done})
	}
	l.offers = make(chan offer)
	// Before anybody learns that the device is ready: SIGUSR2 ends a process that does not listen to it.
	wanted := make(chan os.Signal, 1)
	signal.Notify(wanted, syscall.SIGUSR2)
	defer signal.Stop(wanted)
	listening, stop := context.WithCancel(ctx)
	var owned sync.WaitGroup
	owned.Go(func() { l.listen(listening, wanted) })
	defer owned.Wait()
	defer stop()
	return l.live(ctx, process)
}

// first starts the device, or takes over from another process.
func (l *lives[C]) first(ctx context.Context, from *handover.Conn) (*Process, error) {
	if from != nil {
		return succeed(ctx, l.kind, l.settings, l.config, l.log, from)
	}
	return Start(l.kind, l.settings, l.config, l.log)
}

// tell tells the launcher how it went.
func (l *lives[C]) tell(m handover.Message) {
	if l.channel != nil {
		_ = l.channel.Send(m) // a launcher that is gone ends its processes
	}
}

// live runs the device until ctx ends, or until another process has taken over.
func (l *lives[C]) live(ctx context.Context, process *Process) int {
	settled := time.After(trimAfter)
	reported := process.report(l.unit)
	defer func() { reported() }()
	for {
		select {
		case <-settled:
			access.ShowMemory(trim)
		case <-ctx.Done():
			l.defaults()
			l.unit.Stopping()
			l.log.Info("stopping")
			stopWithin(patience, process, l.log)
			return ExitStopped
		case <-process.kit.displaced:
			stopWithin(patience, process, l.log)
			return ExitAddress
		case o := <-l.offers:
			next, err := l.handOver(process, o)
			if err != nil {
				l.log.Error("cannot go on", "error", err)
				return exitCode(err)
			}
			if next == nil {
				l.log.Info("another process has taken over: stopping")
				stopWithin(patience, process, l.log)
				return ExitStopped
			}
			if next != process {
				reported()
				process, reported = next, next.report(l.unit)
			}
		}
	}
}

// handOver returns the process that goes on here, nil if that is another one.
func (l *lives[C]) handOver(process *Process, o offer) (*Process, error) {
	from := &predecessor{p: process, conn: o.conn, force: o.force, taken: o.taken}
	defer func() { closeAll(from.sockets) }()
	done, why := from.handOver()
	if done {
		return nil, nil
	}
	l.log.Warn("nobody takes over: going on", "reason", why)
	failed := map[string]string{UpgradeAttribute: time.Now().Format("15:04:05.000 ") + why.Error()}
	if !from.yielded {
		process.kit.SetAttributes(failed)
		return process, nil
	}
	again := l.settings.withDefaults()
	again.epoch = 0 // it is another life
	at, err := listenOn(from.sockets, from.asked, again, l.log)
	if err != nil {
		return nil, err
	}
	next, err := begin(l.kind, again, l.config, l.log, at, nil)
	if err == nil {
		next.kit.SetAttributes(failed)
	}
	return next, err
}

// listen takes offers until ctx ends: from the launcher, or, without one, by the signal wanted, at which this process
// starts its successor itself.
func (l *lives[C]) listen(ctx context.Context, wanted <-chan os.Signal) {
	if l.channel != nil {
		defer context.AfterFunc(ctx, l.channel.Close)()
		l.listenToLauncher(ctx)
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-wanted:
			if err := l.startSuccessor(ctx); err != nil {
				l.log.Error("no successor could be started", "error", err)
			}
		}
	}
}

func (l *lives[C]) listenToLauncher(ctx context.Context) {
	for {
		m, files, err := l.channel.Receive()
		if err != nil {
			return // the launcher has ended, or this process does
		}
		if m.Kind != handover.Offer || len(files) != 1 {
			l.log.Warn("the launcher sent something other than an offer", "kind", m.Kind)
			continue
		}
		conn, err := handover.Open(files[0])
		if err != nil {
			l.log.Warn("an offer of the launcher cannot be taken", "error", err)
			continue
		}
		l.take(ctx, offer{conn, m.Force, func() {}})
	}
}

// take has an offer dealt with.
func (l *lives[C]) take(ctx context.Context, o offer) {
	select {
	case l.offers <- o:
	case <-ctx.Done():
		o.conn.Close()
	}
}

// startSuccessor starts another process of this program, whose file may have been replaced, to take over from this one.
func (l *lives[C]) startSuccessor(ctx context.Context) error {
	program, err := os.Executable() // as it was found at the start
	if err != nil {
		return err
	}
	mine, its, err := handover.Pair()
	if err != nil {
		return err
	}
	defer func() { _ = its.Close() }() // the successor has its own
	conn, err := handover.Open(mine)
	if err != nil {
		return err
	}
	const first = 3 // the descriptor that the first of ExtraFiles becomes
	cmd := exec.Command(program, os.Args[1:]...)
	// The watchdog of a unit is for its main process, which the successor is to become.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "WATCHDOG_PID=") })
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", handover.PredecessorFD, first))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, []*os.File{its}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return err
	}
	// If it takes over this process ends, and with it the goroutine; otherwise it ends itself.
	late := time.AfterFunc(takeOverLimit, func() { _ = cmd.Process.Kill() })
	go func() {
		_ = cmd.Wait() // how it ended is known by what it said
		late.Stop()
	}()
	l.take(ctx, offer{conn: conn, taken: func() { l.unit.Main(cmd.Process.Pid) }})
	return nil
}
