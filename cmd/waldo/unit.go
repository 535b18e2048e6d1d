package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	launcherv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/launcher/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// defaultBus is where commands look for a robot unless they are told.
const defaultBus = "nats://127.0.0.1:4222"

// unitRobot is a robot that runs as units of systemd on this machine, in the place of a launcher.
type unitRobot struct {
	robot   *robot.Robot
	control *units.Control
}

// units returns the robot on this machine that runs as units; nil if there is none, or another one is asked for.
func (r *remote) units() *unitRobot {
	installed := units.Installed()
	if installed == nil || r.Robot != "" && r.Robot != installed.Name {
		return nil
	}
	if url, _ := installed.NATS.Client(); r.NATS != defaultBus && r.NATS != url {
		return nil
	}
	return &unitRobot{installed, &units.Control{}}
}

// ownToken is the secret of the robot on this machine, for who may read its file: root.
func (r *remote) ownToken() string {
	if r.units() == nil {
		return ""
	}
	token, _ := access.Token("", units.TokenFile, os.Getenv) // without it the bus says what is missing
	return token
}

// restart restarts a unit.
func (u *unitRobot) restart(ctx context.Context, name string, c console) error {
	if names := u.control.Names(); !slices.Contains(names, name) {
		return fmt.Errorf("robot %s has no unit for %q; it has: %s", u.robot.Name, name, strings.Join(names, ", "))
	}
	if err := u.control.Restart(ctx, name); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.err, "%s/%s restarted\n", u.robot.Name, name)
	return nil
}

// reload takes over the robot's file as it is now.
func (u *unitRobot) reload(ctx context.Context, c console) error {
	to, err := newInstallation("")
	if err != nil {
		return err
	}
	return apply(ctx, to, units.RobotFile, true, c)
}

// planned lists what the units should be running. The states that systemd cannot tell are left out.
func (u *unitRobot) planned(ctx context.Context) (list []planned) {
	all, err := u.control.List(ctx, u.control.Names())
	if err != nil {
		return nil // what is on the bus is listed all the same
	}
	for _, s := range all {
		if s.Name == "bus" {
			continue
		}
		p := &launcherv1.Process{Name: s.Name, Pid: int32(s.PID), Reason: s.Reason}
		if d, err := u.robot.Device(s.Name); err == nil {
			p.Kind, p.Actuator = d.Kind, d.Has("control")
		}
		list = append(list, planned{u.robot.Name, p})
	}
	return list
}
