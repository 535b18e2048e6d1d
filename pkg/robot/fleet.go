package robot

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/pkg/access"
)

// Ports of a hub where its URL names none.
const (
	hubPort   = "7422"
	mediaPort = "4222"
)

// hubKey is the name of the credential of systemd that has the robot's key for the hub.
const hubKey = "hub.seed"

// Names that a robot of a fleet, and its devices, cannot have: gateways speak to all robots under the one, and a robot
// as a whole speaks under the other.
const (
	reservedRobot  = "fleet"
	reservedDevice = "robot"
)

// Fleet says to which hub the robot connects. The zero value means none.
type Fleet struct {
	// Hub is the hub's address for control and state, such as tls://hub.example.org:7422.
	Hub string `yaml:"hub" help:"hub that the robot connects to for control and state, like tls://hub.example.org:7422"`
	// Media is the hub's address for what devices stream.
	Media string `yaml:"media" help:"where pictures and sound go; the same host with port 4222 by default"`
	// Key is the file with the robot's secret key; see KeyFile.
	Key string `yaml:"key" path:"any" help:"file with the robot's secret key, which waldo hub key makes"`
	// CA is the file with the authorities of the hub's certificate.
	CA string `yaml:"ca" path:"any" help:"PEM file of the authority of the hub's certificate; the system's by default"`
}

// Given tells whether the robot connects to a hub.
func (f *Fleet) Given() bool { return *f != Fleet{} }

// Validate checks the addresses and completes them.
func (f *Fleet) Validate() error {
	var errs []error
	if f.Hub == "" {
		errs = append(errs, BadField("hub", "is missing: write the address of the hub, like tls://hub.example.org:7422"))
	} else if at, err := hubAddress(f.Hub, hubPort); err != nil {
		errs = append(errs, BadField("hub", "%w", err))
	} else {
		f.Media = cmp.Or(f.Media, at.Scheme+"://"+net.JoinHostPort(at.Hostname(), mediaPort))
		f.Hub = at.String()
	}
	if f.Media != "" {
		at, err := hubAddress(f.Media, mediaPort)
		if err != nil {
			errs = append(errs, BadField("media", "%w", err))
		} else {
			f.Media = at.String()
		}
	}
	return errors.Join(errs...)
}

// KeyFile returns the file with the robot's key: the credential hub.seed of a unit of systemd, which copies a file that
// only root can read, or else the one that is named.
func (f *Fleet) KeyFile(environ func(string) string) (string, error) {
	if folder := environ("CREDENTIALS_DIRECTORY"); folder != "" {
		path := filepath.Join(folder, hubKey)
		if text, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(text)) != "" {
			return path, nil
		}
	}
	if f.Key == "" {
		return "", errors.New("fleet.key: is missing: `waldo hub key hub.seed` makes a key, and prints what the hub has to " +
			"know")
	}
	return f.Key, nil
}

// hubAddress reads one address of a hub. What proves who the robot is stands in the key file, not in the address.
func hubAddress(text, port string) (*url.URL, error) {
	bad := errors.New("is not the address of a hub: write tls://hub.example.org:7422, or nats:// without encryption")
	if access.CheckBusURL(text) != nil {
		return nil, bad
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Scheme != "tls" && u.Scheme != "nats" {
		return nil, bad
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}
