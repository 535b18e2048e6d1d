package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/greeting"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/systemd"
)

type busCommand struct {
	RobotFile   string `env:"WALDO_ROBOT_FILE" placeholder:"FILE" help:"robot.yaml that says where to listen, under nats: listen."`
	Listen      string `placeholder:"HOST:PORT" help:"Where to listen; port 0 picks a free one. Default: as the robot file says, else 127.0.0.1:4222."`
	Keys        string `env:"WALDO_BUS_KEYS" placeholder:"FILE" help:"File with the public keys of processes, and what each may do on the bus, which waldo install writes. Without it only tokens count."`
	secretFlags `embed:""`
}

// Help explains the command.
func (*busCommand) Help() string {
	return `It prints its URL and runs until it is stopped. Any other NATS server works as well. For example:

  waldo bus &
  waldo-camera --robot demo --device front --source test &
  waldo-gateway --robot demo

Any address but this machine's needs a secret, which waldo token makes.

With a robot file it also gets and renews the robot's certificate (tls: auto, or acme). If the file names another NATS
server, it does only that.`
}

// Run runs the server until it is stopped.
func (b *busCommand) Run(ctx context.Context, c console) error {
	r, err := b.robot()
	if err != nil {
		return configurationError{err}
	}
	field, listen := "--listen", cmp.Or(b.Listen, launch.DefaultNATS)
	if b.Listen == "" && r.NATS.Listen != "" {
		field, listen = r.File+": nats.listen", r.NATS.Listen
	}
	log := output.NewLog(systemd.Log(c.err, os.Getenv, systemd.Fields("waldo-bus", r.Name, "bus", access.NewID())))
	defer log.Close(lastWords)
	said := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: access.RedactAttr}))
	certificate, err := launch.Certify(r, said)
	if err != nil {
		return configurationError{err}
	}
	defer certificate.Close()
	if r.NATS.URL != "" { // the bus is elsewhere, and the certificate is this robot's
		defer report(systemd.NewUnit(os.Getenv), "issues the certificate", func(context.Context) bool { return true })()
		<-ctx.Done()
		return nil
	}
	leaf, err := launch.Leaf(r, said)
	if err != nil {
		return configurationError{err}
	}
	b.hideMemory()
	ring, err := newKeyring(b.Keys, r.Name, said)
	if err != nil {
		return err
	}
	audits := launch.Audit(r.Name, "bus", os.Getenv, said)
	defer audits.Close()
	server, err := b.serve(embedded.Config{
		Listen: listen, TLS: certificate.Server(), Leaf: leaf, Keys: ring.first(), Log: said, Audit: audits,
	})
	if errors.Is(err, launch.ErrAddressInUse) {
		return fmt.Errorf("%s: %w: stop the other program, or choose another address", field, err)
	}
	if err != nil {
		return configurationError{fmt.Errorf("%s: %w", field, err)}
	}
	defer server.Close()
	defer ring.follow(server)()
	stop, err := announceRobot(server.URL(), ring.own, r, said)
	if err != nil {
		return err
	}
	defer stop()
	address := strings.TrimPrefix(server.URL(), "nats://")
	defer report(systemd.NewUnit(os.Getenv), server.URL(),
		func(ctx context.Context) bool { return greets(ctx, address) })()
	return c.patient(func(out io.Writer) error {
		_, _ = fmt.Fprintln(out, server.URL()) // for people and scripts that wait for it
		<-ctx.Done()
		return nil
	})
}

// serve starts the server. Without keys, and without tokens, everybody may do everything.
func (b *busCommand) serve(config embedded.Config) (*embedded.Server, error) {
	config.Token = b.Token
	if path, err := tokens.Path(os.Getenv); err == nil { // otherwise there are none
		config.Tokens = tokens.Open(path)
	}
	return embedded.Start(config)
}

// announceRobot tells the hub about the robot, if it has one, until stop is called.
func announceRobot(url string, seed *keys.Seed, r *robot.Robot, log *slog.Logger) (stop func(), err error) {
	if !r.Fleet.Given() {
		return func() {}, nil
	}
	conn, err := bus.Connect(bus.Config{URL: url, Name: r.Name + "/bus", Seed: seed, Log: log})
	if err != nil {
		return nil, err
	}
	told, err := launch.Announce(conn.Conn, r, log)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return func() {
		told.Close()
		conn.Close()
	}, nil
}

// robot returns what the robot file says, nothing if there is none.
func (b *busCommand) robot() (*robot.Robot, error) {
	if b.RobotFile == "" {
		return &robot.Robot{}, nil
	}
	r, err := robot.LoadHanded(b.RobotFile, os.Getenv)
	if err == nil && r.NATS.URL != "" && !r.TLS.Issued() {
		err = fmt.Errorf("%s: nats.url: the robot uses the NATS server %s: there is no bus to run", r.File,
			access.RedactURL(r.NATS.URL))
	}
	return r, err
}

// report tells systemd that the process serves and, until the function that it returns is called, that it is alive.
func report(unit *systemd.Unit, status string, alive func(context.Context) bool) (stop func()) {
	unit.Ready(status)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		unit.Watch(ctx, alive)
	}()
	return func() {
		unit.Stopping()
		cancel()
		<-done
	}
}

// greets tells whether a NATS server accepts connections: it speaks first, and asks for nothing before.
func greets(ctx context.Context, address string) bool {
	_, err := greeting.Read(ctx, "nats://"+address)
	return err == nil
}
