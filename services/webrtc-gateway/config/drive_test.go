package config_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	signalingv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/signaling/v1"
)

const rover = "robot: demo\ndevices: {front: {kind: camera}, motors: {kind: serial}}\n"

func TestDrive(t *testing.T) {
	for name, tt := range map[string]struct {
		yaml string
		want string
	}{
		"nobody says": {"", ""},
		"two tracks": {"drive: {device: motors, keys: {left: {forward: 200, turn: 55}, right: {forward: 200, turn: -55}}}", `
			device: "motors" rate_hz: 30
			axes: {name: "forward" plus_keys: "KeyW" plus_keys: "ArrowUp" minus_keys: "KeyS" minus_keys: "ArrowDown" gamepad: "-axis1" touch: "y"}
			axes: {name: "turn" plus_keys: "KeyD" plus_keys: "ArrowRight" minus_keys: "KeyA" minus_keys: "ArrowLeft" gamepad: "axis0" touch: "x"}
			values: {key: "left" terms: {axis: "forward" gain: 200} terms: {axis: "turn" gain: 55}}
			values: {key: "right" terms: {axis: "forward" gain: 200} terms: {axis: "turn" gain: -55}}`},
		"a method of its own": {"drive: {device: motors, method: waldo.ptz.v1.PtzService/Move, keys: {pan: {turn: 1}}}", `
			device: "motors" rate_hz: 30 method: "waldo.ptz.v1.PtzService/Move"
			axes { name: "turn" plus_keys: "KeyD" plus_keys: "ArrowRight" minus_keys: "KeyA" minus_keys: "ArrowLeft"
				gamepad: "axis0" touch: "x" }
			values { key: "pan" terms { axis: "turn" gain: 1 } }`},
		"a servo of one's own": {`drive:
  device: motors
  rate: 50
  keys: {angle: {steer: -40, offset: 90}}
  axes: {steer: {plus: [KeyL], minus: [KeyJ], gamepad: button7}, unused: {}}`, `
			device: "motors" rate_hz: 50
			axes: {name: "steer" plus_keys: "KeyL" minus_keys: "KeyJ" gamepad: "button7"}
			values: {key: "angle" terms: {axis: "steer" gain: -40} offset: 90}`},
		"a gamepad without a mapping": {`drive:
  device: motors
  keys: {speed: {lift: 1}}
  pads: {"Twin USB": {axis3: axis2, button7: -axis5}, Saitek: {axis1: button3}}`, `
			device: "motors" rate_hz: 30
			axes: {name: "lift" plus_keys: "KeyR" minus_keys: "KeyV" gamepad: "-axis3"}
			values: {key: "speed" terms: {axis: "lift" gain: 1}}
			pads: {id: "Saitek" controls: {key: "axis1" value: "button3"}}
			pads: {id: "Twin USB" controls: {key: "axis3" value: "axis2"} controls: {key: "button7" value: "-axis5"}}`},
		"a known axis changed": {"drive: {device: motors, keys: {speed: {forward: 1}}, axes: {forward: {minus: [none], " +
			"touch: none}}}", `
			device: "motors" rate_hz: 30
			axes: {name: "forward" plus_keys: "KeyW" plus_keys: "ArrowUp" gamepad: "-axis1"}
			values: {key: "speed" terms: {axis: "forward" gain: 1}}`},
	} {
		c, err := load(t, rover+tt.yaml, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := &signalingv1.Drive{}
		if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
			t.Fatal(err)
		}
		got := c.Drive.Message()
		if (got == nil) != (tt.want == "") || got != nil && !proto.Equal(got, want) {
			t.Errorf("%s: got\n%v\nwant\n%v", name, got, want)
		}
	}
}

func TestBadDrive(t *testing.T) {
	for yaml, want := range map[string]string{
		"drive: {keys: {a: {turn: 1}}}":                               "drive.device: is missing",
		"drive: {device: motor, keys: {a: {turn: 1}}}":                `:3: drive.device: there is no device "motor"; there are: front, motors`,
		"drive: {device: motors, method: Move, keys: {a: {turn: 1}}}": `drive.method: "Move" is not the full name`,
		"drive: {device: motors}":                                     "drive.keys: is missing",
		"drive: {device: motors, rate: 5, keys: {a: {turn: 1}}}": "drive.rate: 5 is out of " +
			"range: use 10 to 100",
		"drive: {device: motors, keys: {a: {trun: 1}}}":                                      `drive.keys.a.trun: there is no axis "trun": use forward, lift, strafe, turn`,
		"drive: {device: motors, keys: {a: {turn: fast}}}":                                   `"fast" is not a number`,
		"drive: {device: motors, keys: {a: {turn: 1}}, axes: {turn: {plus: [w]}}}":           `drive.axes.turn.plus: "w" is not a key`,
		"drive: {device: motors, keys: {a: {turn: 1}}, axes: {turn: {gamepad: axis99}}}":     `drive.axes.turn.gamepad: "axis99" is not a control`,
		"drive: {device: motors, keys: {a: {turn: 1}}, pads: {Pad: {axis0: axis1}}}":         `drive.pads.Pad: "Pad" fits too many pads`,
		"drive: {device: motors, keys: {a: {turn: 1}}, pads: {Twin USB: {}}}":                `drive.pads.Twin USB: names no controls`,
		"drive: {device: motors, keys: {a: {turn: 1}}, pads: {Twin USB: {axis4: axis1}}}":    `drive.pads.Twin USB.axis4: "axis4" is not a control of the standard gamepad`,
		"drive: {device: motors, keys: {a: {turn: 1}}, pads: {Twin USB: {axis0: left}}}":     `drive.pads.Twin USB.axis0: "left" is not a control`,
		"drive: {device: motors, keys: {a: {turn: 1}}, axes: {turn: {touch: z}}}":            `drive.axes.turn.touch: "z" is not a direction`,
		"drive: {device: motors, keys: {a: {turn: 1}}, axes: {turn: {pad: axis1}}}":          `unknown key "pad"`,
		"drive: {device: motors, keys: {a: {turn: 1}}, axes: {turn: {plus: [W], touch: q}}}": `drive.axes.turn.touch: "q" is not a direction`,
	} {
		if _, err := load(t, rover+yaml, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}
