package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

type busCommand struct {
	Listen string `default:"127.0.0.1:4222" placeholder:"HOST:PORT" help:"Where to listen; port 0 picks a free one. Default: ${default}."`
	Token  string `env:"WALDO_TOKEN" placeholder:"SECRET" help:"Secret that clients must present; required for any address but this machine's."`
}

// Help explains the command.
func (*busCommand) Help() string {
	return `It prints its URL and runs until it is stopped. Any other NATS server works as well. For example:

  waldo bus &
  waldo-camera --robot demo --device front --source test &
  waldo-gateway --robot demo`
}

// Run runs the server until it is stopped.
func (b *busCommand) Run(ctx context.Context, c console) error {
	server, err := embedded.Start(embedded.Config{Listen: b.Listen, Token: b.Token})
	if errors.Is(err, launch.ErrAddressInUse) {
		return fmt.Errorf("--listen: %w: stop the other program, or choose another address", err)
	}
	if err != nil {
		return configurationError{fmt.Errorf("--listen: %w", err)}
	}
	defer server.Close()
	return c.patient(func(out io.Writer) error {
		_, _ = fmt.Fprintln(out, server.URL()) // for people and scripts that wait for it
		<-ctx.Done()
		return nil
	})
}
