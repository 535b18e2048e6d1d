package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/bus"
)

type restartCommand struct {
	remote `embed:""`
	Device string `arg:"" help:"Name of the device, for example front, or demo/front; or gateway."`
}

// Help explains the command.
func (*restartCommand) Help() string {
	return `The process is asked to stop, killed if it is still running 2 s later, and started again with the
configuration that waldo up has read; later changes to robot.yaml take waldo reload. A process that was stopped on
purpose, or whose configuration was invalid, is started too. Devices
that were started one by one are not restarted by waldo.`
}

// Run restarts a process.
func (r *restartCommand) Run(ctx context.Context, c console) error {
	if name, device, ok := strings.Cut(r.Device, "/"); ok {
		r.Robot, r.Device = name, device
	}
	if u := r.units(); u != nil {
		return u.restart(ctx, r.Device, c)
	}
	return r.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		a, launcher, err := r.launcher(ctx, conn)
		if err != nil {
			return err
		}
		if _, err := launcher.RestartProcess(ctx, &launcherv1.RestartProcessRequest{Name: r.Device}); err != nil {
			return errors.New(status.Convert(err).Message())
		}
		_, _ = fmt.Fprintf(c.err, "%s/%s restarted\n", a.Robot, r.Device)
		return nil
	})
}

type reloadCommand struct {
	busFlags `embed:""`
	Robot    string        `env:"WALDO_ROBOT" placeholder:"NAME" help:"Only this robot."`
	Timeout  time.Duration `default:"30s" help:"How long to wait for the check of the file. Default: ${default}."`
}

// Help explains the command.
func (*reloadCommand) Help() string {
	return `waldo up reads its file once. This command makes it read and check the whole file again. If there are
errors, they are printed with their lines, the exit code is 78, and the robot keeps running as before. Otherwise
processes whose configuration has changed are restarted, new devices are started and removed ones are stopped; the
others are unaffected. The robot's name and its bus cannot change while it runs.`
}

// Run reloads the file of a robot.
func (r *reloadCommand) Run(ctx context.Context, c console) error {
	to := remote{busFlags: r.busFlags, Robot: r.Robot, Timeout: r.Timeout}
	if u := to.units(); u != nil {
		return u.reload(ctx, c)
	}
	return to.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		a, launcher, err := to.launcher(ctx, conn)
		if err != nil {
			return err
		}
		changes, err := launcher.Reload(ctx, &launcherv1.ReloadRequest{})
		if err != nil {
			return reloadError(err)
		}
		for _, warning := range changes.GetWarnings() {
			_, _ = fmt.Fprintln(c.err, "warning:", warning)
		}
		launchChanges{changes.GetRestarted(), changes.GetStarted(), changes.GetStopped()}.print(c, a.Robot, true)
		return nil
	})
}

// refusals are the codes of a launcher that has read the file and rejects it.
var refusals = []codes.Code{codes.InvalidArgument, codes.FailedPrecondition}

// reloadError tells an invalid file from a launcher that cannot be reached.
func reloadError(err error) error {
	st := status.Convert(err)
	if slices.Contains(refusals, st.Code()) {
		return configurationError{fmt.Errorf("nothing was changed:\n%s", st.Message())}
	}
	return errors.New(st.Message())
}

// launcher finds the launcher of the chosen robot, or the only launcher.
func (r *remote) launcher(ctx context.Context, conn *bus.Conn) (bus.Address, launcherv1.LauncherServiceClient, error) {
	all, err := r.launchers(ctx, conn)
	switch {
	case err != nil:
		return bus.Address{}, nil, err
	case len(all) == 0:
		return bus.Address{}, nil, errors.New("there is no launcher on the bus: waldo up is not running, or the " +
			"devices were started one by one")
	case len(all) > 1:
		return bus.Address{}, nil, errors.New("there are several robots: choose one with --robot")
	}
	return all[0], launcherv1.NewLauncherServiceClient(conn.Client(all[0])), nil
}

// launchers finds the launchers of the chosen robot, or of all.
func (r *remote) launchers(ctx context.Context, conn *bus.Conn) ([]bus.Address, error) {
	all, err := conn.OfKind(ctx, launch.LauncherKind)
	return slices.DeleteFunc(all, func(a bus.Address) bool { return r.Robot != "" && a.Robot != r.Robot }), err
}

// planned is a process that a launcher keeps running.
type planned struct {
	robot string
	*launcherv1.Process
}

// planned asks all launchers what they keep running. One that does not answer is left out.
func (r *remote) planned(ctx context.Context, conn *bus.Conn) ([]planned, error) {
	all, err := r.launchers(ctx, conn)
	if err != nil {
		return nil, err
	}
	var list []planned
	if u := r.units(); u != nil {
		list = u.planned(ctx)
	}
	for _, a := range all {
		response, err := launcherv1.NewLauncherServiceClient(conn.Client(a)).ListProcesses(ctx,
			&launcherv1.ListProcessesRequest{})
		if err != nil {
			continue
		}
		for _, p := range response.GetProcesses() {
			list = append(list, planned{a.Robot, p})
		}
	}
	return list, nil
}
