package units

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// running is there while systemd runs a machine.
const running = "/run/systemd/system"

// Control is about the units of a robot on this machine.
type Control struct {
	// Systemctl runs systemctl with these arguments and returns what it prints. Default: the program.
	Systemctl func(ctx context.Context, args ...string) (string, error)
	// Root is the folder of the system that has the units; empty: this machine's.
	Root string
}

// Status is the state of a unit.
type Status struct {
	// Name is that of the device, "gateway" or "bus".
	Name string
	// PID is 0 while there is no process.
	PID int
	// Active tells whether the process has said that it is ready.
	Active bool
	// Reason tells, if there is no process that is ready, why; otherwise what the process says of itself.
	Reason string
	// Moving tells that the unit is starting, ending, or between two starts.
	Moving bool
}

// Installed returns the robot whose units are on this machine; nil if there are none, or systemd does not run.
func Installed() *robot.Robot {
	if _, err := os.Stat(running); err != nil {
		return nil
	}
	data, err := os.ReadFile(CheckedFile)
	if err != nil {
		return nil
	}
	r, err := robot.Parse(RobotFile, data)
	if err != nil {
		return nil
	}
	return r
}

// Runs tells whether systemd runs this machine, as long as the installation is the machine's own.
func (i *Installation) Runs() bool {
	_, err := os.Stat(running)
	return err == nil && !i.offline()
}

// Active tells whether the robot runs.
func (c *Control) Active(ctx context.Context) bool {
	_, err := c.systemctl(ctx, "is-active", "--quiet", target)
	return err == nil
}

// Follow makes systemd do what the changes mean: it stops what is gone, and starts and restarts the others.
func (c *Control) Follow(ctx context.Context, changes Changes) error {
	var errs []error
	run := func(args ...string) {
		if _, err := c.systemctl(ctx, args...); err != nil {
			errs = append(errs, err)
		}
	}
	if len(changes.Removed) > 0 {
		run(append([]string{"stop"}, unitNames(changes.Removed)...)...)
	}
	if changes.Rewritten {
		run("daemon-reload")
	}
	if len(changes.Changed) > 0 {
		names := unitNames(changes.Changed)
		run(append([]string{"reset-failed"}, names...)...)
		run(append([]string{"restart"}, names...)...)
	}
	run("start", target)
	return errors.Join(errs...)
}

// Restart restarts a device, "gateway" or "bus", whatever state it is in, and returns when the new process serves.
func (c *Control) Restart(ctx context.Context, name string) error {
	_, err := c.systemctl(ctx, "restart", unitName(name))
	return err
}

// HandOver has a device start another process that takes over from it. It returns at once.
func (c *Control) HandOver(ctx context.Context, name string) error {
	_, err := c.systemctl(ctx, "reload", unitName(name))
	return err
}

// Stop stops the robot and forgets failures.
func (c *Control) Stop(ctx context.Context, names []string) error {
	_, err := c.systemctl(ctx, append([]string{"stop", target}, unitNames(names)...)...)
	return err
}

// Reload has systemd read the unit files again.
func (c *Control) Reload(ctx context.Context) error {
	_, err := c.systemctl(ctx, "daemon-reload")
	return err
}

// properties are asked of systemd.
var properties = []string{"Id", "MainPID", "ActiveState", "SubState", "Result", "ExecMainStatus", "StatusText"}

// List returns the state of all units of the robot.
func (c *Control) List(ctx context.Context, names []string) ([]Status, error) {
	out, err := c.systemctl(ctx, append([]string{"show", "--property=" + strings.Join(properties, ",")},
		unitNames(names)...)...)
	if err != nil {
		return nil, err
	}
	var list []Status
	for block := range strings.SplitSeq(out, "\n\n") {
		if s, ok := parseStatus(block); ok {
			list = append(list, s)
		}
	}
	return list, nil
}

// lookAgain is how long Settled waits between two looks.
const lookAgain = 200 * time.Millisecond

// Settled is List once all units run or do not: what is just starting has that long to get ready. One that crashes
// again and again is seen as it is at the end.
func (c *Control) Settled(ctx context.Context, names []string, within time.Duration) ([]Status, error) {
	limit := time.After(within)
	for {
		list, err := c.List(ctx, names)
		if err != nil || !slices.ContainsFunc(list, func(s Status) bool { return s.Moving }) {
			return list, err
		}
		select {
		case <-ctx.Done():
			return list, nil
		case <-limit:
			return list, nil
		case <-time.After(lookAgain):
		}
	}
}

// parseStatus reads what `systemctl show` prints of one unit.
func parseStatus(block string) (s Status, ok bool) {
	values := map[string]string{}
	for line := range strings.Lines(block) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		values[key] = value
	}
	if values["Id"] == "" {
		return s, false
	}
	s.Name = nameOf(values["Id"])
	s.PID, _ = strconv.Atoi(values["MainPID"]) // 0 if it is none
	s.Active = values["ActiveState"] == "active"
	s.Moving = values["ActiveState"] == "activating" || values["ActiveState"] == "deactivating"
	switch {
	case s.PID != 0 && (s.Active || values["StatusText"] != ""):
		s.Reason = values["StatusText"]
	case values["Result"] == "exit-code" && values["ExecMainStatus"] == "78":
		s.Reason = fmt.Sprintf("its configuration is wrong: journalctl -u %s tells why", values["Id"])
	case values["Result"] != "" && values["Result"] != "success":
		s.Reason = fmt.Sprintf("its unit is %s (%s): journalctl -u %s tells why", values["SubState"], values["Result"],
			values["Id"])
	case values["ActiveState"] == "activating":
		s.Reason = fmt.Sprintf("it does not get ready: journalctl -u %s tells why", values["Id"])
	default:
		s.Reason = "its unit is " + values["ActiveState"]
	}
	return s, true
}

// Names are what units run, by name.
func (c *Control) Names() []string { return (&Installation{Root: c.Root}).names() }

func (c *Control) systemctl(ctx context.Context, args ...string) (string, error) {
	if c.Systemctl != nil {
		return c.Systemctl(ctx, args...)
	}
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--no-ask-password", "--no-pager"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			return "", fmt.Errorf("systemctl %s: %s", args[0], text)
		}
		return "", fmt.Errorf("systemctl %s: %w", args[0], err)
	}
	return out.String(), nil
}

func unitName(name string) string {
	if name == "gateway" || name == "bus" {
		return "waldo-" + name + ".service"
	}
	return ofDevice(name)
}

func unitNames(names []string) []string {
	units := make([]string, len(names))
	for i, name := range names {
		units[i] = unitName(name)
	}
	slices.Sort(units)
	return units
}
