package robot_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestMay(t *testing.T) {
	r, err := robot.Parse("r", []byte(`robot: a
devices:
  front: {kind: camera}
  motors: {kind: serial, may: {}}
  mind: {kind: mind, depth: 3, may: {read: [front/video-jpeg, motors], write: [motors/in], call: [motors], topics: [Chat_1]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &robot.May{Read: []string{"front/video-jpeg", "motors"}, Write: []string{"motors/in"},
		Call: []string{"motors"}, Topics: []string{"Chat_1"}}
	if got := r.Devices[2].May; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if r.Devices[0].May != nil || r.Devices[1].May == nil {
		t.Errorf("not said is %v, nothing is %v", r.Devices[0].May, r.Devices[1].May)
	}
	var own struct {
		Depth int `yaml:"depth"`
	}
	if err := r.Devices[2].Decode(&own); err != nil || own.Depth != 3 {
		t.Errorf("the keys of the kind: %+v, %v", own, err)
	}
}

// mays are what must be refused, and what the error must say. They feed the fuzz test too.
var mays = map[string]string{
	"{reed: [f]}":         `r:3: devices.d.may: unknown key "reed" (did you mean "read"?)`,
	"7":                   "r:3: devices.d.may",
	"{read: [f/Video]}":   `r:3: devices.d.may.read: "f/Video" is not a stream of a device`,
	"{read: [f/a/b]}":     `r:3: devices.d.may.read: "f/a/b" is not a stream of a device`,
	"{read: [\"*\"]}":     `r:3: devices.d.may.read: "*" is not a stream of a device`,
	"{write: [\"f.>\"]}":  `r:3: devices.d.may.write: "f.>" is not a stream of a device`,
	"{call: [f/x]}":       `r:3: devices.d.may.call: "f/x" is not the name of a device`,
	"{topics: [\"a.b\"]}": `r:3: devices.d.may.topics: "a.b" is not a topic`,
	"{call: [g]}":         `r:3: devices.d.may.call: the robot has no device "g"`,
	"{read: [g/video]}":   `r:3: devices.d.may.read: the robot has no device "g"`,
	"{call: [" + strings.Repeat("f, ", 64) + "f]}": "r:3: devices.d.may.call: has 65 entries: use at most 64",
}

func TestMayRefuses(t *testing.T) {
	for may, want := range mays {
		_, err := robot.Parse("r", []byte("robot: a\ndevices:\n  d: {kind: k, may: "+may+"}\n  f: {kind: camera}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not tell %q", may, err, want)
		}
	}
}
