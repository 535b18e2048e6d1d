package peer

import (
	"errors"
	"net/url"

	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/preprocess"
)

// Config holds the keys of a device of the kind peer in robot.yaml, which are flags and environment variables as well.
type Config struct {
	Carries string `yaml:"carries" help:"what is sent through the slot: video, with or without sound, or messages of programs"`

	MaxBitrate int `yaml:"maxBitrate" help:"the most that a publisher may send, bit/s of video, averaged over 2 s, 100000 to 50000000; more is dropped"`

	Sound bool `yaml:"sound" help:"have the publisher's sound heard: it becomes the stream audio"`

	Call    string `yaml:"call" help:"have an RTCBot robot called: its address, http://host:port/connect; its camera then has the slot"`
	Cameras int    `yaml:"cameras" help:"how many cameras the robot that is called has, 0 to 8; the first is shown"`
	Topic   string `yaml:"topic" help:"topic for the messages of the robot that is called"`

	Bitrate     int `yaml:"bitrate" help:"of pictures that have to be encoded again, bit/s, 50000 to 50000000"`
	JPEGQuality int `yaml:"jpegQuality" help:"quality of JPEG pictures, 1 to 100"`

	FlipHorizontal bool `yaml:"flipHorizontal" help:"mirror the picture left to right; it is then encoded again"`
	FlipVertical   bool `yaml:"flipVertical" help:"turn the picture upside down, mirrored; it is then encoded again"`
	Rotate         int  `yaml:"rotate" help:"turn the picture clockwise: 0, 90, 180 or 270 degrees; it is then encoded again"`

	Preprocess preprocess.Command `yaml:"preprocess" help:"command that changes each picture before it is encoded, for example \"python blur.py\": raw BGR24 of FRAME_WIDTH x FRAME_HEIGHT from its input to its output; pictures pass unchanged while it fails"`
}

// What a slot may carry.
const carriesVideo, carriesMessages = "video", "messages"

// Bounds of maxBitrate. A key frame that has more than what 2 s have is never shown.
const minMaxBitrate, maxMaxBitrate = 100_000, 50_000_000

// Defaults is the configuration of a device of which nothing is said.
func Defaults() Config {
	return Config{
		Carries: carriesVideo, MaxBitrate: 8_000_000, Sound: true, Cameras: 1, Topic: "default", Bitrate: 2_000_000,
		JPEGQuality: codec.DefaultJPEGQuality,
	}
}

// Validate checks every key. The errors name the key and say what would be right.
func (c *Config) Validate() error {
	if c.Carries != carriesVideo && c.Carries != carriesMessages {
		return robot.BadField("carries", "%.40q is not known: use %s or %s", c.Carries, carriesVideo, carriesMessages)
	}
	if c.Carries == carriesMessages && c.Call != "" {
		return robot.BadField("call", "a robot that is called sends video: leave out `carries: %s`", carriesMessages)
	}
	if c.MaxBitrate < minMaxBitrate || c.MaxBitrate > maxMaxBitrate {
		return robot.BadField("maxBitrate", "%d is out of range: use %d to %d bit/s",
			c.MaxBitrate, minMaxBitrate, maxMaxBitrate)
	}
	if _, err := c.address(); err != nil {
		return robot.BadField("call", "%w", err)
	}
	if c.Cameras < 0 || c.Cameras > maxCameras {
		return robot.BadField("cameras", "%d is out of range: use 0 to %d", c.Cameras, maxCameras)
	}
	if err := bus.CheckTopic(c.Topic); err != nil {
		return robot.BadField("topic", "%w", err)
	}
	return c.camera().Validate()
}

// maxCameras bounds the sections of video in an offer.
const maxCameras = 8

// address is that of the robot to be called, nil for none. Its errors do not repeat it: there may be a password in it.
func (c *Config) address() (*url.URL, error) {
	if c.Call == "" {
		return nil, nil
	}
	u, err := url.Parse(c.Call)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("this is not an address of http or https: use that of the robot's /connect, for example " +
			"http://pi:8080/connect")
	}
	return u, nil
}

func (c *Config) camera() camera.Config {
	return camera.Config{
		Codecs: standard.Codecs(), Bitrate: c.Bitrate, JPEGQuality: c.JPEGQuality,
		Preprocess:  c.Preprocess,
		Orientation: codec.Orientation{FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical, Rotate: c.Rotate},
	}
}
