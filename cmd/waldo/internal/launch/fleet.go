package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	devicev1 "github.com/waldo-robot/waldo/api/gen/go/waldo/device/v1"
	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/bus/keys"
	"github.com/waldo-robot/waldo/pkg/certs"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/presence"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/version"
)

// uplinkKind is the kind of device that sends to the hub what devices stream.
const uplinkKind = "uplink"

// Leaf describes the connection of a robot's bus to its hub; nil if it has none.
func Leaf(r *robot.Robot, log *slog.Logger) (*embedded.Leaf, error) {
	if !r.Fleet.Given() {
		return nil, nil
	}
	file, err := r.Fleet.KeyFile(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.File, err)
	}
	seed, err := keys.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: fleet.key: there is no file %s: `waldo hub key` makes one, and prints what the hub has "+
			"to know", r.File, file)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: fleet.key: %w", r.File, err)
	}
	trusted, err := certs.Client(r.Fleet.CA)
	if err != nil {
		return nil, fmt.Errorf("%s: fleet.ca: %w", r.File, err)
	}
	leaf := &embedded.Leaf{URL: r.Fleet.Hub, Robot: r.Name, Seed: seed, TLS: trusted, Log: log}
	if err := leaf.Validate(); err != nil {
		return nil, fmt.Errorf("%s: fleet: %w", r.File, err)
	}
	return leaf, nil
}

// Announce tells the hub about the robot, if it has one, until the returned function is called.
func Announce(conn *bus.Conn, r *robot.Robot, log *slog.Logger) (*Announcement, error) {
	if !r.Fleet.Given() {
		return nil, nil
	}
	devices, how, err := announced(r)
	if err != nil {
		return nil, err
	}
	a, err := presence.Announce(conn, presence.AnnouncerConfig{
		Robot: r.Name, Version: version.Version, Expected: devices, Drive: how, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &Announcement{a}, nil
}

// Announcement is what a hub is told about a robot. Nil is that of a robot without a hub.
type Announcement struct{ announcer *presence.Announcer }

// Change tells of a robot.yaml that has changed.
func (a *Announcement) Change(r *robot.Robot) {
	if a == nil {
		return
	}
	if devices, how, err := announced(r); err == nil { // the file has been checked
		a.announcer.Change(devices, how)
	}
}

// Close says goodbye.
func (a *Announcement) Close() {
	if a != nil {
		a.announcer.Close()
	}
}

// announced is what a robot.yaml says for gateways at the hub.
func announced(r *robot.Robot) ([]*devicev1.Device, *signalingv1.Drive, error) {
	how, err := drive.Read(r, (*robot.Section).Decode)
	if err != nil {
		return nil, nil, err
	}
	devices := make([]*devicev1.Device, len(r.Devices))
	for i, d := range r.Devices {
		devices[i] = &devicev1.Device{Robot: r.Name, Name: d.Name, Kind: d.Kind}
	}
	return devices, how.Message(), nil
}

// checkFleet finds out whether the robot can connect to its hub, as far as this machine knows. A key that is not named
// may come as a credential of systemd when the robot runs.
func (p *Plan) checkFleet() error {
	fleet := &p.robot.Fleet
	if !fleet.Given() {
		return nil
	}
	if !p.has(uplinkKind) {
		p.warnings = append(p.warnings, fmt.Sprintf("%s: fleet: pictures and sound do not reach the hub, since no device is "+
			"of the kind %s: add `%s: {kind: %s}` under devices", p.robot.File, uplinkKind, uplinkKind, uplinkKind))
	}
	if fleet.Key == "" {
		return nil
	}
	_, err := Leaf(p.robot, nil)
	return err
}

// has reports whether the robot has a device of a kind.
func (p *Plan) has(kind string) bool {
	for i := range p.robot.Devices {
		if p.robot.Devices[i].Kind == kind {
			return true
		}
	}
	return false
}
