package actuator

import (
	"cmp"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/control"
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
	return nil
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
