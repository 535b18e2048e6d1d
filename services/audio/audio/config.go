package audio

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/audio/portaudio"
	"github.com/waldo-robot/waldo/sound/capture"
	"github.com/waldo-robot/waldo/sound/pcm"
)

// Config holds the keys of an audio device in robot.yaml, which are flags and environment variables as well.
type Config struct {
	// Source and Speaker are where sound comes from and goes to.
	Source  string `yaml:"source" path:"only .wav" help:"microphone: default, none, tone, a .wav file that plays in a loop, or part of a sound device's name"`
	Speaker string `yaml:"speaker" path:"only .wav" help:"default, none, null (discards the sound), a .wav file to record into, or part of a sound device's name; without it null if source is tone or a file, otherwise default"`

	Rate     int `yaml:"rate" help:"samples per second, 8000 to 192000"`
	Channels int `yaml:"channels" help:"1 or 2"`
	Block    int `yaml:"block" help:"sound that the hardware delivers and takes at a time, ms, 2 to 100"`

	Bitrate      int  `yaml:"bitrate" help:"Opus bit rate, bit/s, 6000 to 510000; 0 means 32000 per channel"`
	Packet       int  `yaml:"packet" help:"length of an Opus packet, ms: 10, 20, 40, or 60"`
	FEC          bool `yaml:"fec" help:"carry in each Opus packet a coarse copy of the previous one, so that single losses are not heard (in-band FEC)"`
	ExpectedLoss int  `yaml:"expectedLoss" help:"packet loss that Opus prepares for, percent, 0 to 100"`
	DTX          bool `yaml:"dtx" help:"send almost nothing during silence"`
	Complexity   int  `yaml:"complexity" help:"effort of the Opus encoder, 0 to 10; 10 takes about twice the processor time of 5, and sounds slightly better"`

	ToneHz float64 `yaml:"toneHz" help:"frequency of the source tone, Hz"`

	MaxTalkers int           `yaml:"maxTalkers" help:"how many people may talk at once, 1 to 64"`
	MaxTalk    time.Duration `yaml:"maxTalk" help:"how long a talker may go on without a pause, 1s to 24h"`
}

// Defaults is the configuration of an audio device without any keys.
func Defaults() Config {
	return Config{
		Source: portaudio.Default, Rate: 48_000, Channels: 1, Block: 10, Packet: 20, FEC: true, ExpectedLoss: 10,
		Complexity: 5, ToneHz: 440,
		MaxTalkers: 10, MaxTalk: 10 * time.Minute,
	}
}

const (
	none = "none"
	tone = "tone"
	null = "null"
)

// Validate checks every key. Errors name the key and a valid range.
func (c *Config) Validate() error {
	switch {
	case c.Source == "":
		return robot.BadField("source",
			`is empty: use "default", "none", "tone", a .wav file, or part of a sound device's name`)
	case c.Source == null:
		return robot.BadField("source", `"null" is for speaker: use "none", or "tone"`)
	case c.Speaker == tone:
		return robot.BadField("speaker", `"tone" is for source: use "null", or a .wav file to record into`)
	case c.Source == none && c.speaker() == none:
		return robot.BadField("speaker", `source and speaker are both "none", which leaves nothing: set one of them`)
	case isFile(c.Source) && filepath.Clean(c.Source) == filepath.Clean(c.Speaker):
		return robot.BadField("speaker", "%q is also the source and would be overwritten: record into another file",
			c.Speaker)
	case c.Rate < pcm.MinRate || c.Rate > pcm.MaxRate:
		return robot.BadField("rate", "%d is out of range: use %d to %d, best 48000", c.Rate, pcm.MinRate, pcm.MaxRate)
	case c.Channels < 1 || c.Channels > pcm.MaxChannels:
		return robot.BadField("channels", "%d is out of range: use 1 or %d", c.Channels, pcm.MaxChannels)
	case c.Block < 2 || c.Block > 100:
		return robot.BadField("block", "%d is out of range: use 2 to 100 ms", c.Block)
	case c.Source == tone && !(c.ToneHz > 0 && c.ToneHz < float64(c.Rate)/2):
		return robot.BadField("toneHz", "%v is out of range: use more than 0 and less than %d, half of rate", c.ToneHz,
			c.Rate/2)
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
		return robot.BadField("bitrate", "%d is out of range: use 6000 to 510000 bit/s, or 0 for 32000 per channel",
			c.Bitrate)
	case c.Packet != 10 && c.Packet != 20 && c.Packet != 40 && c.Packet != 60:
		return robot.BadField("packet", "%d is not possible: use 10, 20, 40, or 60 ms", c.Packet)
	case c.ExpectedLoss < 0 || c.ExpectedLoss > 100:
		return robot.BadField("expectedLoss", "%d is out of range: use 0 to 100 percent", c.ExpectedLoss)
	case c.Complexity < 0 || c.Complexity > 10:
		return robot.BadField("complexity", "%d is out of range: use 0 to 10, best 5", c.Complexity)
	}
	return nil
}

// speaker is the speaker to use. Without the key it depends on the microphone: if that needs no sound card, there may
// be no card at all.
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
		Bitrate: c.Bitrate, NoFEC: !c.FEC, ExpectedLoss: c.ExpectedLoss, DTX: c.DTX, Packet: time.Duration(
			c.Packet) * time.Millisecond,
		Complexity: c.Complexity,
	}
	if c.ExpectedLoss == 0 {
		o.ExpectedLoss = -1
	}
	if c.Complexity == 0 {
		o.Complexity = -1
	}
	return o
}
