package input

import (
	"path/filepath"
	"slices"
	"strings"

	inputv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/input/v1"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/input/axes"
	"github.com/waldo-robot/waldo/services/input/codes"
	"github.com/waldo-robot/waldo/services/input/evdev"
	"github.com/waldo-robot/waldo/services/input/source"
)

// Config holds the keys of an input device in robot.yaml, which are flags and environment variables as well.
type Config struct {
	Source string `yaml:"source" help:"evdev, a device of the kernel, or sim, a simulated gamepad"`

	Match string `yaml:"match" help:"evdev: kind of device: gamepad, keyboard, mouse or any; the first one is used"`
	Name  string `yaml:"name" help:"evdev: part of the device's name, in any case"`
	Path  string `yaml:"path" path:"any" help:"evdev: device file such as /dev/input/event3, or a link under /dev/input/by-id; takes precedence over match and name"`
	Grab  bool   `yaml:"grab" help:"evdev: take the device for this process alone"`

	Events   []string `yaml:"events" help:"kinds of events to report: key, relative, absolute, other"`
	DeadZone *float64 `yaml:"deadZone" help:"dead zone of all axes as a share of half their range, 0 to 0.9; default: the device's own"`

	Script string `yaml:"script" path:"any" help:"sim: path of a script; without it the pad drives a figure eight"`
}

// Sources.
const (
	fromEvdev = "evdev"
	fromSim   = "sim"
)

// Defaults is the default configuration of an input device.
func Defaults() Config {
	return Config{Source: fromEvdev, Match: source.Gamepad, Events: []string{"key", "relative", "absolute"}}
}

var kinds = []string{source.Gamepad, source.Keyboard, source.Mouse, evdev.AnyKind}

// Validate checks every key. The errors name the key and the remedy.
func (c *Config) Validate() error {
	switch {
	case c.Source != fromEvdev && c.Source != fromSim:
		return robot.BadField("source", `%q is unknown: use "evdev" or "sim"`, c.Source)
	case !slices.Contains(kinds, c.Match):
		return robot.BadField("match", "%q is unknown: use one of %s", c.Match, strings.Join(kinds, ", "))
	case c.Path != "" && !filepath.IsAbs(c.Path):
		return robot.BadField("path", "%q is relative: use an absolute path, like /dev/input/event3", c.Path)
	case c.DeadZone != nil && !(*c.DeadZone >= 0 && *c.DeadZone <= axes.MaxDeadZone):
		return robot.BadField("deadZone", "%v is out of range: use 0 to %v, or leave it out for the device's own",
			*c.DeadZone, axes.MaxDeadZone)
	}
	if _, err := c.kinds(); err != nil {
		return err
	}
	return c.validateSource()
}

// validateSource checks that keys of one source are not set for the other.
func (c *Config) validateSource() error {
	switch {
	case c.Source == fromEvdev && c.Script != "":
		return robot.BadField("script",
			`only a simulated pad follows a script, but source is "evdev": remove it, or use source "sim"`)
	case c.Source == fromSim && c.Path != "":
		return robot.BadField("path", `a simulated pad has no device file: remove it, or use source "evdev"`)
	case c.Source == fromSim && c.Name != "":
		return robot.BadField("name", `a simulated pad is not searched for: remove it, or use source "evdev"`)
	case c.Source == fromSim && c.Grab:
		return robot.BadField("grab", `a simulated pad cannot be grabbed: remove it, or use source "evdev"`)
	}
	return nil
}

// kinds returns the kinds of events to report.
func (c *Config) kinds() ([]inputv1.EventKind, error) {
	if len(c.Events) == 0 {
		return nil, robot.BadField("events", "is empty, so nothing would be reported: use some of %s",
			strings.Join(codes.KindNames(), ", "))
	}
	var list []inputv1.EventKind
	for _, name := range c.Events {
		k, known := codes.ParseKind(name)
		switch {
		case !known:
			return nil, robot.BadField("events", "%q is unknown: use some of %s", name, strings.Join(codes.KindNames(), ", "))
		case slices.Contains(list, k):
			return nil, robot.BadField("events", "%q is given twice: remove one", name)
		}
		list = append(list, k)
	}
	return list, nil
}
