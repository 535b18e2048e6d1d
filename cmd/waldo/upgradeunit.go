package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/stream"
)

// unitUpgrader is systemd on this machine. A device starts its successor itself when its unit is reloaded, and tells on
// the bus what becomes of it.
type unitUpgrader struct {
	*unitRobot
	conn *bus.Conn
}

// names leaves out the bus, without which nobody sees anything: it is restarted by hand.
func (u unitUpgrader) names(context.Context) (names []string, _ error) {
	for _, d := range u.robot.Devices {
		names = append(names, d.Name)
	}
	if slices.Contains(u.control.Names(), "gateway") {
		names = append(names, "gateway")
	}
	return names, nil
}

func (u unitUpgrader) upgrade(ctx context.Context, name string, force bool) (string, error) {
	isDevice := slices.ContainsFunc(u.robot.Devices, func(d robot.Device) bool { return d.Name == name })
	switch {
	case !isDevice && !slices.Contains(u.control.Names(), name):
		return "", fmt.Errorf("robot %s has no unit for %q; it has: %s", u.robot.Name, name,
			strings.Join(u.control.Names(), ", "))
	case name == busName && !force:
		return "", errors.New("the bus cannot hand over: a restart takes it from all devices and pages for about a second, " +
			"and what is driven stops; when nobody drives, use --force, or waldo restart bus")
	case !isDevice || force:
		return "restarted", u.control.Restart(ctx, name)
	}
	return "upgraded", u.handOver(ctx, bus.Address{Robot: u.robot.Name, Device: name})
}

// handOver returns when another process has taken over from the present one, or with the reason why it goes on.
func (u unitUpgrader) handOver(ctx context.Context, a bus.Address) error {
	states, err := bus.Subscribe[*devicev1.Device](u.conn, a.State(), stream.DropOldest(100))
	if err != nil {
		return err
	}
	defer states.Close()
	r, err := devicev1.NewDeviceServiceClient(u.conn.Client(a)).GetDevice(ctx, &devicev1.GetDeviceRequest{})
	if err != nil {
		return err
	}
	const ready = devicev1.DeviceState_DEVICE_STATE_READY
	before := r.GetDevice()
	if err := u.control.HandOver(ctx, a.Device); err != nil {
		return err
	}
	for {
		d, err := states.Next(ctx)
		if err != nil {
			return fmt.Errorf("%w: it has not told what became of it; journalctl -u waldo-device@%s does", err, a.Device)
		}
		failed := d.GetAttributes()[device.UpgradeAttribute]
		switch {
		case failed != "" && failed != before.GetAttributes()[device.UpgradeAttribute]:
			return errors.New(failed)
		case d.GetPid() != before.GetPid() && (d.GetState() == ready || before.GetState() != ready):
			return u.known(ctx, a.Device, int(d.GetPid()))
		}
	}
}

// known returns when systemd takes a process for the main one of a device's unit. The present one says so when it knows
// that the other one serves, which is a moment after that one has said it on the bus.
func (u unitUpgrader) known(ctx context.Context, name string, pid int) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		list, err := u.control.List(ctx, []string{name})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(s units.Status) bool { return s.PID == pid }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d has taken over, but is not the main process of its unit: "+
				"see systemctl status %s", pid, "waldo-device@"+name)
		case <-again.C:
		}
	}
}
