package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/served"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type upCommand struct {
	File        string `arg:"" optional:"" help:"Description of the robot. Default: a built-in robot that needs no hardware."`
	HTTP        string `name:"http" placeholder:"HOST:PORT" help:"Where the page is served. Default: from the file, else 127.0.0.1:8080."`
	NATS        string `name:"nats" env:"WALDO_NATS" placeholder:"URL" help:"NATS server to use instead of running one. Default: from the file."`
	secretFlags `embed:""`
	NoGateway   bool `help:"Do not run the gateway; it runs elsewhere."`
	Check       bool `help:"Only check the file and the addresses in it."`
}

// Help explains the command.
func (*upCommand) Help() string {
	return `Each device runs as its own process, waldo-<kind>. One that crashes is restarted at once, then more and
more slowly if it keeps crashing; the others are unaffected. One that is stopped on purpose (kill without -9) stays
stopped. Ctrl-C stops everything.

A robot.yaml looks like this:

  robot: demo
  devices:
    front: {kind: camera, source: test, width: 1280, height: 720, fps: 30}
    rear:  {kind: camera, source: /dev/video0}
  gateway: {http: "127.0.0.1:8080"}

waldo-<kind> --help lists the keys of a kind, waldo-gateway --help those of the gateway.
Devices serve gRPC on 127.0.0.1:7101 and up, in the order of the file. The key grpc: changes that, as in grpc: ":7101",
which other machines can reach with a token.`
}

// Run runs the robot until it is stopped.
func (u *upCommand) Run(ctx context.Context, c console) error {
	plan, err := u.plan(ctx)
	if err != nil {
		return configurationError{fmt.Errorf("the robot cannot run:\n%w", err)}
	}
	for _, warning := range plan.Warnings() {
		_, _ = fmt.Fprintln(c.err, "warning:", warning)
	}
	if u.Check {
		return nil
	}
	u.hideMemory()
	printer := supervise.NewPrinter(c.err, plan.Names(), hasColors(c.err))
	defer printer.Close()
	if u.File == "" {
		printer.Printf("waldo", "no robot.yaml was given: this is the built-in robot")
	}
	defer u.notePage(c, plan.Robot(), "")
	return c.patient(func(out io.Writer) error {
		return plan.Run(ctx, printer, func(url string) {
			u.notePage(c, plan.Robot(), u.HTTP)
			announce(out, url, plan.Page(), isTerminal(c.out)) // for people and scripts that wait for it
		})
	})
}

// notePage tells `waldo trust` where the page is served if that is not where the file says; empty: it is, or not at
// all.
func (u *upCommand) notePage(c console, r *robot.Robot, http string) {
	if !r.TLS.Auto {
		return
	}
	folder, err := certs.Folder(os.Getenv)
	if err == nil {
		err = served.Note(folder, r.Name, http)
	}
	if err != nil {
		_, _ = fmt.Fprintf(c.err, "warning: waldo trust cannot tell where the page is served: %v\n", err)
	}
}

// plan returns a plan that has passed every check possible before it runs.
func (u *upCommand) plan(ctx context.Context) (*launch.Plan, error) {
	file := u.File
	if file == "" {
		file = robot.Builtin
	}
	r, err := robot.Load(file)
	if err != nil {
		return nil, err
	}
	programs, err := launch.InstalledPrograms()
	if err != nil {
		return nil, err
	}
	plan, missing := launch.New(r, programs, launch.Config{HTTP: u.HTTP, NATS: u.NATS, Token: u.Token,
		NoGateway: u.NoGateway})
	check := plan.Check
	if u.Check {
		check = plan.CheckFile
	}
	return plan, errors.Join(missing, check(ctx))
}
