package camera

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/media"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/services/camera/file"
	"github.com/waldo-robot/waldo/services/camera/sim"
	"github.com/waldo-robot/waldo/video/camera"
	"github.com/waldo-robot/waldo/video/codec"
	"github.com/waldo-robot/waldo/video/codec/standard"
	"github.com/waldo-robot/waldo/video/preprocess"
)

// Config holds a camera's keys in robot.yaml; each is also a flag and an environment variable.
type Config struct {
	// Source names where pictures come from: `test` is a test card, `sim` the world of the simulated rover, a path
	// under /dev a V4L2 camera, any other path a recorded video, which is played in a loop.
	Source string `yaml:"source" path:"except test sim" help:"test, sim, a V4L2 device such as /dev/video0 or /dev/v4l/by-id/…, or the path of a recorded video; in robot.yaml, relative to its folder"`
	Card   string `yaml:"card" help:"test card: animated or still"`
	Follow string `yaml:"follow" help:"sim: the serial device whose board reports the rover's position; default: motors"`
	View   string `yaml:"view" help:"sim: front (what the rover sees) or above (a map with the rover on it); default: front"`

	Width  int     `yaml:"width" help:"requested width, pixels, 16 to 8192; 0 means a camera's current width, 1280 for test, 960 for sim; a video keeps its own"`
	Height int     `yaml:"height" help:"requested height, like width; 0 means 720 for test, 540 for sim"`
	FPS    float64 `yaml:"fps" help:"requested pictures per second, up to 1000; 0 means 30"`
	Format string  `yaml:"format" help:"requested format of a V4L2 camera: auto, MJPEG, H264, YUYV, NV12, I420, BGR24"`

	Bitrate     int `yaml:"bitrate" help:"target bitrate of each stream on the bus, bit/s, 50000 to 50000000"`
	JPEGQuality int `yaml:"jpegQuality" help:"quality of JPEG pictures, 1 to 100"`

	FlipHorizontal bool `yaml:"flipHorizontal" help:"mirror the picture left to right"`
	FlipVertical   bool `yaml:"flipVertical" help:"mirror the picture top to bottom"`
	Rotate         int  `yaml:"rotate" help:"rotate the picture clockwise by 0, 90, 180 or 270 degrees, after flipping"`

	Preprocess preprocess.Command `yaml:"preprocess" help:"command that changes each picture before it is encoded, for example \"python blur.py\": raw BGR24 of FRAME_WIDTH x FRAME_HEIGHT from its input to its output; pictures pass unchanged while it fails"`

	Controls map[string]int64 `yaml:"controls" help:"settings of a V4L2 camera by name, for example {brightness: 128}"`
}

// Defaults is the configuration of a camera without any keys.
func Defaults() Config {
	return Config{Source: "test", Card: "animated", Format: "auto", Bitrate: 2_000_000,
		JPEGQuality: codec.DefaultJPEGQuality}
}

// The default rate of all sources, and the default size of a test card.
const (
	defaultWidth, defaultHeight = 1280, 720
	defaultFPS                  = 30
)

// defaultFollow is the device that a simulated camera follows by default.
const defaultFollow = "motors"

const (
	minSize = 16
	maxFPS  = media.MaxFrameRate
)

var formats = []string{"auto", "MJPEG", "H264", "YUYV", "NV12", "I420", "BGR24"}

// Validate checks every key. Errors name the key and the remedy.
func (c *Config) Validate() error {
	switch {
	case c.Source == "":
		return robot.BadField("source", `is empty: use "test", "sim", a device such as /dev/video0, or the path of a video`)
	case c.Card != "animated" && c.Card != "still":
		return robot.BadField("card", `%q is unknown: use "animated" or "still"`, c.Card)
	case c.Width != 0 && (c.Width < minSize || c.Width > media.MaxSize):
		return robot.BadField("width", "%d is out of range: use %d to %d, or 0 for the source's own", c.Width, minSize,
			media.MaxSize)
	case c.Height != 0 && (c.Height < minSize || c.Height > media.MaxSize):
		return robot.BadField("height", "%d is out of range: use %d to %d, or 0 for the source's own", c.Height, minSize,
			media.MaxSize)
	case (c.Width == 0) != (c.Height == 0):
		return robot.BadField("height", "width and height go together: set both, or neither for the source's own")
	case !(c.FPS >= 0 && c.FPS <= maxFPS):
		return robot.BadField("fps", "%v is out of range: use up to %d, or 0 for 30", c.FPS, maxFPS)
	case !contains(formats, c.Format):
		return robot.BadField("format", "%q is unknown: use one of %s", c.Format, strings.Join(formats, ", "))
	}
	if err := c.validateSource(); err != nil {
		return err
	}
	return c.output().Validate()
}

// networkSchemes begin the addresses of cameras of the kind rtsp-ingest.
var networkSchemes = []string{"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "insta360"}

// validateSource checks the keys that only some sources take.
func (c *Config) validateSource() error {
	switch scheme, _, ok := strings.Cut(c.Source, "://"); {
	case ok && slices.Contains(networkSchemes, strings.ToLower(scheme)):
		scheme = strings.ToLower(scheme)
		return robot.BadField("source", "a camera on the network is another kind: write kind: rtsp-ingest, and this "+
			"address (%s://…) as url instead of source", scheme)
	case c.Follow != "" && c.Source != "sim":
		return robot.BadField("follow", `only source "sim" follows a device, and source is %q: remove it`, c.Source)
	case c.View != "" && c.Source != "sim":
		return robot.BadField("view", `only source "sim" has views, and source is %q: remove it`, c.Source)
	case c.View != "" && !slices.Contains(sim.Views(), c.View):
		return robot.BadField("view", "%q is unknown: use one of %s", c.View, strings.Join(sim.Views(), ", "))
	case len(c.Controls) > 0 && !c.isDevice():
		return robot.BadField("controls", "only a V4L2 camera has controls, and source is %q: remove them", c.Source)
	case c.Source != "test" && c.Source != "sim" && !c.isDevice() && !file.Supported(c.Source):
		return robot.BadField("source", "%q is neither \"test\", \"sim\", a path under /dev, nor a video: those end in %s",
			c.Source, strings.Join(file.Extensions(), ", "))
	}
	if c.Follow != "" {
		if err := robot.CheckDeviceName(c.Follow); err != nil {
			return robot.BadField("follow", "%w", err)
		}
	}
	return nil
}

// output returns the keys about what is made of pictures.
func (c *Config) output() camera.Config {
	return camera.Config{
		Codecs: standard.Codecs(), Bitrate: c.Bitrate, JPEGQuality: c.JPEGQuality,
		Preprocess: c.Preprocess,
		Orientation: codec.Orientation{
			FlipHorizontal: c.FlipHorizontal, FlipVertical: c.FlipVertical, Rotate: c.Rotate,
		},
	}
}

// isDevice reports whether the source is a device node.
func (c *Config) isDevice() bool { return strings.HasPrefix(filepath.Clean(c.Source), "/dev/") }

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
