package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
)

type upgradeCommand struct {
	busFlags `embed:""`
	Robot    string        `env:"WALDO_ROBOT" placeholder:"NAME" help:"Only this robot."`
	Timeout  time.Duration `default:"1m" help:"How long to wait for each process, at most 1m. Default: ${default}."`
	Force    bool          `help:"Upgrade what is being driven, too: it stops, and the lease is lost."`
	Check    bool          `help:"Only tell what a restart would disturb now; the exit code is 1 if there is anything."`
	Device   string        `arg:"" optional:"" help:"Name of the device, for example front, or demo/front; or gateway. Default: all, one after the other."`
}

// Help explains the command.
func (*upgradeCommand) Help() string {
	return `For each device another process is started, of the program as it is installed now. It gets ready beside the
present one and takes over at a picture, so nobody who watches misses one, and the connection stays. Hardware that can be
open only once (V4L2 cameras, boards, sound cards) is closed and opened again at once. If the new process does not get
ready, the present one goes on, and the command tells why. gRPC calls end; clients find the new process at the same
address.

What is being driven is not upgraded: wait, or use --force. The gateway comes last, and is restarted, unless a device of
the robot is being driven: pages reconnect.
The bus is left alone; asked for by name, it is restarted with --force only, as everything on it is cut off meanwhile.

  waldo upgrade                    # everything
  waldo upgrade --check motors     # may it be restarted now?`
}

// Run upgrades a device, or all.
func (u *upgradeCommand) Run(ctx context.Context, c console) error {
	if name, device, ok := strings.Cut(u.Device, "/"); ok {
		u.Robot, u.Device = name, device
	}
	to := remote{busFlags: u.busFlags, Robot: u.Robot, Timeout: u.Timeout}
	return to.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		if u.Check {
			return u.check(ctx, conn, c.plain(), to)
		}
		return u.upgrade(ctx, conn, c.plain(), to)
	})
}

// upgrade has the launcher upgrade one process after the other.
func (u *upgradeCommand) upgrade(ctx context.Context, conn *bus.Conn, c console, to remote) error {
	robot, by, err := u.by(ctx, conn, to)
	if err != nil {
		return err
	}
	return u.each(ctx, conn, c, &to, robot, by)
}

// each upgrades one process, or all of a robot.
func (u *upgradeCommand) each(
	ctx context.Context, conn *bus.Conn, c console, to *remote, robot string, by upgrader,
) (err error) {
	names := []string{u.Device}
	if u.Device == "" {
		if names, err = u.all(ctx, by); err != nil {
			return err
		}
	}
	var failed []error
	for _, name := range names {
		begin := time.Now()
		done, err := u.one(ctx, by, name, func(ctx context.Context) error { return to.undriven(ctx, conn, robot) })
		if err != nil {
			failed = append(failed, fmt.Errorf("%s/%s was not upgraded: %s", robot, name, status.Convert(err).Message()))
			continue
		}
		_, _ = fmt.Fprintf(c.err, "%s/%s %s in %.1f s\n", robot, name, done, time.Since(begin).Seconds())
	}
	return errors.Join(failed...)
}

// busName is the name of the bus in the place of a device's.
const busName = "bus"

// upgrader is what keeps the processes of a robot running.
type upgrader interface {
	// names lists them, the gateway last.
	names(ctx context.Context) ([]string, error)
	// upgrade replaces one, and says how.
	upgrade(ctx context.Context, name string, force bool) (done string, err error)
}

// by returns what runs the robot: the units of this machine, or a launcher.
func (u *upgradeCommand) by(ctx context.Context, conn *bus.Conn, to remote) (robot string, by upgrader, err error) {
	if units := to.units(); units != nil {
		return units.robot.Name, unitUpgrader{units, conn}, nil
	}
	a, launcher, err := to.launcher(ctx, conn)
	return a.Robot, launcherUpgrader{launcher}, err
}

func (u *upgradeCommand) all(ctx context.Context, by upgrader) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	return by.names(ctx)
}

// one upgrades one process. The gateway cannot tell itself whether somebody drives through it; undriven does.
func (u *upgradeCommand) one(
	ctx context.Context, by upgrader, name string, undriven func(context.Context) error,
) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	if name == gateway && !u.Force {
		if err := undriven(ctx); err != nil {
			return "", err
		}
	}
	return by.upgrade(ctx, name, u.Force)
}

// undriven returns an error that names the devices of a robot that somebody drives. One that cannot be asked, as it has
// crashed or is of an old version, is not driven or does not tell; others that do not answer may be driven.
func (r *remote) undriven(ctx context.Context, conn *bus.Conn, robot string) error {
	devices, err := r.devices(ctx, conn)
	if err != nil {
		return err
	}
	var driven []string
	for _, d := range devices {
		if d.GetRobot() != robot {
			continue
		}
		a := bus.Address{Robot: robot, Device: d.GetName()}
		obstacles, err := restartObstacles(ctx, conn, a)
		switch code := status.Code(err); {
		case code == codes.Unimplemented || code == codes.Unavailable || code == codes.NotFound:
		case err != nil:
			driven = append(driven, fmt.Sprintf("%s does not tell whether it is driven (%s)", a, status.Convert(err).Message()))
		default:
			driven = append(driven, leases(a, obstacles)...)
		}
	}
	if len(driven) == 0 {
		return nil
	}
	return errors.New(strings.Join(driven, "; ") + ": who drives through it would lose the connection; wait until " +
		"nobody drives, or use --force")
}

// restartObstacles asks a device what a restart would disturb.
func restartObstacles(ctx context.Context, conn *bus.Conn, a bus.Address) ([]*devicev1.RestartObstacle, error) {
	r, err := devicev1.NewDeviceServiceClient(conn.Client(a)).GetRestartSafety(ctx, &devicev1.GetRestartSafetyRequest{})
	return r.GetObstacles(), err
}

// leases are the obstacles that say that a device is driven.
func leases(a bus.Address, obstacles []*devicev1.RestartObstacle) (texts []string) {
	for _, o := range obstacles {
		if o.GetKind() == devicev1.RestartObstacleKind_RESTART_OBSTACLE_KIND_LEASE {
			texts = append(texts, fmt.Sprintf("%s: %s", a, o.GetText()))
		}
	}
	return texts
}

// launcherUpgrader is `waldo up`.
type launcherUpgrader struct {
	launcher launcherv1.LauncherServiceClient
}

func (l launcherUpgrader) names(ctx context.Context) (names []string, err error) {
	list, err := l.launcher.ListProcesses(ctx, &launcherv1.ListProcessesRequest{})
	if err != nil {
		return nil, errors.New(status.Convert(err).Message())
	}
	var last []string
	for _, p := range list.GetProcesses() {
		switch {
		case p.GetState() == launcherv1.ProcessState_PROCESS_STATE_ENDED: // on purpose
		case p.GetKind() == "gateway":
			last = append(last, p.GetName())
		default:
			names = append(names, p.GetName())
		}
	}
	return append(names, last...), nil
}

func (l launcherUpgrader) upgrade(ctx context.Context, name string, force bool) (string, error) {
	r, err := l.launcher.UpgradeProcess(ctx, &launcherv1.UpgradeProcessRequest{Name: name, Force: force})
	if name == busName && status.Code(err) == codes.NotFound {
		return "", errors.New("the bus is not a process of its own: it is part of `waldo up`, or the NATS server that " +
			"nats.url names. To replace `waldo up`, stop it and start it again when nobody drives: all devices restart with it")
	}
	if r.GetRestarted() {
		return "restarted", err
	}
	return "upgraded", err
}

// check prints what a restart would disturb.
func (u *upgradeCommand) check(ctx context.Context, conn *bus.Conn, c console, to remote) error {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	devices, err := to.devices(ctx, conn)
	if err != nil {
		return err
	}
	known, disturbed := false, 0
	for _, d := range devices {
		if u.Device != "" && u.Device != d.GetName() {
			continue
		}
		known = true
		a := bus.Address{Robot: d.GetRobot(), Device: d.GetName()}
		obstacles, err := restartObstacles(ctx, conn, a)
		if err != nil {
			return fmt.Errorf("%s: %s", a, status.Convert(err).Message())
		}
		for _, o := range obstacles {
			disturbed++
			_, _ = fmt.Fprintf(c.out, "%s: %s\n", a, o.GetText())
		}
	}
	switch {
	case !known:
		return fmt.Errorf("no device %q is on the bus", u.Device)
	case disturbed > 0:
		return errors.New("a restart would disturb this")
	}
	return nil
}
