// Package drive is the section `drive:` of robot.yaml: how the robot is driven, and what its driver must see. The
// gateway passes it to the page, and the process of the driven device enforces it. Both read it here, so they agree on
// which sections are valid.
package drive

import (
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// Drive is the section `drive:` of robot.yaml: how the robot is driven. The zero value is a robot of which nobody says
// that.
type Drive struct {
	// Device is the actuator that is driven.
	Device string `yaml:"device"`
	// Method is by which it is commanded; empty for a board, which is sent messages.
	Method string `yaml:"method"`
	// Rate is how many commands a second are sent, 10 to 100; 0 means 30.
	Rate float64 `yaml:"rate"`
	// Keys are the values of a command by their key, each a sum: what each axis adds at 1, and `offset`.
	Keys map[string]map[string]float64 `yaml:"keys"`
	// Axes are what a driver moves. Those named forward, turn, strafe and lift have controls where nothing is said.
	Axes map[string]Axis `yaml:"axes"`
	// Pads say what the controls of gamepads are that browsers have no mapping for: by a part of the pad's name, the pad's
	// own control for each standard one.
	Pads map[string]map[string]string `yaml:"pads"`

	Sight `yaml:",inline"`
}

// Axis says what moves an axis. An empty field of a known axis has its default; `none` is nothing.
type Axis struct {
	Plus    []string `yaml:"plus"`
	Minus   []string `yaml:"minus"`
	Gamepad string   `yaml:"gamepad"`
	Touch   string   `yaml:"touch"`
}

const (
	defaultRate      = 30
	minRate, maxRate = 10, 100
	offset           = "offset" // no axis
	none             = "none"
	minPadID         = 4
	gamepadControls  = "axis0 to axis15 or button0 to button31, with a - in front to turn it around"
)

// knownAxes are those that need not be described.
var knownAxes = map[string]Axis{
	"forward": {Plus: []string{"KeyW", "ArrowUp"}, Minus: []string{"KeyS", "ArrowDown"}, Gamepad: "-axis1", Touch: "y"},
	"turn":    {Plus: []string{"KeyD", "ArrowRight"}, Minus: []string{"KeyA", "ArrowLeft"}, Gamepad: "axis0", Touch: "x"},
	"strafe":  {Plus: []string{"KeyE"}, Minus: []string{"KeyQ"}, Gamepad: "axis2"},
	"lift":    {Plus: []string{"KeyR"}, Minus: []string{"KeyV"}, Gamepad: "-axis3"},
}

var (
	codeForm    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,31}$`)
	gamepadForm = regexp.MustCompile(`^-?(axis(1[0-5]|[0-9])|button([12][0-9]|3[01]|[0-9]))$`)
	// standardForm is a control that the W3C's standard gamepad has.
	standardForm = regexp.MustCompile(`^(axis[0-3]|button(1[0-6]|[0-9]))$`)
	methodForm   = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*\.)+[A-Za-z_][A-Za-z0-9_]*/[A-Za-z_][A-Za-z0-9_]*$`)
	touchForm    = regexp.MustCompile(`^-?[xy]$`)
)

// Validate reports all that is wrong.
func (d *Drive) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, robot.BadField(key, format, args...)) }
	if d.Device == "" {
		bad("device", "is missing: name the device that is driven, for example a serial one with a section control:")
	}
	if d.Rate != 0 && !(d.Rate >= minRate && d.Rate <= maxRate) {
		bad("rate", "%v is out of range: use %d to %d commands a second", d.Rate, minRate, maxRate)
	}
	if d.Method != "" && !methodForm.MatchString(d.Method) {
		bad("method", "%q is not the full name of a method: write it like waldo.ptz.v1.PtzService/Move", d.Method)
	}
	if len(d.Keys) == 0 {
		bad("keys", "is missing: say what the axes add to each value, for example left: {forward: 100, turn: 50}")
	}
	for _, key := range slices.Sorted(maps.Keys(d.Keys)) {
		for _, axis := range slices.Sorted(maps.Keys(d.Keys[key])) {
			if _, known := d.axis(axis); !known && axis != offset {
				bad("keys."+key+"."+axis, "there is no axis %q: use %s, or describe it under axes:", axis,
					strings.Join(d.axisNames(), ", "))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Axes)) {
		errs = append(errs, d.Axes[name].validate("axes."+name))
	}
	for _, id := range slices.Sorted(maps.Keys(d.Pads)) {
		errs = append(errs, validatePad("pads."+id, id, d.Pads[id]))
	}
	return errors.Join(append(errs, d.Sight.Validate())...)
}

// validatePad reports what is wrong with the description of one gamepad.
func validatePad(path, id string, controls map[string]string) error {
	var errs []error
	if len(id) < minPadID {
		errs = append(errs, robot.BadField(path, "%q fits too many pads: use at least %d characters of the pad's name", id,
			minPadID))
	}
	if len(controls) == 0 {
		errs = append(errs, robot.BadField(path, "names no controls: list the pad's own control for each standard one, "+
			"for example axis2: axis3"))
	}
	for _, standard := range slices.Sorted(maps.Keys(controls)) {
		if !standardForm.MatchString(standard) {
			errs = append(errs, robot.BadField(path+"."+standard,
				"%q is not a control of the standard gamepad: use axis0 to axis3 or button0 to button16", standard))
		}
		if own := controls[standard]; !gamepadForm.MatchString(own) {
			errs = append(errs, robot.BadField(path+"."+standard, "%q is not a control: use %s", own, gamepadControls))
		}
	}
	return errors.Join(errs...)
}

// axisNames are those that can be used.
func (d *Drive) axisNames() []string {
	names := slices.Collect(maps.Keys(knownAxes))
	names = slices.AppendSeq(names, maps.Keys(d.Axes))
	slices.Sort(names)
	return slices.Compact(names)
}

// axis returns what moves an axis, with the defaults of known ones filled in.
func (d *Drive) axis(name string) (Axis, bool) {
	usual, known := knownAxes[name]
	own, given := d.Axes[name]
	a := Axis{
		Plus: first(own.Plus, usual.Plus), Minus: first(own.Minus, usual.Minus),
		Gamepad: without(own.Gamepad, usual.Gamepad), Touch: without(own.Touch, usual.Touch),
	}
	return a, known || given
}

// first is the list that is given.
func first(own, usual []string) []string {
	if len(own) == 0 {
		return usual
	}
	return slices.DeleteFunc(slices.Clone(own), func(code string) bool { return code == none })
}

// without is the control that is given, unless it is none.
func without(own, usual string) string {
	switch own {
	case "":
		return usual
	case none:
		return ""
	default:
		return own
	}
}

func (a Axis) validate(path string) error {
	var errs []error
	for key, codes := range map[string][]string{"plus": a.Plus, "minus": a.Minus} {
		for _, code := range codes {
			if code != none && !codeForm.MatchString(code) {
				errs = append(errs, robot.BadField(path+"."+key,
					"%q is not a key: use its code, like KeyW, ArrowUp or Numpad8", code))
			}
		}
	}
	if a.Gamepad != "" && a.Gamepad != none && !gamepadForm.MatchString(a.Gamepad) {
		errs = append(errs, robot.BadField(path+".gamepad", "%q is not a control: use %s", a.Gamepad, gamepadControls))
	}
	if a.Touch != "" && a.Touch != none && !touchForm.MatchString(a.Touch) {
		errs = append(errs, robot.BadField(path+".touch",
			"%q is not a direction: use x or y, with a leading - to invert it", a.Touch))
	}
	return errors.Join(errs...)
}

// Message is what peers are told; nil if nobody says how the robot is driven.
func (d *Drive) Message() *signalingv1.Drive {
	if d.Device == "" {
		return nil
	}
	m := &signalingv1.Drive{Device: d.Device, Method: d.Method, RateHz: d.Rate, See: string(d.See)}
	if m.RateHz == 0 {
		m.RateHz = defaultRate
	}
	used := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(d.Keys)) {
		value := &signalingv1.DriveValue{Key: key, Offset: d.Keys[key][offset]}
		for _, axis := range slices.Sorted(maps.Keys(d.Keys[key])) {
			if axis != offset {
				used[axis] = true
				value.Terms = append(value.Terms, &signalingv1.DriveTerm{Axis: axis, Gain: d.Keys[key][axis]})
			}
		}
		m.Values = append(m.Values, value)
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		a, _ := d.axis(name)
		m.Axes = append(m.Axes, &signalingv1.DriveAxis{Name: name, PlusKeys: a.Plus, MinusKeys: a.Minus, Gamepad: a.Gamepad,
			Touch: a.Touch})
	}
	for _, id := range slices.Sorted(maps.Keys(d.Pads)) {
		m.Pads = append(m.Pads, &signalingv1.DrivePad{Id: id, Controls: d.Pads[id]})
	}
	return m
}

// FullScale is the most that the axes add to each value, by its key: the sum of the absolute gains.
func (d *Drive) FullScale() map[string]float64 {
	scales := map[string]float64{}
	for key, terms := range d.Keys {
		for axis, gain := range terms {
			if axis != offset {
				scales[key] += math.Abs(gain)
			}
		}
	}
	return scales
}

// Read reads the section of a robot file by decode, which is [robot.Section.Decode] or does more. The error names the
// line.
func Read(r *robot.Robot, decode func(section *robot.Section, into any) error) (Drive, error) {
	var d Drive
	if !r.Drive.Given() {
		return d, nil
	}
	if err := decode(&r.Drive, &d); err != nil {
		return d, err
	}
	return d, r.Drive.Locate(errors.Join(CheckDevice("device", d.Device, r.Devices), d.Sight.Check("see", r.Devices)))
}

// CheckDevice sees to it that a device is one of the robot's. The error is one of package robot, about the key.
func CheckDevice(key, name string, devices []robot.Device) error {
	names := make([]string, len(devices))
	for i, known := range devices {
		names[i] = known.Name
	}
	if slices.Contains(names, name) {
		return nil
	}
	return robot.BadField(key, "there is no device %q; there are: %s", name, strings.Join(names, ", "))
}
