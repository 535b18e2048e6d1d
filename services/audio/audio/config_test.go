package audio

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/card"
)

func TestDefaultsAreValid(t *testing.T) {
	c := Defaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		key    string // of the error; empty for none
		says   string
	}{
		"card":            {func(c *Config) { c.Source, c.Speaker = "USB", "HDMI" }, "", ""},
		"tone":            {func(c *Config) { c.Source = tone }, "", ""},
		"file":            {func(c *Config) { c.Source = "Bark.WAV" }, "", ""},
		"recorder":        {func(c *Config) { c.Source, c.Speaker = none, "said.wav" }, "", ""},
		"microphone only": {func(c *Config) { c.Speaker = none }, "", ""},
		"speaker only":    {func(c *Config) { c.Source = none }, "", ""},
		"widest": {func(c *Config) {
			c.Rate, c.Channels, c.Block, c.Bitrate, c.Packet = 192_000, 2, 100, 510_000,
				60
		}, "", ""},
		"narrowest": {func(c *Config) {
			c.Rate, c.Block, c.Bitrate, c.Packet, c.ExpectedLoss, c.Complexity = 8000, 2, 6000, 10, 0, 0
		}, "", ""},
		"no source":          {func(c *Config) { c.Source = "" }, "source", `"tone"`},
		"source null":        {func(c *Config) { c.Source = null }, "source", `use "none"`},
		"speaker tone":       {func(c *Config) { c.Speaker = tone }, "speaker", `use "null"`},
		"nothing at all":     {func(c *Config) { c.Source, c.Speaker = none, none }, "speaker", "both"},
		"records its source": {func(c *Config) { c.Source, c.Speaker = "a.wav", "./a.wav" }, "speaker", "overwritten"},
		"rate too low":       {func(c *Config) { c.Rate = 7999 }, "rate", "8000 to 192000"},
		"rate too high":      {func(c *Config) { c.Rate = 192_001 }, "rate", "8000 to 192000"},
		"no channel":         {func(c *Config) { c.Channels = 0 }, "channels", "1 or 2"},
		"surround":           {func(c *Config) { c.Channels = 6 }, "channels", "1 or 2"},
		"block too short":    {func(c *Config) { c.Block = 1 }, "block", "2 to 100 ms"},
		"block too long":     {func(c *Config) { c.Block = 101 }, "block", "2 to 100 ms"},
		"tone too high":      {func(c *Config) { c.Source, c.ToneHz = tone, 24000 }, "toneHz", "less than 24000"},
		"no tone":            {func(c *Config) { c.Source, c.ToneHz = tone, 0 }, "toneHz", "more than 0"},
		"tone no number":     {func(c *Config) { c.Source, c.ToneHz = tone, math.NaN() }, "toneHz", "more than 0"},
		"no talker":          {func(c *Config) { c.MaxTalkers = 0 }, "maxTalkers", "1 to 64"},
		"crowd":              {func(c *Config) { c.MaxTalkers = 65 }, "maxTalkers", "1 to 64"},
		"no time to talk":    {func(c *Config) { c.MaxTalk = 0 }, "maxTalk", "1s to 24h"},
		"talks for days":     {func(c *Config) { c.MaxTalk = 25 * time.Hour }, "maxTalk", "1s to 24h"},
		"bitrate too low":    {func(c *Config) { c.Bitrate = 5999 }, "bitrate", "6000 to 510000"},
		"bitrate too high":   {func(c *Config) { c.Bitrate = 510_001 }, "bitrate", "6000 to 510000"},
		"packet":             {func(c *Config) { c.Packet = 30 }, "packet", "10, 20, 40, or 60"},
		"complexity":         {func(c *Config) { c.Complexity = 11 }, "complexity", "0 to 10"},
		"no complexity":      {func(c *Config) { c.Complexity = -1 }, "complexity", "0 to 10"},
		"loss":               {func(c *Config) { c.ExpectedLoss = 101 }, "expectedLoss", "0 to 100"},
	} {
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
	read := func(keys string) (c Config, err error) {
		r, err := robot.Parse("robot.yaml", []byte("robot: r\ndevices:\n  voice:\n    kind: audio\n    "+keys+"\n"))
		if c = Defaults(); err == nil {
			err = r.Devices[0].Decode(&c)
		}
		return c, err
	}
	c, err := read("source: USB\n    speaker: \"null\"\n    fec: false\n    expectedLoss: 0\n    complexity: 0\n    " +
		"maxTalk: 90s")
	if err != nil || c.Source != "USB" || c.speaker() != null || c.FEC || c.MaxTalk != 90*time.Second || c.Rate != 48_000 {
		t.Errorf("got %+v, %v", c, err)
	}
	if o := c.opus(); !o.NoFEC || o.ExpectedLoss != -1 || o.Complexity != -1 {
		t.Errorf("Opus %+v, want no FEC, no expected loss and complexity 0", o)
	}
	if o := (&Config{FEC: true, ExpectedLoss: 5, Packet: 20, Complexity: 7}).opus(); o != (capture.Opus{ExpectedLoss: 5,
		Packet: 20 * time.Millisecond, Complexity: 7}) {
		t.Errorf("Opus %+v", o)
	}
	for keys, says := range map[string]string{
		"sorce: tone": "source", "rate: 1000": "robot.yaml:5", "speaker: null": "has no value", "maxTalk: long": "maxTalk",
		"fec: maybe": "fec",
	} {
		if _, err := read(keys); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", keys, err, says)
		}
	}
}

func TestSpeakerThatIsMeant(t *testing.T) {
	for _, tt := range []struct{ source, speaker, want string }{
		{"default", "", "default"}, {"USB", "", "default"}, {"tone", "", "null"}, {"a.wav", "", "null"},
		{"none", "", "default"},
		{"tone", "default", "default"}, {"USB", "none", "none"}, {"USB", "said.wav", "said.wav"},
	} {
		c := Config{Source: tt.source, Speaker: tt.speaker}
		if got := c.speaker(); got != tt.want {
			t.Errorf("source %s, speaker %q: %s is meant, want %s", tt.source, tt.speaker, got, tt.want)
		}
	}
}

// What can be opened without a card, and what is said of what cannot.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	text, sound := filepath.Join(dir, "text.wav"), filepath.Join(dir, "said.wav")
	if err := os.WriteFile(text, []byte("not a sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		source, speaker   string
		microphone, plays bool
		kind              error
	}{
		{tone, "", true, true, nil},
		{tone, sound, true, true, nil},
		{sound, none, true, false, card.ErrNotSound}, // nothing was said into it
		{none, null, false, true, nil},
		{filepath.Join(dir, "none.wav"), "", false, false, device.ErrAway},
		{text, "", false, false, card.ErrNotSound},
		{tone, filepath.Join(dir, "none", "said.wav"), false, false, device.ErrAway},
	} {
		c := Defaults()
		c.Source, c.Speaker = tt.source, tt.speaker
		opened, err := open(c, needs{}, &portaudio.Library{}, func(string) {})
		what := fmt.Sprintf("source %s, speaker %s", tt.source, tt.speaker)
		if tt.kind != nil {
			if !errors.Is(err, tt.kind) {
				t.Errorf("%s: %v, want %v", what, err, tt.kind)
			}
			continue
		}
		if err != nil || (opened.Microphone != nil) != tt.microphone || (opened.Speaker != nil) != tt.plays ||
			opened.Watch == nil {
			t.Errorf("%s: %+v, %v", what, opened, err)
			continue
		}
		if err := opened.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}
}
