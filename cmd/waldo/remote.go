package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
)

// busFlags say where the bus of a robot is, and how to be let in.
type busFlags struct {
	NATS        string `name:"nats" env:"WALDO_NATS" default:"nats://127.0.0.1:4222" placeholder:"URL" help:"The bus. Default: ${default}."`
	secretFlags `embed:""`
	CA          string `env:"WALDO_CA" placeholder:"FILE" help:"Authority of the bus's certificate, as waldo trust prints it, for tls:// in --nats. Default: those of the system."`
}

// remote holds the flags of commands that talk to a robot.
type remote struct {
	busFlags `embed:""`
	Robot    string        `env:"WALDO_ROBOT" placeholder:"NAME" help:"Only this robot's devices."`
	Timeout  time.Duration `default:"5s" help:"How long to wait for an answer. Default: ${default}."`
}

// session calls f with a connection to the bus, and with a context that bounds all of its work.
func (r *remote) session(ctx context.Context, f func(context.Context, *bus.Conn) error) error {
	return r.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		ctx, cancel := context.WithTimeout(ctx, r.Timeout)
		defer cancel()
		return f(ctx, conn)
	})
}

// attach calls f with a connection to the bus, without a time limit. On a robot that runs as units its bus is the
// default.
func (r *remote) attach(ctx context.Context, f func(context.Context, *bus.Conn) error) error {
	if installed := units.Installed(); installed != nil && r.NATS == defaultBus {
		if url, _ := installed.NATS.Client(); url != "" {
			r.NATS = url
		}
	}
	token := r.Token
	if token == "" {
		token = r.ownToken()
	}
	conn, err := bus.Connect(bus.Config{URL: r.NATS, Name: "waldo", Token: token, CA: r.CA})
	if err != nil {
		return configurationError{fmt.Errorf("--nats: %w", err)}
	}
	defer conn.Close()
	connected := make(chan struct{}, 1)
	defer conn.OnConnect(func() {
		select {
		case connected <- struct{}{}:
		default:
		}
	})()
	if !conn.Connected() {
		select {
		case <-connected:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.Timeout):
			return fmt.Errorf("no bus at %s after %s%s", access.RedactURL(r.NATS), r.Timeout, why(conn.Trouble()))
		}
	}
	return f(ctx, conn.Conn)
}

// why continues a sentence with a trouble, if there is one, and with what to do.
func why(trouble string) string {
	remedy := ": is `waldo up` running? Give its address with --nats, and its secret with --token-file"
	switch {
	case trouble == "":
		return remedy
	case strings.Contains(trouble, "expected 'PONG'"):
		remedy = ": it may want TLS, as a robot with `tls:` does from another machine: --nats tls://…, and --ca with what " +
			"waldo trust prints"
	case strings.Contains(trouble, "x509:"):
		remedy = ": its certificate is not trusted: name its authority with --ca, as waldo trust prints it"
	case strings.Contains(strings.ToLower(trouble), "authorization violation"):
		remedy = ": it does not take the token: give one that is good with --token-file or WALDO_TOKEN. From another " +
			"machine a robot with `tls:` wants TLS too: --nats tls://…, and --ca with what waldo trust prints"
	}
	return " (" + trouble + ")" + remedy
}

// devices returns the devices of the chosen robot, or of all.
func (r *remote) devices(ctx context.Context, conn *bus.Conn) ([]*devicev1.Device, error) {
	devices, err := conn.Devices(ctx)
	if err != nil {
		return nil, err
	}
	return r.chosen(devices), nil
}

// chosen are the devices of the chosen robot.
func (r *remote) chosen(devices []*devicev1.Device) []*devicev1.Device {
	return slices.DeleteFunc(devices, func(d *devicev1.Device) bool { return r.Robot != "" && d.GetRobot() != r.Robot })
}

// askAgain is the pause before devices are asked again.
const askAgain = 250 * time.Millisecond

// answering returns devices as devices does. While none of any robot has answered, as on a busy machine, it asks again,
// for half of the timeout: the rest is for what is asked of them. An e-stop must not wait for that.
func (r *remote) answering(ctx context.Context, conn *bus.Conn) ([]*devicev1.Device, error) {
	all := *r
	all.Robot = ""
	for begin := time.Now(); ; {
		devices, err := all.devices(ctx, conn)
		if err != nil {
			return nil, err
		}
		if len(devices) > 0 || time.Since(begin) >= r.Timeout/2 {
			return r.chosen(devices), nil
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// within says for how long answers were waited for.
func within(begin time.Time) string {
	return fmt.Sprintf("within %s", time.Since(begin).Round(100*time.Millisecond))
}

// find returns the address of a device by its name, `front` or `demo/front`.
func (r *remote) find(ctx context.Context, conn *bus.Conn, name string) (bus.Address, error) {
	begin := time.Now()
	devices, err := r.answering(ctx, conn)
	if err != nil {
		return bus.Address{}, err
	}
	var matches, all []string
	var found bus.Address
	for _, d := range devices {
		a := bus.Address{Robot: d.GetRobot(), Device: d.GetName()}
		all = append(all, a.String())
		if name == a.Device || name == a.String() {
			matches, found = append(matches, a.String()), a
		}
	}
	switch {
	case len(matches) == 1:
		return found, nil
	case len(matches) > 1:
		return found, fmt.Errorf("several robots have a device %q: choose one with --robot (%s)", name,
			strings.Join(matches, ", "))
	case len(all) == 0 && r.Robot != "":
		return found, fmt.Errorf("device %q: no device of a robot %q has answered %s: is it running?", name, r.Robot,
			within(begin))
	case len(all) == 0:
		return found, fmt.Errorf("device %q: no device has answered %s: is `waldo up` running?", name, within(begin))
	default:
		return found, fmt.Errorf("there is no device %q on the bus; there are: %s", name, strings.Join(all, ", "))
	}
}
