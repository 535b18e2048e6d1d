package actuator

import (
	"cmp"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/text"
)

// Config holds the keys of the section `control:` that all actuators have; a kind of device inlines it into its own
// section. The zero value works.
type Config struct {
	// Deadman is how long no command may come before the hardware is made to stand still; 0: [control.DefaultDeadman].
	Deadman time.Duration `yaml:"deadman" help:"how long no command may come before the safe message is sent, 50ms to 1s; 200ms if not given"`
	// Key must be presented to take the lease from somebody and to clear an e-stop; empty: everybody may.
	Key string `yaml:"key" help:"override key, wanted for taking the lease from its holder and for clearing an e-stop; without one everybody may"`
	// State is the folder where a latched e-stop is kept.
	State string `yaml:"state" path:"any" help:"folder that keeps a latched e-stop over a restart; default: waldo in the system's folder for state"`
	// Sight is what drivers must see. OfRobot takes it from the section `drive:` of the robot file.
	drive.Sight `yaml:",inline"`

	// FullScale is how far each value of a command is from the safe message at full speed, by its key; nil if it is not
	// known.
	FullScale map[string]float64
	// Coast is how long the hardware takes to come to a stop when commands stop coming.
	Coast time.Duration
}

// OfRobot takes over what the section `drive:` of a robot file says, if this is the device that is driven. It
// implements [device.OfRobot] for a kind that inlines Config; one that has it under a key calls it.
func (c *Config) OfRobot(r *robot.Robot, device string) error {
	if err := c.Sight.Check("see", r.Devices); err != nil {
		return err
	}
	if r.Drive.Text("device") != device {
		return nil
	}
	d, err := drive.Read(r, (*robot.Section).Decode)
	if err != nil {
		return err
	}
	switch {
	case d.See == "":
	case c.See != "":
		return robot.BadField("see", "is set for this device in the section drive: as well: leave it out here")
	default:
		c.Sight = d.Sight
	}
	c.FullScale = d.FullScale()
	return nil
}

// sight is what the arbiter is told.
func (c *Config) sight() control.Sight {
	if !c.Watched() {
		return control.Sight{}
	}
	slow, stop := c.Ages()
	return control.Sight{Slow: slow, Stop: stop, Reaction: float64(c.Limit.Reaction), Full: float64(c.Limit.Speed),
		Coast: c.Coast}
}

// Limits of Config.Deadman.
const (
	minDeadman = 50 * time.Millisecond
	maxDeadman = control.LeaseTTL
)

// Validate checks every key.
func (c *Config) Validate() error {
	if c.Deadman != 0 && (c.Deadman < minDeadman || c.Deadman > maxDeadman) {
		return robot.BadField("deadman", "%v is out of range: use %v to %v", c.Deadman, minDeadman, maxDeadman)
	}
	if c.Blind.Off {
		return robot.BadField("blind", "off is for the section drive: leave see out here instead")
	}
	return c.Sight.Validate()
}

// cut bounds a text that people give, and escapes what would not be seen as it is.
func cut(given string, most int, otherwise string) string {
	return cmp.Or(atMost(text.Printable(atMost(given, most)), most), otherwise)
}

// atMost cuts a text to a number of bytes, and removes what is not UTF-8.
func atMost(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "") // a character may have been cut in two
}

// checkHolder checks the name of one who wants the lease.
func checkHolder(name string) error {
	if n := len(name); n < 1 || n > maxName {
		return badField("holder", "has %d bytes: say in 1 to %d who you are, for people to read", n, maxName)
	}
	if strings.TrimSpace(name) == "" {
		return badField("holder", "has only spaces: say who you are, for people to read")
	}
	if !text.IsPrintable(name) {
		return badField("holder", "%q: use printable characters only, for people to read", name)
	}
	return nil
}

const (
	maxName   = 128
	maxReason = 256
)
