package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus/hub"
	"github.com/waldo-robot/waldo/pkg/output"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type hubCommand struct {
	Serve hubServe `cmd:"" default:"withargs" help:"Run the server. This is the default."`
	Key   hubKey   `cmd:"" help:"Make a key for a robot or a gateway."`
}

// Help explains the command.
func (*hubCommand) Help() string {
	return `waldo hub runs the server; waldo hub serve --help describes its file.`
}

type hubServe struct {
	File        string `arg:"" help:"hub.yaml: the robots and gateways that may connect."`
	PrintConfig bool   `help:"Print the configuration of a nats-server that does the same, and end."`
	Check       bool   `help:"Only check the file."`
}

// Help explains the command.
func (*hubServe) Help() string {
	return `The robots of a fleet meet at a hub: each connects its bus to it, and gateways there serve the pages of all of
them. A hub.yaml looks like this:

  hub: example
  leaf: ":7422"                    # where robots connect for control and state
  listen: ":4222"                  # where their media, and gateways, connect
  tls: {cert: fullchain.pem, key: privkey.pem}
  robots:
    rover: {key: U…}
  gateways:
    main: {key: U…}

Keys are made by waldo hub key. The robot's robot.yaml gets

  fleet: {hub: "tls://hub.example.org", key: hub.seed}
  devices:
    uplink: {kind: uplink}         # sends pictures and sound while somebody at the hub wants them

When the file or the certificate changes it is read again: robots and gateways come and go, and the others stay
connected. docs/fleet.md has more.`
}

// Run runs the server until it is stopped.
func (h *hubServe) Run(ctx context.Context, c console) error {
	config, err := hub.Load(h.File)
	if err != nil {
		return configurationError{err}
	}
	warnings, err := h.checkTLS(config)
	switch {
	case h.PrintConfig: // for another machine, which has the files
		_, err := fmt.Fprint(c.out, config.Text())
		return err
	case err != nil:
		return configurationError{err}
	}
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(c.err, "warning:", warning)
	}
	if h.Check {
		return nil
	}
	server, err := hub.Start(config)
	switch {
	case errors.Is(err, launch.ErrAddressInUse):
		return fmt.Errorf("%s: %w: stop the other program, or choose another address", h.File, err)
	case err != nil:
		return configurationError{fmt.Errorf("%s: %w", h.File, err)}
	}
	defer server.Close()
	patient := output.NewLog(c.err)
	defer patient.Close(lastWords)
	log := slog.New(slog.NewTextHandler(patient, &slog.HandlerOptions{ReplaceAttr: access.RedactAttr}))
	leaf, listen := server.Addresses()
	log.Info("serving robots", "leaf", leaf, "listen", listen, "tls", config.TLS.Cert != "", "robots", len(config.Robots))
	return c.patient(func(out io.Writer) error {
		_, _ = fmt.Fprintln(out, server.LeafURL(), server.URL()) // for people and scripts that wait for it
		h.follow(ctx, server, config, log)
		return nil
	})
}

// checkTLS looks at the hub's certificate. What is wrong with the time only is a warning, as for `waldo up`.
func (h *hubServe) checkTLS(config *hub.Config) (warnings []error, err error) {
	files := robot.TLS{Cert: config.TLS.Cert, Key: config.TLS.Key}
	warnings, err = files.CheckFiles(time.Now())
	for i, warning := range warnings {
		warnings[i] = fmt.Errorf("%s: tls: %w", h.File, warning)
	}
	if err != nil {
		err = fmt.Errorf("%s: tls: %w", h.File, err)
	}
	return warnings, err
}

// followEvery is how often the files are looked at.
const followEvery = time.Second

// follow reads the file again when it has changed, or the certificate, and logs which robots come and go, until ctx
// ends.
func (h *hubServe) follow(ctx context.Context, server *hub.Server, config *hub.Config, log *slog.Logger) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	files, known := h.watch(config), roster{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if anyChanged(files) {
			next := h.reload(server, config, log)
			if next.TLS != config.TLS {
				files = h.watch(next)
			}
			config = next
		}
		known.look(time.Now(), config.Robots, func(robot string) bool { return server.Leafs(robot) > 0 }, log)
	}
}

// watch looks at the hub's own file and its certificate.
func (h *hubServe) watch(config *hub.Config) []*watched {
	return watchFiles(h.File, config.TLS.Cert, config.TLS.Key)
}

// reload follows the files, or says why not. It returns what is in force.
func (h *hubServe) reload(server *hub.Server, before *hub.Config, log *slog.Logger) *hub.Config {
	config, err := hub.Load(h.File)
	if err == nil {
		err = server.Reload(config)
	}
	if err != nil {
		log.Error("the file is not followed; what it said before stays in force", "error", err)
		return before
	}
	log.Info("the file was read again", "robots", len(config.Robots), "gateways", len(config.Gateways))
	return config
}

type hubKey struct {
	File string `arg:"" help:"File for the secret key; it must not exist."`
}

// Help explains the command.
func (*hubKey) Help() string {
	return `The secret key stays at the robot or gateway, in a file that only its owner can read. Only the public key, which
is printed, goes into the hub's hub.yaml:

  waldo hub key /etc/waldo/hub.seed`
}

// Run makes a key.
func (h *hubKey) Run(c console) error {
	public, err := hub.NewKey(h.File)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: a key is not replaced; choose another file, or remove it first", h.File)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, public)
	return err
}
