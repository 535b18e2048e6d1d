package replay

import (
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/play"
)

// Config holds the keys of a replayed device in robot.yaml.
type Config struct {
	Files  play.Files `yaml:"files" help:"the files of the recording, in any order"`
	As     string     `yaml:"as" help:"the device of the recording that this one stands for; default: the one of its name"`
	Player string     `yaml:"player" help:"the device of kind player that it follows"`

	found *recorded
}

// Defaults is the default configuration.
func Defaults() Config { return Config{Player: "player"} }

// OfRobot implements [device.OfRobot]: the name of the device is that in the recording, unless the file says another.
func (c *Config) OfRobot(_ *robot.Robot, name string) error {
	if c.As != "" {
		return nil
	}
	c.As = name
	return c.find()
}

// Validate checks the keys, and that the recording has the device.
func (c *Config) Validate() error {
	if len(c.Files) == 0 {
		return robot.BadField("files", "is missing: name the files of a recording, for example [drive.mcap]")
	}
	if err := robot.CheckDeviceName(c.Player); err != nil {
		return robot.BadField("player", "%v", err)
	}
	if c.As == "" { // see OfRobot
		return nil
	}
	return c.find()
}

// find finds the device in the recording.
func (c *Config) find() (err error) {
	if c.found == nil {
		c.found, err = find(c.Files, c.As)
	}
	return err
}
