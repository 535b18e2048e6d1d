package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/state"
)

// Names lists what will run, for a printer.
func (p *Plan) Names() []string { return append(p.names(), "waldo") }

// Run runs the robot until ctx ends, and returns when everything has stopped. It calls serving once with
// the URL of the page, when the page can be opened. It fails if the NATS server cannot listen, if another program has
// taken an address of the gateway since [Plan.Check], or if all processes have ended permanently.
func (p *Plan) Run(ctx context.Context, printer *supervise.Printer, serving func(url string)) error {
	release, err := p.claim()
	if err != nil {
		return err
	}
	defer release()
	log := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewTextHandler(printer.Writer("waldo"), &slog.HandlerOptions{Level: level}))
	}
	certificate, err := Certify(p.robot, log(slog.LevelInfo))
	if err != nil {
		return err
	}
	defer certificate.Close()
	audits := Audit(p.robot.Name, launcherName, os.Getenv, log(slog.LevelWarn))
	defer audits.Close()
	natsURL, ring, stop, err := p.runBus(certificate, audits, log)
	if err != nil {
		return err
	}
	defer stop()
	conn, err := bus.Connect(bus.Config{
		URL: natsURL, Name: p.robot.Name + "/" + launcherName, Token: p.config.Token, Seed: ring.of(launcherName),
		CA:  os.Getenv(certs.Environment),
		Log: log(slog.LevelWarn),
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	printer.Printf("waldo", "robot %s, bus %s", p.robot.Name, access.RedactURL(natsURL))
	p.warnUnconfined(printer)
	s := &server{
		supervisor: supervise.New(printer), printer: printer, conn: conn.Conn, natsURL: natsURL, ring: ring, plan: p,
		audit: audits, instance: strconv.FormatInt(access.NewID(), 36),
		wake: make(chan struct{}, 1), slots: map[string]*slot{},
	}
	if err := s.serve(); err != nil {
		return err
	}
	if s.announcement, err = Announce(conn.Conn, p.robot, log(slog.LevelWarn)); err != nil {
		return err
	}
	defer s.announcement.Close()
	return s.run(ctx, serving)
}

// run runs the processes until ctx ends, or the page can never be served.
func (s *server) run(ctx context.Context, serving func(url string)) error {
	ctx, end := context.WithCancelCause(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer end(nil)
	if !s.plan.config.NoGateway {
		first := s.plan // another one may be the plan by the time that the page is there
		waiting.Go(func() {
			url, err := s.awaitPage(ctx, first)
			switch {
			case err != nil:
				end(err)
			case url != "":
				if link := first.link(); link != "" {
					s.printer.Printf("waldo", "from anywhere, for who knows the token: %s", link)
				}
				serving(url)
			}
		})
	}
	waiting.Go(func() { s.expire(ctx) })
	err := s.supervisor.Run(ctx, s.first())
	if taken := context.Cause(ctx); errors.Is(taken, ErrAddressInUse) {
		return taken
	}
	return err
}

// Audit returns the audit log of a process of this command; nil on a machine that has no folder for state. It is to be
// closed.
func Audit(robotName, process string, environ func(string) string, log *slog.Logger) *audit.Log {
	folder, err := state.Folder("", environ)
	if err != nil {
		return nil
	}
	return audit.Open(audit.Path(folder, robotName, process), log)
}

// warnUnconfined says which devices the robot's own bus lets do everything. Without a token everybody on this machine
// may.
func (p *Plan) warnUnconfined(printer *supervise.Printer) {
	if p.natsURL() != "" || p.config.Token == "" {
		return
	}
	for _, name := range permissions.Unconfined(p.robot) {
		printer.Printf("waldo",
			"%s is of a kind of your own and may do everything on the bus: say under `may:` what it needs, "+
				"see docs/bus.md", name)
	}
}

// runBus runs the bus of the robot, with keys for all processes, unless the robot uses another one.
func (p *Plan) runBus(certificate Certificate, audits *audit.Log, log func(slog.Level) *slog.Logger) (natsURL string,
	keys *ring, stop func(), err error) {
	if natsURL = p.natsURL(); natsURL != "" {
		return natsURL, nil, func() {}, nil
	}
	leaf, err := Leaf(p.robot, log(slog.LevelInfo))
	if err != nil {
		return "", nil, nil, err
	}
	keys = &ring{}
	if err := keys.issue(p.robot, nil, nil); err != nil {
		return "", nil, nil, err
	}
	config := embedded.Config{Listen: p.natsListen(), Token: p.config.Token, Leaf: leaf, Keys: keys.known,
		TLS: certificate.Server(), Log: log(slog.LevelWarn), Audit: audits}
	config.Tokens = storeOf(os.Getenv)
	server, err := embedded.Start(config)
	if err != nil {
		return "", nil, nil, fmt.Errorf("%s: nats.listen: %w", p.robot.File, err)
	}
	keys.serve(server)
	return server.URL(), keys, server.Close, nil
}

// pageURL is where a browser on this machine finds the page of a gateway that listens at the address.
func pageURL(listen string, authority *tokens.Authority) (string, error) {
	listen, _, err := authority.Address(listen)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/", nil
}
