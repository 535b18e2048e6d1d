package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
	"github.com/waldo-robot/waldo/recording/tap"
	"github.com/waldo-robot/waldo/services/recorder/preroll"
)

// Config holds the keys of a recorder in robot.yaml, which are flags and environment variables as well.
type Config struct {
	Folder string `yaml:"folder" path:"any" help:"where recordings are kept; default: recordings in the folder of the robot's state"`
	// Record names devices and streams; see [tap.Choose].
	Record []string `yaml:"record" help:"devices and streams to record, like [front, motors/rx]; default: all, but for those that have the same pictures in another form"`
	When   string   `yaml:"when" help:"when to record: asked, always, or driven, while somebody drives"`

	OnEStop     bool          `yaml:"onEStop" help:"record when an e-stop is pressed: what preroll has, and what comes within the time of after"`
	Preroll     time.Duration `yaml:"preroll" help:"how much of the time before a start is recorded, 0s to 10m; it is kept in memory, so all streams flow all the time"`
	PrerollSize Size          `yaml:"prerollSize" help:"memory for that at most, 1MiB to 1GiB; when it is full, the time is shorter"`
	After       time.Duration `yaml:"after" help:"how long to go on after the end of a drive, or after an e-stop, 0s to 1h"`
	KeyFrames   time.Duration `yaml:"keyFrames" help:"a stream of pictures is asked for a key frame if none came for so long, so that recordings can be sought, 500ms to 1m; 0s: only at the beginning of each file"`

	Split Split `yaml:"split" help:"when to go on in another file"`
	Keep  Keep  `yaml:"keep" help:"how many recordings to keep, and how much of the disk to leave free"`

	choice  tap.Choice
	robot   *robot.Robot // nil without a robot file
	granted []string     // devices whose methods robot.yaml lets the recorder call
}

// Split says when another file is begun.
type Split struct {
	Size Size          `yaml:"size" help:"size of a file at which the next one is begun, 1MiB or more; 0: any size"`
	Time time.Duration `yaml:"time" help:"time after which the next file is begun, 1s or more; 0s: any time"`
}

// Keep says what is kept.
type Keep struct {
	Recordings int    `yaml:"recordings" help:"how many recordings to keep at most, the newest; 0: all"`
	Free       Size   `yaml:"free" help:"how much of the disk to leave free"`
	Full       string `yaml:"full" help:"what to do when less is free: stop, or delete-oldest recordings"`
}

// Values of When and of Keep.Full.
const (
	whenAsked  = "asked"
	whenAlways = "always"
	whenDriven = "driven"

	fullStop   = "stop"
	fullDelete = "delete-oldest"
)

// Defaults is the default configuration.
func Defaults() Config {
	return Config{
		When: whenAsked, PrerollSize: 64 << 20, After: 30 * time.Second, KeyFrames: 2 * time.Second,
		Split: Split{Size: 1 << 30, Time: time.Hour}, Keep: Keep{Free: 1 << 30, Full: fullStop},
	}
}

// Bounds of the keys.
const (
	mostPreroll                    = 10 * time.Minute
	leastPrerollSize               = 1 << 20
	mostPrerollSize                = 1 << 30
	mostAfter                      = time.Hour
	leastKeyFrames, mostKeyFrames  = 500 * time.Millisecond, time.Minute
	leastSplitSize, leastSplitTime = 1 << 20, time.Second
)

// Validate checks every key, and completes them.
func (c *Config) Validate() error {
	var errs []error
	bad := func(wrong bool, key, format string, args ...any) {
		if wrong {
			errs = append(errs, robot.BadField(key, format, args...))
		}
	}
	whens, fulls := []string{whenAsked, whenAlways, whenDriven}, []string{fullStop, fullDelete}
	bad(!slices.Contains(whens, c.When), "when", "%q is unknown: use one of %s", c.When, strings.Join(whens, ", "))
	bad(!slices.Contains(fulls, c.Keep.Full), "keep.full", "%q is unknown: use one of %s", c.Keep.Full,
		strings.Join(fulls, ", "))
	bad(c.Preroll < 0 || c.Preroll > mostPreroll, "preroll", "%v is out of range: use 0s to %v", c.Preroll, mostPreroll)
	bad(c.PrerollSize < leastPrerollSize || c.PrerollSize > mostPrerollSize, "prerollSize",
		"%v is out of range: use 1MiB to 1GiB", c.PrerollSize)
	bad(c.After < 0 || c.After > mostAfter, "after", "%v is out of range: use 0s to %v", c.After, mostAfter)
	bad(c.KeyFrames != 0 && (c.KeyFrames < leastKeyFrames || c.KeyFrames > mostKeyFrames), "keyFrames",
		"%v is out of range: use %v to %v, or 0s to ask only at the beginning of each file", c.KeyFrames, leastKeyFrames,
		mostKeyFrames)
	bad(c.Split.Size != 0 && c.Split.Size < leastSplitSize, "split.size", "%v is out of range: use 1MiB or more, or 0",
		c.Split.Size)
	bad(c.Split.Time != 0 && c.Split.Time < leastSplitTime, "split.time", "%v is out of range: use 1s or more, or 0s",
		c.Split.Time)
	bad(c.Keep.Recordings < 0, "keep.recordings", "%d is out of range: use 1 or more, or 0 for all", c.Keep.Recordings)
	var err error
	if c.choice, err = tap.Choose(c.Record); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// OfRobot implements [device.OfRobot].
func (c *Config) OfRobot(r *robot.Robot, device string) error {
	c.robot = r
	for _, d := range r.Devices {
		if d.Name == device && d.May != nil {
			c.granted = d.May.Call
		}
	}
	if r.Drive.Text("device") == device {
		return r.Drive.Locate(robot.BadField("device", "a recorder cannot be driven: name the device with the motors"))
	}
	return nil
}

// folder is where recordings are kept.
func (c *Config) folder(environ func(string) string) (string, error) {
	if c.Folder != "" {
		return c.Folder, nil
	}
	folder, err := state.Folder("", environ)
	if err != nil {
		return "", fmt.Errorf("%w: set `folder` to where recordings are to be kept", err)
	}
	return filepath.Join(folder, "recordings"), nil
}

// buffer is for the pre-roll; nil: there is none.
func (c *Config) buffer() *preroll.Buffer {
	if c.Preroll == 0 {
		return nil
	}
	return preroll.New(c.Preroll+c.KeyFrames, int(c.PrerollSize))
}

// machine is the name of this machine, for people.
func machine() string {
	name, _ := os.Hostname()
	return cmp.Or(name, "unknown")
}
