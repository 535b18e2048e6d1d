package player

import (
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/recording/play"
)

// Config holds the keys of a player in robot.yaml.
type Config struct {
	Files    play.Files    `yaml:"files" help:"the files of the recording, in any order"`
	Paused   bool          `yaml:"paused" help:"wait for somebody who presses play"`
	Start    time.Duration `yaml:"start" help:"where to begin, after the beginning of the recording"`
	Speed    float64       `yaml:"speed" help:"how fast, 0.1 to 10"`
	Loop     bool          `yaml:"loop" help:"begin again after the end"`
	Messages bool          `yaml:"messages" help:"publish the recorded messages between pages and programs again; on the bus of a live robot its programs may act on them"`
	State    string        `yaml:"state" path:"any" help:"folder that keeps the place over a restart; default: waldo in the system's folder for state"`
}

// Defaults is the default configuration.
func Defaults() Config { return Config{Speed: 1} }

// Validate checks the keys, and that the files can be played.
func (c *Config) Validate() error {
	switch {
	case len(c.Files) == 0:
		return robot.BadField("files", "is missing: name the files of a recording, for example [drive.mcap]")
	case !play.CheckSpeed(c.Speed):
		return robot.BadField("speed", "%v is out of range: use %v to %v", c.Speed, play.Slowest, play.Fastest)
	case c.Start < 0:
		return robot.BadField("start", "%v is before the beginning: use 0 or more", c.Start)
	}
	if err := c.Files.Check(); err != nil {
		return robot.BadField("files", "%v", err)
	}
	return nil
}
