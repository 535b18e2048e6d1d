package audio

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/audio/capture"
	"github.com/waldo-robot/waldo/services/audio/pcm"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
)

// Config holds the keys of an audio device in robot.yaml, which are flags and environment variables as well.
type Config struct {
	// Source and Speaker say where sound comes from and goes to.
	Source  string `yaml:"source" path:"only .wav" help:"microphone: default, none, tone, a .wav file that is played over and over, or a part of a sound device's name"`
	Speaker string `yaml:"speaker" path:"only .wav" help:"default, none, null (plays into nothing), a .wav file to record into, or a part of a sound device's name; not given: null if source is tone or a file, otherwise default"`

	Rate     int `yaml:"rate" help:"samples a second, 8000 to 192000"`
	Channels int `yaml:"channels" help:"1 or 2"`
	Block    int `yaml:"block" help:"how much sound the hardware gives and takes at once, ms, 2 to 100"`

	Bitrate      int  `yaml:"bitrate" help:"of Opus, bit/s, 6000 to 510000; 0 means 32000 a channel"`
	Packet       int  `yaml:"packet" help:"sound in an Opus packet, ms: 10, 20, 40 or 60"`
	FEC          bool `yaml:"fec" help:"repeat in each Opus packet the gist of the one before, so that single losses are not heard"`
	ExpectedLoss int  `yaml:"expectedLoss" help:"loss that Opus prepares for, percent, 0 to 100"`
	DTX          bool `yaml:"dtx" help:"send next to nothing while it is silent"`

	ToneHz float64 `yaml:"toneHz" help:"frequency of source tone, Hz"`

	MaxTalkers int           `yaml:"maxTalkers" help:"how many may talk at once, 1 to 64"`
	MaxTalk    time.Duration `yaml:"maxTalk" help:"how long one may talk without a pause, 1s to 24h"`
}

// Defaults is the configuration of an audio device of which nothing is said.
func Defaults() Config {
	return Config{
		Source: portaudio.Default, Rate: 48_000, Channels: 1, Block: 10, Packet: 20, FEC: true, ExpectedLoss: 10, ToneHz: 440,
		MaxTalkers: 10, MaxTalk: 10 * time.Minute,
	}
}

const (
	none = "none"
	tone = "tone"
	null = "null"
)

// Validate checks every key. The errors name the key and say what would be right.
func (c *Config) Validate() error {
	switch {
	case c.Source == "":
		return robot.BadField("source", `is empty: use "default", "none", "tone", a .wav file, or a part of a sound device's name`)
	case c.Source == null:
		return robot.BadField("source", `"null" is for speaker: use "none", or "tone"`)
	case c.Speaker == tone:
		return robot.BadField("speaker", `"tone" is for source: use "null", or a .wav file to record into`)
	case c.Source == none && c.speaker() == none:
		return robot.BadField("speaker", `source and speaker are both "none": nothing is left; give one of them`)
	case isFile(c.Source) && filepath.Clean(c.Source) == filepath.Clean(c.Speaker):
		return robot.BadField("speaker", "%q is also the source, and would be overwritten: record into another file", c.Speaker)
	case c.Rate < pcm.MinRate || c.Rate > pcm.MaxRate:
		return robot.BadField("rate", "%d is out of range: use %d to %d, best 48000", c.Rate, pcm.MinRate, pcm.MaxRate)
	case c.Channels < 1 || c.Channels > pcm.MaxChannels:
		return robot.BadField("channels", "%d is out of range: use 1 or %d", c.Channels, pcm.MaxChannels)
	case c.Block < 2 || c.Block > 100:
		return robot.BadField("block", "%d is out of range: use 2 to 100 ms", c.Block)
	case c.Source == tone && !(c.ToneHz > 0 && c.ToneHz < float64(c.Rate)/2):
		return robot.BadField("toneHz", "%v is out of range: use more than 0 and less than %d, half of rate", c.ToneHz, c.Rate/2)
	case c.MaxTalkers < 1 || c.MaxTalkers > 64:
		return robot.BadField("maxTalkers", "%d is out of range: use 1 to 64", c.MaxTalkers)
	case c.MaxTalk < time.Second || c.MaxTalk > 24*time.Hour:
		return robot.BadField("maxTalk", "%v is out of range: use 1s to 24h", c.MaxTalk)
	}
	return c.validateOpus()
}

func (c *Config) validateOpus() error {
	switch {
	case c.Bitrate != 0 && (c.Bitrate < 6000 || c.Bitrate > 510_000):
		return robot.BadField("bitrate", "%d is out of range: use 6000 to 510000 bit/s, or 0 for 32000 a channel", c.Bitrate)
	case c.Packet != 10 && c.Packet != 20 && c.Packet != 40 && c.Packet != 60:
		return robot.BadField("packet", "%d is not possible: use 10, 20, 40 or 60 ms", c.Packet)
	case c.ExpectedLoss < 0 || c.ExpectedLoss > 100:
		return robot.BadField("expectedLoss", "%d is out of range: use 0 to 100 percent", c.ExpectedLoss)
	}
	return nil
}

// speaker is the speaker that is meant where none is given: without a sound card for the microphone there may be none at all.
func (c *Config) speaker() string {
	switch {
	case c.Speaker != "":
		return c.Speaker
	case c.Source == tone || isFile(c.Source):
		return null
	}
	return portaudio.Default
}

func isFile(name string) bool { return strings.EqualFold(filepath.Ext(name), ".wav") }

func (c *Config) format() pcm.Format { return pcm.Format{Rate: c.Rate, Channels: c.Channels} }

func (c *Config) block() int { return max(1, c.Rate*c.Block/1000) }

func (c *Config) opus() capture.Opus {
	o := capture.Opus{
		Bitrate: c.Bitrate, NoFEC: !c.FEC, ExpectedLoss: c.ExpectedLoss, DTX: c.DTX, Packet: time.Duration(c.Packet) * time.Millisecond,
	}
	if c.ExpectedLoss == 0 {
		o.ExpectedLoss = -1
	}
	return o
}
