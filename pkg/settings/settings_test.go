package settings_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/settings"
)

type config struct {
	Width   int    `yaml:"width" help:"in pixels"`
	Quality int    `yaml:"jpeg_quality" help:"1 to 100"`
	Flip    bool   `yaml:"flip" help:"upside down"`
	Name    string `yaml:"name" help:"of the card"`
	Gap     int    `yaml:"idleGap" help:"in milliseconds"`
}

func environment(v map[string]string) func(string) string {
	return func(key string) string { return v[key] }
}

func TestPrecedence(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want config
	}{
		{"defaults", nil, nil, config{Width: 640, Quality: 85}},
		{"environment", nil, map[string]string{"WALDO_WIDTH": "320", "WALDO_JPEG_QUALITY": "7", "WALDO_FLIP": "true"},
			config{320, 7, true, "", 0}},
		{"flags", []string{"--width=320", "--jpeg-quality", "7", "--flip", "--name", "a b"}, nil,
			config{320, 7, true, "a b", 0}},
		{"flag over environment", []string{"--width", "1"}, map[string]string{"WALDO_WIDTH": "2"},
			config{Width: 1, Quality: 85}},
		{"camel case", []string{"--idle-gap", "5"}, nil, config{Width: 640, Quality: 85, Gap: 5}},
		{"camel case in the environment", nil, map[string]string{"WALDO_IDLE_GAP": "6"},
			config{Width: 640, Quality: 85, Gap: 6}},
		{"last flag", []string{"--width", "1", "--width", "3"}, nil, config{Width: 3, Quality: 85}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config{Width: 640, Quality: 85}
			given, err := settings.Parse("test", robot.Fields(&c), tt.args, environment(tt.env))
			if err != nil {
				t.Fatal(err)
			}
			var section robot.Section
			given.Lay(&section, robot.Fields(&c))
			if err := section.Decode(&c); err != nil || c != tt.want {
				t.Errorf("got %+v, %v; want %+v", c, err, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--widht", "1"}, "-widht"},
		{[]string{"--width"}, "needs an argument"},
		{[]string{"extra"}, `"extra"`},
		{[]string{"--check=maybe"}, "check"},
	}
	for _, tt := range tests {
		if _, err := settings.Parse("test", robot.Fields(&config{}), tt.args, environment(nil)); err == nil ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %s", tt.args, err, tt.want)
		}
	}
	twice := append(robot.Fields(&config{}), robot.Field{Key: "jpeg-quality"})
	if _, err := settings.Parse("test", twice, nil, environment(nil)); err == nil ||
		!strings.Contains(err.Error(), "taken") {
		t.Errorf("a flag given to two keys: %v", err)
	}
	if _, err := settings.Parse("test", nil, []string{"-h"}, environment(nil)); !errors.Is(err, settings.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestOrigin: an error names what people gave the value by.
func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, map[string]string{"WALDO_IDLE_GAP": "x"}, "WALDO_IDLE_GAP: "},
		{[]string{"--idle-gap", "x"}, nil, "--idle-gap: "},
		{nil, map[string]string{"WALDO_IDLE_GAP": "x", settings.MovedFlags: "name,idle-gap"}, "--idle-gap: "},
		{nil, map[string]string{"WALDO_IDLE_GAP": "x", settings.MovedFlags: "name"}, "WALDO_IDLE_GAP: "},
	} {
		var c config
		given, err := settings.Parse("test", robot.Fields(&c), tt.args, environment(tt.env))
		if err != nil {
			t.Fatal(err)
		}
		var section robot.Section
		given.Lay(&section, robot.Fields(&c))
		if err := section.Decode(&c); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q, %v: %v, want %s", tt.args, tt.env, err, tt.want)
		}
	}
}

func TestValueAndWords(t *testing.T) {
	given, err := settings.Parse("test", robot.Fields(&config{}), []string{"--check", "--version", "--name", "flag"},
		environment(map[string]string{"WALDO_NAME": "environment", "WALDO_WIDTH": "5"}))
	if err != nil || !given.Check || !given.Version {
		t.Fatalf("%+v, %v", given, err)
	}
	if n, w, q := given.Value("name"), given.Value("width"), given.Value("jpeg_quality"); n != "flag" || w != "5" ||
		q != "" {
		t.Errorf("name %q, width %q, quality %q", n, w, q)
	}
}

func TestWarnings(t *testing.T) {
	r, err := robot.Parse("r", []byte("robot: a\ndevices:\n  f: {kind: a, idle_gap: 5}\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `r:3: devices.f: "idle_gap" is an old spelling: write idleGap`
	for _, tt := range []struct {
		args  []string
		env   map[string]string
		warns bool
	}{
		{nil, nil, true},
		{[]string{"--check"}, map[string]string{robot.HandedFD: "3"}, true},
		{nil, map[string]string{robot.HandedFD: "3"}, false},
	} {
		given, err := settings.Parse("test", robot.Fields(&config{}), tt.args, environment(tt.env))
		if err != nil {
			t.Fatal(err)
		}
		var c config
		if err := given.Decode(&r.Devices[0].Section, &c); err != nil || c.Gap != 5 {
			t.Fatalf("%+v, %v", c, err)
		}
		var printed strings.Builder
		settings.PrintWarnings(&printed, given.Warnings())
		got := settings.ReadWarnings("some library: hello\n" + printed.String() + "bye")
		if tt.warns != (len(got) == 1) || tt.warns && got[0] != want {
			t.Errorf("%v %v: %q", tt.args, tt.env, got)
		}
	}
}

func TestLevel(t *testing.T) {
	for text, good := range map[string]bool{"debug": true, "INFO": true, "warn": true, "error": true, "loud": false,
		"": false} {
		if _, err := settings.Level(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func ExampleGiven_Lay() {
	c := config{Width: 640}
	given, err := settings.Parse("waldo-camera", robot.Fields(&c), []string{"--width", "wide"}, os.Getenv)
	if err != nil {
		fmt.Println(err)
		return
	}
	var section robot.Section // that of the device in robot.yaml, if there is one
	given.Lay(&section, robot.Fields(&c))
	fmt.Println(section.Decode(&c))
	// Output: --width: "wide" is not a whole number
}
