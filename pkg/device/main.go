package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// How a device process ends. A launcher starts it again, except after ExitStopped and ExitConfiguration. The numbers keep clear of 1
// and 2, with which the Go runtime ends a program that panicked; those of sysexits.h are used.
const (
	// ExitStopped is the end on request.
	ExitStopped = 0
	// ExitAddress is the end because an address to listen on is taken or cannot be had.
	ExitAddress = 71
	// ExitConfiguration is the end by a configuration that cannot work; starting again does not help.
	ExitConfiguration = 78
)

// Main runs a device process from its flags, environment and robot file, and exits.
func Main[C any](k Kind[C]) {
	os.Exit(run(k, os.Args[1:], environment, os.Stderr))
}

func run[C any](k Kind[C], args []string, environ func(string) string, out io.Writer) int {
	settings, config, opts, err := configure(k, args, environ, out)
	switch {
	case isHelp(err):
		return ExitStopped
	case err != nil:
		_, _ = fmt.Fprintf(out, "waldo-%s: the configuration is wrong:\n%v\n", k.Name, err)
		return ExitConfiguration
	case opts.version:
		_, _ = fmt.Fprintf(out, "waldo-%s %s\n", k.Name, k.Version)
		return ExitStopped
	case opts.check:
		return ExitStopped
	}
	level, _ := logLevel(settings.LogLevel) // checked with the settings
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})).With("device", settings.Device)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	process, err := Start(k, settings, config, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		return exitCode(err)
	}
	<-ctx.Done()
	stop() // a second signal ends the process at once
	process.Stop()
	return ExitStopped
}

func exitCode(err error) int {
	var op *net.OpError
	if errors.As(err, &op) {
		return ExitAddress
	}
	return ExitConfiguration
}
