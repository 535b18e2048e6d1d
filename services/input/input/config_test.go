package input

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestDefaultsAreValid(t *testing.T) {
	c := Defaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	zone := func(v float64) *float64 { return &v }
	tests := map[string]struct {
		change func(*Config)
		key    string // of the error; empty for none
		says   string
	}{
		"keyboard":            {func(c *Config) { c.Match, c.Name, c.Grab = "keyboard", "AT", true }, "", ""},
		"any":                 {func(c *Config) { c.Match, c.Events = "any", []string{"other"} }, "", ""},
		"link":                {func(c *Config) { c.Path = "/dev/input/by-id/usb-x-event-joystick" }, "", ""},
		"smallest dead zone":  {func(c *Config) { c.DeadZone = zone(0) }, "", ""},
		"largest dead zone":   {func(c *Config) { c.DeadZone = zone(0.9) }, "", ""},
		"sim with script":     {func(c *Config) { c.Source, c.Script = "sim", "drive.jsonl" }, "", ""},
		"no source":           {func(c *Config) { c.Source = "" }, "source", "evdev"},
		"source":              {func(c *Config) { c.Source = "/dev/input/event0" }, "source", "sim"},
		"match":               {func(c *Config) { c.Match = "joystick" }, "match", "gamepad"},
		"match other":         {func(c *Config) { c.Match = "other" }, "match", "any"},
		"relative path":       {func(c *Config) { c.Path = "event0" }, "path", "/dev/input/event3"},
		"dead zone below 0":   {func(c *Config) { c.DeadZone = zone(-0.1) }, "deadZone", "0 to 0.9"},
		"dead zone too large": {func(c *Config) { c.DeadZone = zone(0.91) }, "deadZone", "0 to 0.9"},
		"dead zone no number": {func(c *Config) { c.DeadZone = zone(math.NaN()) }, "deadZone", "leave it out"},
		"no events":           {func(c *Config) { c.Events = nil }, "events", "absolute, key"},
		"unknown events":      {func(c *Config) { c.Events = []string{"key", "keys"} }, "events", `"keys"`},
		"events twice":        {func(c *Config) { c.Events = []string{"key", "key"} }, "events", "remove one"},
		"script of evdev":     {func(c *Config) { c.Script = "drive.jsonl" }, "script", "sim"},
		"sim with path":       {func(c *Config) { c.Source, c.Path = "sim", "/dev/input/event0" }, "path", "remove"},
		"sim with name":       {func(c *Config) { c.Source, c.Name = "sim", "X-Box" }, "name", "remove"},
		"sim with grab":       {func(c *Config) { c.Source, c.Grab = "sim", true }, "grab", "remove"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Defaults()
			tt.change(&c)
			err := c.Validate()
			if tt.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var field *robot.FieldError
			if !errors.As(err, &field) || field.Key != tt.key || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error of %s with %q", err, tt.key, tt.says)
			}
		})
	}
}

// TestRobotFile reads the keys the way the program does, with the line in every error.
func TestRobotFile(t *testing.T) {
	read := func(keys string) (Config, error) {
		c := Defaults()
		r, err := robot.Parse("robot.yaml", []byte("robot: r\ndevices:\n  pad:\n    kind: input\n    "+keys+"\n"))
		if err == nil {
			err = r.Devices[0].Decode(&c)
		}
		return c, err
	}
	c, err := read("match: keyboard\n    name: AT\n    grab: true\n    events: [key, other]\n    deadZone: 0.15")
	if err != nil {
		t.Fatal(err)
	}
	if c.Match != "keyboard" || c.Name != "AT" || !c.Grab || len(c.Events) != 2 || c.DeadZone == nil ||
		*c.DeadZone != 0.15 || c.Source != "evdev" {
		t.Errorf("got %+v", c)
	}
	if c, err := read("path: /dev/input/event3"); err != nil || c.DeadZone != nil || len(c.Events) != 3 ||
		c.Match != "gamepad" {
		t.Errorf("got %+v %v", c, err)
	}
	for bad, says := range map[string]string{
		"deadzone: 0.1": `unknown key "deadzone"`, "deadZone: 2": "robot.yaml:5", "events: []": "events: is empty",
		"grab: maybe": "neither true nor false", "source: uinput": "source",
	} {
		if _, err := read(bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", bad, err, says)
		}
	}
}
