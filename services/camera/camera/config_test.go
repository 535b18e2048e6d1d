package camera

import (
	"errors"
	"math"
	"os"
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
	tests := map[string]struct {
		change func(*Config)
		key    string // of the error; empty for none
		says   string
	}{
		"camera":           {func(c *Config) { c.Source = "/dev/v4l/by-id/usb-x-index0" }, "", ""},
		"video":            {func(c *Config) { c.Source = "loops/Yard.MP4" }, "", ""},
		"smallest":         {func(c *Config) { c.Width, c.Height = 16, 16 }, "", ""},
		"controls":         {func(c *Config) { c.Source, c.Controls = "/dev/video0", map[string]int64{"gain": 1} }, "", ""},
		"simulated":        {func(c *Config) { c.Source = "sim" }, "", ""},
		"simulated map":    {func(c *Config) { c.Source, c.Follow, c.View = "sim", "wheels-2", "above" }, "", ""},
		"no source":        {func(c *Config) { c.Source = "" }, "source", "test"},
		"follow of a card": {func(c *Config) { c.Follow = "motors" }, "follow", "remove"},
		"follow no name":   {func(c *Config) { c.Source, c.Follow = "sim", "Motors!" }, "follow", "lower-case"},
		"follow a service": {func(c *Config) { c.Source, c.Follow = "sim", "gateway" }, "follow", "taken"},
		"view of a camera": {func(c *Config) { c.Source, c.View = "/dev/video0", "above" }, "view", "remove"},
		"view unknown":     {func(c *Config) { c.Source, c.View = "sim", "below" }, "view", "front, above"},
		"controls of sim": {func(c *Config) { c.Source, c.Controls = "sim", map[string]int64{"gain": 1} }, "controls",
			"remove"},
		"source misspelt":   {func(c *Config) { c.Source = "tset" }, "source", ".mp4"},
		"not under /dev":    {func(c *Config) { c.Source = "/dev/../etc/passwd" }, "source", ".mp4"},
		"RTSP":              {func(c *Config) { c.Source = "rtsp://bob@10.0.0.7/x" }, "source", "kind: rtsp-ingest"},
		"RTMPS":             {func(c *Config) { c.Source = "RTMPS://10.0.0.7/x.mp4" }, "source", "(rtmps://…) as url"},
		"HTTP":              {func(c *Config) { c.Source = "http://10.0.0.7" }, "source", "(http://…) as url"},
		"RTSP with a view":  {func(c *Config) { c.Source, c.View = "rtsp://10.0.0.7", "above" }, "source", "rtsp-ingest"},
		"unknown scheme":    {func(c *Config) { c.Source = "srt://10.0.0.7" }, "source", ".mp4"},
		"card":              {func(c *Config) { c.Card = "moving" }, "card", "animated"},
		"width too small":   {func(c *Config) { c.Width, c.Height = 15, 480 }, "width", "16 to 8192"},
		"width below 0":     {func(c *Config) { c.Width, c.Height = -640, 480 }, "width", "16 to 8192"},
		"height too big":    {func(c *Config) { c.Width, c.Height = 640, 8193 }, "height", "16 to 8192"},
		"half a size":       {func(c *Config) { c.Width = 640 }, "height", "both"},
		"fps below 0":       {func(c *Config) { c.FPS = -1 }, "fps", "1000"},
		"fps no number":     {func(c *Config) { c.FPS = math.NaN() }, "fps", "1000"},
		"format":            {func(c *Config) { c.Format = "mjpg" }, "format", "MJPEG"},
		"bitrate":           {func(c *Config) { c.Bitrate = 2000 }, "bitrate", "50000"},
		"quality":           {func(c *Config) { c.JPEGQuality = 0 }, "jpegQuality", "1 to 100"},
		"rotate":            {func(c *Config) { c.Rotate = 45 }, "rotate", "90"},
		"controls of cards": {func(c *Config) { c.Controls = map[string]int64{"gain": 1} }, "controls", "remove"},
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
	good := "robot: r\ndevices:\n  front:\n    kind: camera\n    source: /dev/video0\n    width: 640\n    height: 480\n" +
		"    fps: 29.97\n    controls: {brightness: -3}\n    flipHorizontal: true\n"
	r, err := robot.Parse("robot.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	c := Defaults()
	if err := r.Devices[0].Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.Width != 640 || c.FPS != 29.97 || c.Controls["brightness"] != -3 || !c.FlipHorizontal || c.Bitrate != 2_000_000 {
		t.Errorf("got %+v", c)
	}
	for bad, says := range map[string]string{
		"width: 640\n    widht: 3": "widht", "width: 9999\n    height: 480": "robot.yaml:5", "fps: fast": "fps",
		"rotate: 10": "rotate",
	} {
		r, err := robot.Parse("robot.yaml", []byte("robot: r\ndevices:\n  front:\n    kind: camera\n    "+bad+"\n"))
		if err == nil {
			c := Defaults()
			err = r.Devices[0].Decode(&c)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", bad, err, says)
		}
	}
}

func TestMain(m *testing.M) { os.Exit(leakFree(m)) }
