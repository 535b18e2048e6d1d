package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/rendezvous"
	"github.com/waldo-robot/waldo/rendezvous/relay"
	"github.com/waldo-robot/waldo/rendezvous/server"
	"github.com/waldo-robot/waldo/rendezvous/threads"
)

type rendezvousCommand struct {
	Serve  rendezvousServe  `cmd:"" default:"withargs" help:"Run the server. This is the default."`
	Forget rendezvousForget `cmd:"" help:"Let another robot have a name."`
}

// Help explains the command.
func (*rendezvousCommand) Help() string {
	return `waldo rendezvous runs the server; waldo rendezvous serve --help lists its flags.`
}

// rendezvousState is the file that keeps the robots' names.
type rendezvousState struct {
	State string `env:"WALDO_RENDEZVOUS_STATE" placeholder:"FILE" help:"File that keeps whose key a robot's name belongs to. Default: rendezvous.json in the folder of waldo's state."`
}

func (s *rendezvousState) path() (string, error) {
	if s.State != "" {
		return s.State, nil
	}
	folder, err := state.Folder("", os.Getenv)
	if err != nil {
		return "", fmt.Errorf("--state: %w: name a file", err)
	}
	return filepath.Join(folder, "rendezvous.json"), nil
}

type rendezvousServe struct {
	rendezvousState
	Listen string   `env:"WALDO_RENDEZVOUS_LISTEN" default:"127.0.0.1:8443" placeholder:"HOST:PORT" help:"One port for HTTP and for TURN by TCP, with and without TLS. Default: ${default}."`
	Name   []string `env:"WALDO_RENDEZVOUS_NAME" placeholder:"HOST[:PORT]" help:"Name of the server in the addresses that robots and people use; required if others can reach it."`
	Cert   string   `env:"WALDO_RENDEZVOUS_CERT" placeholder:"FILE" help:"PEM file of the certificate, with those of its authorities. Read again when it changes."`
	Key    string   `env:"WALDO_RENDEZVOUS_KEY" placeholder:"FILE" help:"PEM file of its key."`
	Plain  bool     `env:"WALDO_RENDEZVOUS_PLAIN" help:"Serve HTTP without TLS to other machines, for a proxy that has the certificate."`

	Public     []string `env:"WALDO_RENDEZVOUS_PUBLIC" placeholder:"ADDRESS" help:"Public address of this machine, for the relay (TURN and STUN); one of IPv4 and one of IPv6. Without one there is no relay."`
	UDP        string   `name:"udp" env:"WALDO_RENDEZVOUS_UDP" default:":3478" placeholder:"[HOST]:PORT" help:"Port of the relay for UDP. Default: ${default}."`
	RelayPorts string   `env:"WALDO_RENDEZVOUS_RELAY_PORTS" default:"49152-65535" placeholder:"FIRST-LAST" help:"UDP ports over which the relay sends and receives media. Default: ${default}."`
	Permit     []string `env:"WALDO_RENDEZVOUS_PERMIT" placeholder:"NETWORK" help:"Networks that the relay may reach although they are not part of the internet, for example 10.0.0.0/8."`

	Token   string `env:"WALDO_RENDEZVOUS_TOKEN" placeholder:"SECRET" help:"Secret that robots must present. Without it, and without --keys, only this machine can connect."`
	Keys    string `env:"WALDO_RENDEZVOUS_KEYS" placeholder:"FILE" help:"File with the fingerprints of the robots' keys that may register, one in a line, with the names that each may have."`
	Metrics string `env:"WALDO_RENDEZVOUS_METRICS" placeholder:"HOST:PORT" help:"Loopback address for Prometheus. Default: none."`

	MaxRobots           int `env:"WALDO_RENDEZVOUS_MAX_ROBOTS" default:"2000" placeholder:"N" help:"How many robots may be connected. Default: ${default}."`
	MaxRobotsPerAddress int `env:"WALDO_RENDEZVOUS_MAX_ROBOTS_PER_ADDRESS" default:"100" placeholder:"N" help:"How many from one address. Default: ${default}."`
	MaxRequests         int `env:"WALDO_RENDEZVOUS_MAX_REQUESTS" default:"150" placeholder:"N" help:"How many requests to one robot may be under way, open WebSockets included. Default: ${default}."`
}

// Help explains the command.
func (*rendezvousServe) Help() string {
	return `Robots connect out to the server, and people reach them through it at https://NAME/r/ROBOT/, however many NATs
are in between. It prints its address and runs until it is stopped. On a public machine:

  export WALDO_RENDEZVOUS_TOKEN=$(waldo token)
  waldo rendezvous --listen :443 --name robots.example.org --cert fullchain.pem --key privkey.pem --public 203.0.113.7

and in robot.yaml, with a token of the robot's own:

  gateway: {token: …, rendezvous: {url: "https://robots.example.org", token: …}}

The firewall must let in TCP 443, UDP 3478, and the UDP ports of --relay-ports. docs/rendezvous.md has more.`
}

// Run runs the server until it is stopped.
func (r *rendezvousServe) Run(ctx context.Context, c console) error {
	config, err := r.config()
	if err != nil {
		return configurationError{err}
	}
	patient := output.NewLog(c.err)
	defer patient.Close(lastWords)
	config.Log = slog.New(slog.NewTextHandler(patient, &slog.HandlerOptions{ReplaceAttr: access.RedactAttr}))
	started, err := rendezvous.Start(*config)
	switch {
	case errors.Is(err, launch.ErrAddressInUse):
		return fmt.Errorf("%w: stop the other program, or choose another address", err)
	case err != nil:
		return configurationError{err}
	}
	defer started.Close()
	defer threads.Adapt()()
	return c.patient(func(out io.Writer) error {
		_, _ = fmt.Fprintln(out, started.URL()) // for people and scripts that wait for it
		select {
		case <-ctx.Done():
			return nil
		case err := <-started.Failed():
			return err
		}
	})
}

// config reads what is text on the command line.
func (r *rendezvousServe) config() (*rendezvous.Config, error) {
	c := &rendezvous.Config{
		Listen: r.Listen, Certificate: r.Cert, Key: r.Key, Plain: r.Plain, Names: r.Name, UDP: r.UDP, Token: r.Token,
		Metrics: r.Metrics,
		Limits:  server.Limits{Robots: r.MaxRobots, RobotsPerClient: r.MaxRobotsPerAddress, Requests: r.MaxRequests},
	}
	var errs []error
	bad := func(flag string, err error) { errs = append(errs, fmt.Errorf("--%s: %w", flag, err)) }
	var err error
	if c.State, err = r.path(); err != nil {
		errs = append(errs, err)
	}
	if err := access.CheckToken(r.Token); err != nil {
		bad("token", err)
	}
	for _, name := range r.Name {
		if err := rendezvous.CheckName(name); err != nil {
			bad("name", err)
		}
	}
	if r.Keys != "" {
		if c.Keys, err = server.ReadKeys(r.Keys); err != nil {
			bad("keys", err)
		}
	}
	if c.Public, err = parsed(r.Public, netip.ParseAddr); err != nil {
		bad("public", err)
	}
	if c.Permit, err = parsed(r.Permit, netip.ParsePrefix); err != nil {
		bad("permit", err)
	}
	if c.Ports, err = parsePorts(r.RelayPorts); err != nil {
		bad("relay-ports", err)
	}
	if r.MaxRobots < 1 || r.MaxRobotsPerAddress < 1 || r.MaxRequests < 1 {
		bad("max-…", errors.New("use a number from 1"))
	}
	return c, errors.Join(errs...)
}

func parsed[T any](texts []string, parse func(string) (T, error)) (list []T, err error) {
	for _, text := range texts {
		one, err := parse(text)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func parsePorts(text string) (relay.PortRange, error) {
	from, to, _ := strings.Cut(text, "-")
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return relay.PortRange{}, fmt.Errorf("%.64q is not a range of ports: write it like 49152-65535", text)
	}
	return relay.PortRange{First: uint16(first), Last: uint16(last)}, nil
}

type rendezvousForget struct {
	rendezvousState
	Robot string `arg:"" help:"Name of the robot."`
}

// Help explains the command.
func (*rendezvousForget) Help() string {
	return `A robot's name belongs to the key that has registered it first. When a robot gets a new key, for example with a
new disk, the server refuses it until its name is forgotten. A running server notices.`
}

// Run forgets the robot.
func (r *rendezvousForget) Run(c console) error {
	path, err := r.path()
	if err != nil {
		return configurationError{err}
	}
	if err := server.Forget(path, r.Robot); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "the next robot that registers as %s has the name\n", r.Robot)
	return err
}
