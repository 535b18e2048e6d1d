package drive

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// Sight says which camera the driver must see, and how fast the robot may move with a picture of some age. The zero
// value demands nothing. The keys belong to the section `drive:`, or, for a device that this section does not name, to
// the device's own section `control:`.
type Sight struct {
	// See is the name of the camera.
	See Camera `yaml:"see" help:"camera that the driver must see; without a fresh picture of it the hardware stops"`
	// Blind has the ages of its picture from which the robot is slower, and stands still.
	Blind Blind `yaml:"blind" help:"picture ages that slow and stop the robot: {slow: 300ms, stop: 800ms} is the default"`
	// Limit bounds how far the robot moves before its driver can react.
	Limit Limit `yaml:"limit" help:"how far the robot may move unseen by its driver: {reaction: 0.3m, speed: 1.5m/s}"`
}

// Camera is the name of a camera, empty for none. A name that is given is not empty.
type Camera string

// UnmarshalText refuses the empty name.
func (c *Camera) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty: name a camera, or leave the key out")
	}
	*c = Camera(text)
	return nil
}

// Blind has ages of the picture that the driver of a command had seen; nil means the default. The word `off` in their
// place turns the check off.
type Blind struct {
	// Slow is the age from which the speed is reduced, linearly down to 0 at Stop.
	Slow *time.Duration `yaml:"slow" help:"age of the picture from which the speed is reduced, 50ms to 5s"`
	// Stop is the age from which the robot stands still.
	Stop *time.Duration `yaml:"stop" help:"age of the picture from which the robot stands still, 100ms to 10s"`

	// Off turns the check off.
	Off bool
}

// SetWord implements [robot.Worded].
func (b *Blind) SetWord(word string) error {
	if word != "off" {
		return fmt.Errorf("%.32q is neither off nor ages: write {slow: 300ms, stop: 800ms}, or off", word)
	}
	b.Off = true
	return nil
}

// Limit bounds how far the robot moves.
type Limit struct {
	// Reaction is how far it moves at most from the capture of the picture that the driver saw until it stands still; 0:
	// not limited.
	Reaction Distance `yaml:"reaction" help:"the farthest the robot moves unseen by its driver, 0.01m to 100m"`
	// Speed is how fast it is at full scale.
	Speed Speed `yaml:"speed" help:"how fast the robot is at full scale, 0.01m/s to 100m/s"`
}

// The limits and defaults of ages.
const (
	DefaultSlow      = 300 * time.Millisecond
	DefaultStop      = 800 * time.Millisecond
	minSlow, maxSlow = 50 * time.Millisecond, 5 * time.Second
	minStop, maxStop = 100 * time.Millisecond, 10 * time.Second
)

// Watched reports whether commands are judged by what their driver sees.
func (s Sight) Watched() bool { return s.See != "" && !s.Blind.Off }

// Ages returns the ages of the picture from which the robot is slower, and stands still.
func (s Sight) Ages() (slow, stop time.Duration) {
	return or(s.Blind.Slow, DefaultSlow), or(s.Blind.Stop, DefaultStop)
}

func or(given *time.Duration, otherwise time.Duration) time.Duration {
	return *cmp.Or(given, &otherwise)
}

// Validate reports all that is wrong, except a camera that does not exist: see Check.
func (s Sight) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, robot.BadField(key, format, args...)) }
	if s.See == "" {
		const remedy = "has no meaning without see: name the camera that the driver must see"
		if s.Blind != (Blind{}) {
			bad("blind", remedy)
		}
		if s.Limit != (Limit{}) {
			bad("limit", remedy)
		}
		return errors.Join(errs...)
	}
	slow, stop := s.Ages()
	if slow < minSlow || slow > maxSlow {
		bad("blind.slow", "%v is out of range: use %v to %v", slow, minSlow, maxSlow)
	}
	if stop < minStop || stop > maxStop {
		bad("blind.stop", "%v is out of range: use %v to %v", stop, minStop, maxStop)
	}
	if len(errs) == 0 && slow >= stop {
		bad("blind", "slow is %v and stop is %v (defaults %v and %v): stop must be the greater age",
			slow, stop, DefaultSlow, DefaultStop)
	}
	return errors.Join(append(errs, s.Limit.validate(s.Blind.Off))...)
}

func (l Limit) validate(off bool) error {
	switch {
	case l.Speed != 0 && l.Reaction == 0:
		return robot.BadField("limit.speed", "has no meaning without reaction: add it, or remove speed")
	case l.Reaction == 0:
		return nil
	case off:
		return robot.BadField("limit.reaction", "needs the age of the picture: remove blind: off, or reaction")
	case l.Speed == 0:
		return robot.BadField("limit.speed", "is missing: say how fast the robot is at full scale, for example 1.5m/s")
	}
	return nil
}

// Check reports a camera that is not one of the robot's devices. Key is the key that names it. The error is one of
// package robot.
func (s Sight) Check(key string, devices []robot.Device) error {
	if s.See == "" {
		return nil
	}
	if err := CheckDevice(key, string(s.See), devices); err != nil {
		return err
	}
	for _, d := range devices {
		if d.Name == string(s.See) && (d.Kind == "serial" || d.Kind == "audio" || d.Kind == "input") {
			return robot.BadField(key, "%q is not a camera but a device of kind %s: name one of the robot's cameras",
				s.See, d.Kind)
		}
	}
	return nil
}

// Distance is a distance in m.
type Distance float64

// UnmarshalText reads a number with its unit.
func (d *Distance) UnmarshalText(text []byte) error {
	v, err := quantity("distance", "m", string(text), "0.3m or 30cm", map[string]float64{"mm": 0.001, "cm": 0.01, "m": 1})
	*d = Distance(v)
	return err
}

// String writes it with its unit.
func (d Distance) String() string { return strconv.FormatFloat(float64(d), 'g', 6, 64) + "m" }

// Speed is a speed in m/s.
type Speed float64

// UnmarshalText reads a number with its unit.
func (s *Speed) UnmarshalText(text []byte) error {
	v, err := quantity("speed", "m/s", string(text), "1.5m/s or 5km/h",
		map[string]float64{"cm/s": 0.01, "m/s": 1, "km/h": 1 / 3.6})
	*s = Speed(v)
	return err
}

// String writes it with its unit.
func (s Speed) String() string { return strconv.FormatFloat(float64(s), 'g', 6, 64) + "m/s" }

// Limits of distances and speeds, in m and m/s.
const least, most = 0.01, 100

// quantity reads a number with one of some units.
func quantity(what, base, text, example string, units map[string]float64) (float64, error) {
	number := strings.TrimRight(text, "/abcdefghijklmnopqrstuvwxyz ")
	unit, known := units[strings.TrimSpace(text[len(number):])]
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !known {
		return 0, fmt.Errorf("%.32q is not a %s: write a number with its unit, like %s", text, what, example)
	}
	if v *= unit; !(v >= least && v <= most) {
		return 0, fmt.Errorf("%.32q is out of range: use %v%[4]s to %[3]v%[4]s", text, least, most, base)
	}
	return v, nil
}
