package device

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// crane is a kind that asks what the robot file says of driving.
type crane struct {
	Reach int `yaml:"reach" help:"in m"`

	driven bool
}

func (c *crane) OfRobot(r *robot.Robot, device string) error {
	if c.driven = r.Drive.Text("device") == device; c.Reach > 9 {
		return robot.BadField("reach", "%d is out of range", c.Reach)
	}
	return nil
}

const cranes = `robot: filed
devices:
  top: {kind: crane, reach: 3}
  low: {kind: crane, reach: 10}
  sun: {kind: lamp}
  dim: {kind: lamp}
`

func TestOfRobot(t *testing.T) {
	kind := Kind[crane]{Name: "crane", New: func(*Kit, crane) (Driver, error) { return nil, errors.New("not started") }}
	read := func(device, drive string) (crane, error) {
		_, c, _, err := configure(kind, []string{"--robot-file", writeRobot(t, cranes+drive), "--device", device},
			environment(), io.Discard)
		return c, err
	}
	if c, err := read("top", "drive: {device: top}"); err != nil || !c.driven {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := read("top", "drive: {device: low}"); err != nil || c.driven {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := read("low", ""); err == nil ||
		!strings.Contains(err.Error(), ":4: devices.low.reach: 10 is out of range") {
		t.Errorf("%v", err)
	}
	if _, c, _, err := configure(kind, []string{"--device", "x", "--reach", "99"}, environment(),
		io.Discard); err != nil || c.Reach != 99 {
		t.Errorf("without a file: %+v, %v", c, err)
	}
}

// TestSeeIsNotIgnored by a kind that knows nothing of it.
func TestSeeIsNotIgnored(t *testing.T) {
	read := func(device, drive string) error {
		_, _, _, err := configure(lampKind(), []string{"--robot-file", writeRobot(t, cranes+drive), "--device", device},
			environment(), io.Discard)
		return err
	}
	if err := read("sun", "drive: {device: sun, see: top}"); err == nil ||
		!strings.Contains(err.Error(), `:7: drive.see: the kind of the device "sun" does not check`) {
		t.Errorf("%v", err)
	}
	for _, drive := range []string{"", "drive: {device: sun}", "drive: {device: dim, see: top}"} {
		if err := read("sun", drive); err != nil {
			t.Errorf("%s: %v", drive, err)
		}
	}
}
