package launch

import (
	"errors"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestWhoReadsDrive: what the driver must see is part of the configuration of the device that is driven, so that a
// change restarts it; the rest is the gateway's alone.
func TestWhoReadsDrive(t *testing.T) {
	driven := func(device, control, drive string) string {
		t.Helper()
		r, err := robot.Parse("r", []byte("robot: a\ndevices:\n  front: {kind: camera}\n  motors: {kind: serial, "+control+
			"}\n  arm: {kind: serial}\ndrive: {"+drive+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Device(device)
		if err != nil {
			t.Fatal(err)
		}
		return driven(r, d)
	}
	const seen = "device: motors, keys: {left: {forward: 1}}, see: front"
	before := driven("motors", "", seen)
	if before == "" {
		t.Error("what the driver must see is not part of it")
	}
	for name, tt := range map[string]struct {
		device, control, drive string
		same                   bool
	}{
		"nothing changes":         {"motors", "", seen, true},
		"the order of keys":       {"motors", "", "see: front, keys: {left: {forward: 1}}, device: motors", false},
		"the rate and the pads":   {"motors", "", seen + ", rate: 50, pads: {Twin USB: {axis0: axis1}}", true},
		"another camera":          {"motors", "", "device: motors, keys: {left: {forward: 1}}, see: rear", false},
		"another age":             {"motors", "", seen + ", blind: {slow: 1s}", false},
		"another full scale":      {"motors", "", "device: motors, keys: {left: {forward: 2}}, see: front", false},
		"said of the device only": {"motors", "control: {see: front}", "device: motors, keys: {left: {forward: 1}}", false},
	} {
		if got := driven(tt.device, tt.control, tt.drive); (got == before) != tt.same {
			t.Errorf("%s: %s, before %s", name, got, before)
		}
	}
	if got := driven("arm", "", seen) + driven("motors", "", "device: motors, keys: {left: {forward: 1}}"); got != "" {
		t.Errorf("nobody must see: %s", got)
	}
}

// TestErrorsAreToldOnce although two programs print them.
func TestErrorsAreToldOnce(t *testing.T) {
	bad := errors.New("r:3: drive.see: there is no device")
	got := once([]error{bad, nil, errors.New("r:3: drive.see: there is no device\nr:4: drive.rate: is out of range"), bad})
	var texts []string
	for _, err := range got {
		texts = append(texts, err.Error())
	}
	if want := []string{bad.Error(), "r:4: drive.rate: is out of range"}; !slices.Equal(texts, want) ||
		!errors.Is(got[0], bad) {
		t.Errorf("%q, want %q", texts, want)
	}
}
