package launch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/supervise"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
)

// checkTime bounds what a program may take to check its configuration.
const checkTime = 20 * time.Second

// ErrAddressInUse is wrapped by the error of Check if another program uses an address.
var ErrAddressInUse = syscall.EADDRINUSE

// Check returns everything that would go wrong if the plan were run now.
func (p *Plan) Check(ctx context.Context) error {
	release, err := p.claim()
	if err != nil {
		return err // addresses in use follow from it
	}
	defer release()
	return errors.Join(p.check(ctx, nil), p.checkBus())
}

// checkBus sees to it that other machines cannot reach the bus without a token, as the bus does when it starts. Unlike
// other addresses, one without a host is not narrowed to loopback.
func (p *Plan) checkBus() error {
	host, port, err := net.SplitHostPort(p.natsListen())
	if p.natsURL() != "" || err != nil { // package robot has checked its form
		return nil
	}
	authority := tokens.NewAuthority(p.config.Token, storeOf(os.Getenv))
	if _, _, err := authority.Address(net.JoinHostPort(cmp.Or(host, "0.0.0.0"), port)); err != nil {
		return fmt.Errorf("%s: nats.listen: %w", p.robot.File, err)
	}
	return nil
}

// CheckFile is Check for a file that is not run now. If the robot is running, which is only a warning, the addresses
// are not tried: it listens on them.
func (p *Plan) CheckFile(ctx context.Context) error {
	release, err := p.claim()
	if err == nil {
		defer release()
		return errors.Join(p.checkProcesses(ctx, nil), p.checkTLS(true), p.checkBus())
	}
	bad := errors.Join(p.checkPrograms(ctx), p.checkTLS(true), p.checkBus())
	p.warnings = append(p.warnings,
		fmt.Sprintf("%v. The addresses were not tried; `waldo reload` takes the file over", err))
	return bad
}

// CheckUnits is Check for a plan that units of systemd will run. Those of running, if it is not nil, have its
// addresses.
func (p *Plan) CheckUnits(ctx context.Context, running *Plan) error { return p.check(ctx, running) }

// CheckImage is Check for a plan of a system that does not run yet. No addresses are tried: they are those of the
// machine on which it is made.
func (p *Plan) CheckImage(ctx context.Context) error {
	return errors.Join(p.checkPrograms(ctx), p.checkTLS(false))
}

// check is Check for a plan that replaces a running one, if there is one, whose addresses are not in the way.
func (p *Plan) check(ctx context.Context, running *Plan) error {
	return errors.Join(p.checkProcesses(ctx, running), p.checkTLS(false))
}

// checkProcesses checks the configuration of the processes, and their addresses.
func (p *Plan) checkProcesses(ctx context.Context, running *Plan) error {
	return errors.Join(append([]error{p.checkPrograms(ctx)}, p.checkAddresses(running)...)...)
}

// CheckPrograms is Check without the addresses.
func (p *Plan) CheckPrograms(ctx context.Context) error { return p.checkPrograms(ctx) }

// checkPrograms has all programs check their configuration.
func (p *Plan) checkPrograms(ctx context.Context) error {
	errs, warnings := make([]error, len(p.processes)), make([][]string, len(p.processes))
	var checks sync.WaitGroup
	for i, process := range p.processes {
		checks.Go(func() { warnings[i], errs[i] = checkProcess(ctx, process, p.config.Root) })
	}
	checks.Wait()
	p.warnings = slices.Concat(warnings...)
	return errors.Join(append(once(errs), p.checkFlags(), p.checkFleet())...)
}

// once leaves out lines that another program has printed already: several read the section `drive:`.
func once(errs []error) (kept []error) {
	said := map[string]bool{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var lines []string
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimRight(line, "\n"); !said[line] {
				said[line] = true
				lines = append(lines, line)
			}
		}
		switch text := strings.Join(lines, "\n"); text {
		case "":
		case err.Error():
			kept = append(kept, err)
		default:
			kept = append(kept, errors.New(text))
		}
	}
	return kept
}

// checkFlags checks the values from the command line that no program checks under the flag's name.
func (p *Plan) checkFlags() error {
	if p.config.NATS == "" {
		return nil
	}
	if err := access.CheckBusURL(p.config.NATS); err != nil {
		return fmt.Errorf("--nats: %w", err)
	}
	return nil
}

// checkProcess runs a program with --check. Its exit code tells whether all is well; its output lists
// the errors. root is that of another system, which may be for another processor: its programs cannot check then.
func checkProcess(ctx context.Context, p supervise.Process, root string) (warnings []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, append(p.Args[:len(p.Args):len(p.Args)], "--check")...)
	cmd.Env = append(os.Environ(), p.Env...)
	if root != "" {
		cmd.Path, cmd.Dir = strings.TrimPrefix(p.Path, root), "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	if p.Input != nil {
		input, err := supervise.InputFile(p.Input)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		defer func() { _ = input.Close() }() // only read
		cmd.ExtraFiles = []*os.File{input}
	}
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	// The heading of the list is written by waldo.
	_, said, headed := strings.Cut(out.String(), "the configuration is wrong:\n")
	if !headed {
		said = out.String()
	}
	switch said = strings.TrimSpace(said); {
	case err == nil:
		return settings.ReadWarnings(out.String()), nil
	case root != "" && cmd.ProcessState == nil:
		return []string{fmt.Sprintf("%s: not checked: %s cannot run here: %v", p.Name, p.Path, err)}, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %s --check did not end: %w", p.Name, p.Path, ctx.Err())
	case said == "":
		return nil, fmt.Errorf("%s: %s --check: %w", p.Name, p.Path, err)
	default:
		return nil, errors.New(said)
	}
}

// checkAddresses tries all addresses that the processes will listen on.
func (p *Plan) checkAddresses(running *Plan) []error {
	var errs []error
	own := running.addresses()
	for i := range p.robot.Devices {
		d := &p.robot.Devices[i]
		errs = append(errs, d.Locate(p.checkAddress(own, "grpc", d.GRPC,
			"stop the other program, or give the device another address with `grpc:`")))
	}
	if !p.config.NoGateway {
		errs = append(errs, p.checkGatewayAddresses(own)...)
	}
	if p.natsURL() == "" && running == nil {
		if err := p.checkAddress(own, "nats.listen", p.natsListen(), "use that NATS server with --nats nats://"+
			p.natsListen()+
			", or choose another address with `nats: {listen: …}`"); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.robot.File, err))
		}
	}
	return errs
}

// checkGatewayAddresses tries those of the gateway.
func (p *Plan) checkGatewayAddresses(own []string) []error {
	return []error{
		p.gateway.Locate(p.checkAddress(own, "http", p.http(),
			"stop the other program, or choose another address, like --http 127.0.0.1:8081 or `gateway: {http: …}`")),
		p.gateway.Locate(p.checkAddress(own, "ice", p.ice(),
			"stop the other program, or choose another address with `gateway: {ice: …}`")),
	}
}

// addresses lists where the processes listen.
func (p *Plan) addresses() []string {
	if p == nil {
		return nil
	}
	var list []string
	add := func(configured string) {
		if address, _, err := p.authority().Address(configured); err == nil {
			list = append(list, address)
		}
	}
	for i := range p.robot.Devices {
		add(p.robot.Devices[i].GRPC)
	}
	if !p.config.NoGateway {
		add(p.http())
		add(p.ice())
	}
	return list
}

// checkAddress returns an error that names the field if nothing can listen on its address, unless the
// running robot does.
func (p *Plan) checkAddress(own []string, field, address, remedy string) error {
	address, _, err := p.authority().Address(address)
	if err != nil || slices.ContainsFunc(own, func(o string) bool { return samePort(o, address) }) {
		return nil // the program itself reports a bad address, or one that another program has beside the robot
	}
	switch err := tryListen(address); {
	case err == nil:
		return nil
	case errors.Is(err, ErrAddressInUse):
		return robot.BadField(field, "%s is in use (%w): %s", address, ErrAddressInUse, remedy)
	default:
		return robot.BadField(field, "cannot listen there: %w", err)
	}
}

// samePort tells whether a server at one address can be in the way of the other.
func samePort(a, b string) bool {
	_, portA, errA := net.SplitHostPort(a)
	_, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && portA != "0"
}

func tryListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
