package uplink

import (
	"errors"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Config holds the keys of an uplink in robot.yaml. Which hub it sends to is in the section `fleet:`.
type Config struct {
	MaxAge time.Duration `yaml:"maxAge" help:"how long a picture may wait for the link; later ones go on with a key frame; 100ms to 5s"`

	hub   robot.Fleet
	robot string
}

// Bounds of MaxAge.
const (
	leastAge = 100 * time.Millisecond
	mostAge  = 5 * time.Second
)

// Defaults is the default configuration.
func Defaults() Config { return Config{MaxAge: 300 * time.Millisecond} }

// Validate checks the keys.
func (c *Config) Validate() error {
	if c.MaxAge < leastAge || c.MaxAge > mostAge {
		return robot.BadField("maxAge", "%v is out of range: use %v to %v", c.MaxAge, leastAge, mostAge)
	}
	return nil
}

// errNoHub is about a robot that is in no fleet.
var errNoHub = errors.New("robot.yaml has no section `fleet:`, so there is no hub to send to: add for example " +
	"fleet: {hub: \"tls://hub.example.org\", key: hub.seed}")

// OfRobot implements [device.OfRobot].
func (c *Config) OfRobot(r *robot.Robot, _ string) error {
	if !r.Fleet.Given() {
		return errNoHub
	}
	c.hub, c.robot = r.Fleet, r.Name
	return nil
}
