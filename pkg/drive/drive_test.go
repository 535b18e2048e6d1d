package drive_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/control"
	"github.com/waldo-robot/waldo/pkg/drive"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const head = `robot: demo
devices:
  front: {kind: camera}
  motors: {kind: serial}
drive:
  device: motors
  keys: {left: {forward: 200, turn: 60}, right: {forward: 200, turn: -60}, arm: {turn: -0.5, offset: 90}}
`

func read(t testing.TB, keys string) (drive.Drive, error) {
	t.Helper()
	r, err := robot.Parse("r", []byte(head+keys))
	if err != nil {
		t.Fatal(err)
	}
	return drive.Read(r, (*robot.Section).Decode)
}

const ms = time.Millisecond

func TestSight(t *testing.T) {
	for keys, want := range map[string]struct {
		watched         bool
		slow, stop      time.Duration
		reaction, speed float64
	}{
		"":                           {slow: 300 * ms, stop: 800 * ms},
		"  see: front\n":             {watched: true, slow: 300 * ms, stop: 800 * ms},
		"  see: front\n  blind:\n":   {watched: true, slow: 300 * ms, stop: 800 * ms},
		"  see: front\n  blind: off": {slow: 300 * ms, stop: 800 * ms},
		"  see: front\n  blind: {slow: 50ms, stop: 10s}": {watched: true, slow: 50 * ms, stop: 10 * time.Second},
		"  see: front\n  blind: {stop: 301ms}":           {watched: true, slow: 300 * ms, stop: 301 * ms},
		"  see: front\n  limit: {reaction: 30cm, speed: 5.4 km/h}": {
			watched: true, slow: 300 * ms, stop: 800 * ms, reaction: 0.3, speed: 1.5,
		},
	} {
		d, err := read(t, keys)
		if err != nil {
			t.Errorf("%s: %v", keys, err)
			continue
		}
		slow, stop := d.Ages()
		if d.Watched() != want.watched || slow != want.slow || stop != want.stop || !near(float64(d.Limit.Reaction),
			want.reaction) || !near(float64(d.Limit.Speed), want.speed) {
			t.Errorf("%s: %+v", keys, d.Sight)
		}
	}
	if drive.DefaultStop <= control.DefaultDeadman {
		t.Error("who is blind is stopped by the deadman already")
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func TestBadSight(t *testing.T) {
	for _, tt := range []struct{ keys, want string }{
		{"  see: frnt", `r:8: drive.see: there is no device "frnt"; there are: front, motors`},
		{"  see: motors",
			`r:8: drive.see: "motors" is not a camera but a device of kind serial: name one of the robot's cameras`},
		{"  blind: off", `r:8: drive.blind: has no meaning without see: name the camera that the driver must see`},
		{"  blind: {slow: 100ms}\n  limit: {reaction: 1m}",
			"r:8: drive.blind: has no meaning without see: name the camera that " +
				"the driver must see\nr:9: drive.limit: has no meaning without see: name the camera that the driver must see"},
		{`  see: ""`, `r:8: drive.see: is empty: name a camera, or leave the key out`},
		{"  see: front\n  blind: {slow: 0ms}", `r:9: drive.blind.slow: 0s is out of range: use 50ms to 5s`},
		{"  see: front\n  blind:\n    stop: 0", `r:10: drive.blind.stop: 0s is out of range: use 100ms to 10s`},
		{"  see: front\n  blind: on",
			`r:9: drive.blind: "on" is neither off nor ages: write {slow: 300ms, stop: 800ms}, or off`},
		{"  see: front\n  blind: [1]", `r:9: drive.blind: found a list where keys with values are wanted, like {key: value}`},
		{"  see: front\n  blind: {slow: 0.3}",
			`r:9: drive.blind.slow: "0.3" is not a duration: write a number with its unit, like 200ms, 1.5s, 2m`},
		{"  see: front\n  blind: {slow: 49ms}", `r:9: drive.blind.slow: 49ms is out of range: use 50ms to 5s`},
		{"  see: front\n  blind:\n    stop: 11s", `r:10: drive.blind.stop: 11s is out of range: use 100ms to 10s`},
		{"  see: front\n  blind: {slow: 900ms}",
			`r:9: drive.blind: slow is 900ms and stop is 800ms (defaults 300ms and 800ms): stop must be the greater age`},
		{"  see: front\n  blind: {slow: 1s, stop: 1s}",
			`r:9: drive.blind: slow is 1s and stop is 1s (defaults 300ms and 800ms): stop must be the greater age`},
		{"  see: front\n  limit: {reaction: 0.3}",
			`r:9: drive.limit.reaction: "0.3" is not a distance: write a number with its unit, like 0.3m or 30cm`},
		{"  see: front\n  limit: {reaction: 1e9m}", `r:9: drive.limit.reaction: "1e9m" is out of range: use 0.01m to 100m`},
		{"  see: front\n  limit: {reaction: -1m}", `r:9: drive.limit.reaction: "-1m" is out of range: use 0.01m to 100m`},
		{"  see: front\n  limit: {reaction: 1m}",
			`r:9: drive.limit.speed: is missing: say how fast the robot is at full scale, for example 1.5m/s`},
		{"  see: front\n  limit: {speed: 1m}",
			`r:9: drive.limit.speed: "1m" is not a speed: write a number with its unit, like 1.5m/s or 5km/h`},
		{"  see: front\n  limit: {speed: 1m/s}",
			`r:9: drive.limit.speed: has no meaning without reaction: add it, or remove speed`},
		{"  see: front\n  blind: off\n  limit: {reaction: 1m, speed: 1m/s}",
			`r:10: drive.limit.reaction: needs the age of the picture: remove blind: off, or reaction`},
	} {
		if _, err := read(t, tt.keys); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got\n%v, want\n%s", tt.keys, err, tt.want)
		}
	}
}

func TestFullScale(t *testing.T) {
	d, err := read(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if s := d.FullScale(); len(s) != 3 || s["left"] != 260 || s["right"] != 260 || s["arm"] != 0.5 {
		t.Errorf("%v", s)
	}
	if m := d.Message(); m.GetSee() != "" {
		t.Errorf("%v", m)
	}
	if d, err = read(t, "  see: front\n"); err != nil || d.Message().GetSee() != "front" {
		t.Errorf("%v, %v", d.Message(), err)
	}
}

// FuzzQuantity reads numbers with units, as robot.yaml has them.
func FuzzQuantity(f *testing.F) {
	for _, s := range []string{
		"0.3m", "30cm", "1.5m/s", "5 km/h", "1e9m", "-1m", "m", "", "NaNm", "infm/s", "0x1p-2m", "1_0m",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d drive.Distance
		if err := d.UnmarshalText([]byte(s)); err == nil && !(d >= 0.01 && d <= 100) {
			t.Errorf("%q: %v", s, d)
		} else if err != nil && !strings.Contains(err.Error(), "use ") && !strings.Contains(err.Error(), "write ") {
			t.Errorf("%q: no remedy in %v", s, err)
		}
		var v drive.Speed
		if err := v.UnmarshalText([]byte(s)); err == nil && !(v >= 0.01 && v <= 100) {
			t.Errorf("%q: %v", s, v)
		}
	})
}
