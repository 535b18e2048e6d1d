package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	controlv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/control/v1"
	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
)

// stateType is the message type of the stream that marks a device as an actuator.
var stateType = string((&controlv1.ControlState{}).ProtoReflect().Descriptor().FullName())

type estopCommand struct {
	remote `embed:""`
	Reason string `placeholder:"TEXT" help:"Reason, for others to read."`
	Clear  bool   `help:"Clear the e-stop. This moves nothing: drivers have to start over."`
	Key    string `env:"WALDO_OVERRIDE_KEY" placeholder:"SECRET" help:"Override key, if one is configured, for --clear."`
}

// Help explains the command.
func (*estopCommand) Help() string {
	return `It stops all actuators on the bus at once, or those of the robot given with --robot. They stay stopped,
even through restarts, until the e-stop is cleared. The command exits with code 1 if an actuator did not answer, and
with code 74 if one has stopped but could not store the e-stop, so that a restart would lose it; the others are
stopped in any case.`
}

// errNotKept means that an e-stop is in force, but would not survive a restart.
var errNotKept = errors.New("it has stopped, but the e-stop could not be stored and a restart would lose it: " +
	"see its log; free disk space or fix the folder of control.state, then clear the e-stop and press it again")

// Run presses the e-stop, or clears it.
func (e *estopCommand) Run(ctx context.Context, c console) error {
	c = c.plain()
	return e.attach(ctx, func(ctx context.Context, conn *bus.Conn) error {
		actuators, err := e.actuators(ctx, conn)
		if err != nil {
			return err
		}
		act, done := e.press, "stopped"
		if e.Clear {
			act, done = e.clear, "cleared"
		}
		errs := e.each(ctx, conn, actuators, act)
		for i, a := range actuators { // printed when all is done: a blocked output must not hold up a stop
			if errs[i] == nil {
				_, _ = fmt.Fprintf(c.err, "%s %s\n", a, done)
			}
		}
		return errors.Join(errs...)
	})
}

// each acts on all actuators at the same time, so that one that does not answer delays no other.
func (e *estopCommand) each(
	ctx context.Context, conn *bus.Conn, actuators []target,
	act func(context.Context, controlv1.ControlServiceClient) error,
) []error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	errs := make([]error, len(actuators))
	var calls sync.WaitGroup
	for i, a := range actuators {
		if e.Clear && a.recording != "" { // its state may have no e-stop, so that nothing is left to ask for
			errs[i] = fmt.Errorf("%s is replayed from %s: nothing can be cleared", a, a.recording)
			continue
		}
		calls.Go(func() {
			if err := act(ctx, controlv1.NewControlServiceClient(conn.Client(a.Address))); err != nil {
				errs[i] = plainError(a.Address, err)
			}
		})
	}
	calls.Wait()
	return errs
}

// target is an actuator to act on.
type target struct {
	bus.Address
	recording string // from which it is replayed; empty: it is no replay
}

// actuators returns the actuators to act on.
func (e *estopCommand) actuators(ctx context.Context, conn *bus.Conn) ([]target, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	var plan []planned
	var asking sync.WaitGroup
	asking.Go(func() { plan, _ = e.planned(ctx, conn) }) // without it the devices are still found
	devices, err := e.devices(ctx, conn)
	asking.Wait()
	if err != nil {
		return nil, err
	}
	var found []target
	robots := map[string]bool{}
	for _, d := range devices {
		if slices.ContainsFunc(d.GetStreams(), func(s *devicev1.StreamInfo) bool { return s.GetMessageType() == stateType }) {
			found = append(found, target{bus.Address{Robot: d.GetRobot(), Device: d.GetName()},
				d.GetAttributes()[device.ReplayAttribute]})
			robots[d.GetRobot()] = true
		}
	}
	for _, p := range plan { // one that hangs, or is not running, must be reported too
		a := bus.Address{Robot: p.robot, Device: p.GetName()}
		if p.GetActuator() && !slices.ContainsFunc(found, func(f target) bool { return f.Address == a }) {
			found, robots[p.robot] = append(found, target{Address: a}), true
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("there is no actuator on %s", access.RedactURL(e.NATS))
	case e.Clear && len(robots) > 1:
		return nil, errors.New("there are several robots: name the one whose e-stop to clear with --robot")
	}
	return found, nil
}

func (e *estopCommand) press(ctx context.Context, client controlv1.ControlServiceClient) error {
	r, err := client.EStop(ctx, &controlv1.EStopRequest{By: by("waldo estop"), Reason: strings.ToValidUTF8(e.Reason, "�")})
	if err != nil {
		return err
	}
	// No e-stop: somebody has cleared it already, so there is nothing left to store.
	if stop := r.GetState().GetEStop(); stop != nil && !stop.GetPersisted() {
		return errNotKept
	}
	return nil
}

func (e *estopCommand) clear(ctx context.Context, client controlv1.ControlServiceClient) error {
	r, err := client.GetControl(ctx, &controlv1.GetControlRequest{})
	if err != nil || r.GetState().GetEStop() == nil {
		return err
	}
	_, err = client.ClearEStop(ctx, &controlv1.ClearEStopRequest{By: by("waldo estop"), Key: e.Key,
		Id: r.GetState().GetEStop().GetId()})
	return err
}

// by names a command at the terminal.
func by(command string) string {
	if host, err := os.Hostname(); err == nil {
		return command + " on " + host
	}
	return command
}
