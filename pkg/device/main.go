package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/settings"
	"github.com/waldo-robot/waldo/pkg/systemd"
)

// How a device process ends. A launcher starts it again, except after ExitStopped and ExitConfiguration. The numbers
// keep clear of 1 and 2, with which the Go runtime ends a program that panicked; those of sysexits.h are used.
const (
	// ExitStopped is the end on request.
	ExitStopped = 0
	// ExitAddress is the end because an address to listen on is taken or cannot be had, or because of [ErrTaken].
	ExitAddress = 71
	// ExitSuccession is the end of a process that was to take over from another one and could not: that one goes on.
	ExitSuccession = 75
	// ExitConfiguration is the end by a configuration that cannot work; starting again does not help.
	ExitConfiguration = 78
)

// patience is how long a process waits for its own end; the rest of the 2 s is for the operating system.
const patience = 1800 * time.Millisecond

// lastWords bounds the wait at the end for a log that takes nothing.
const lastWords = 100 * time.Millisecond

// Main runs a device process from its flags, environment and robot file, and exits.
func Main[C any](k Kind[C]) {
	if k.OneCore && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	output.Survive()
	os.Exit(run(k, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is Main without the exit. What was asked for goes to stdout, everything else to stderr, for which nothing waits.
func run[C any](k Kind[C], args []string, environ func(string) string, stdout, stderr io.Writer) int {
	common, config, given, err := configure(k, args, environ, stdout)
	switch {
	case errors.Is(err, settings.ErrHelp):
		return ExitStopped
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "waldo-%s: the configuration is wrong:\n%s\n", k.Name, access.RedactText(err.Error()))
		return ExitConfiguration
	case given.Version:
		_, _ = fmt.Fprintf(stdout, "waldo-%s %s\n", k.Name, k.Version)
		return ExitStopped
	case given.Check:
		settings.PrintWarnings(stderr, given.Warnings())
		return ExitStopped
	}
	if common.Seed, err = keys.Handed(common.BusSeedFile, environ); err != nil {
		_, _ = fmt.Fprintf(stderr, "waldo-%s: the configuration is wrong:\n%s\n", k.Name, err)
		return ExitConfiguration
	}
	level, _ := settings.Level(common.LogLevel) // checked with the settings
	if environ("CREDENTIALS_DIRECTORY") != "" {
		access.HideMemory() // the units of a robot share a user, and not their secrets
	}
	common.epoch = access.NewID()
	out := output.NewLog(systemd.Log(stderr, environ,
		systemd.Fields("waldo-"+k.Name, common.Robot, common.Device, common.epoch)))
	defer out.Close(lastWords)
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level,
		ReplaceAttr: access.RedactAttr})).With("device", common.Device)
	for _, w := range given.Warnings() {
		log.Warn(w.Error())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l := lives[C]{kind: k, settings: common, config: config, log: log, defaults: stop, unit: systemd.NewUnit(environ)}
	return l.run(ctx)
}

// stopWithin stops a process, and gives up on a driver that does not see that its context has ended: the operating
// system takes from it what it holds.
func stopWithin(d time.Duration, p *Process, log *slog.Logger) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.Stop()
	}()
	select {
	case <-stopped:
	case <-time.After(d):
		log.Error("the driver, or a call, did not end with its context: leaving without it", "waited", d)
	}
}

// ErrTaken is for errors of [Kind.New] that say that another process has what the device needs: it may be gone when a
// launcher tries again.
var ErrTaken = errors.New("taken by another process")

func exitCode(err error) int {
	var address *addressError
	if errors.As(err, &address) || errors.Is(err, ErrTaken) {
		return ExitAddress
	}
	return ExitConfiguration
}
