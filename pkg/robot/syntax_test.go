package robot_test

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	needsQuotes = `needs quotes, like `
	noVariables = "variables are not replaced here, so write the value itself"
)

// broken lists texts that are no YAML, with the line of the mistake and what the error must say. It feeds the fuzz test
// too.
var broken = []struct {
	name, yaml, line string
	want             []string
}{
	{"variable in braces", "robot: demo\ndevices:\n  front: {kind: camera, source: ${CAM}}\n  rear: {kind: camera}\n",
		"r:3: ",
		[]string{"the value of source " + needsQuotes + `source: "…"`, noVariables}},
	{"port in braces", "robot: demo\ndevices:\n  front: {kind: camera}\ngateway: {http: :8080}\n", "r:4: ",
		[]string{"the value of http " + needsQuotes}},
	{"on the first line", "gateway: {http: :8080}\nrobot: demo\n", "r:1: ", []string{"the value of http " + needsQuotes}},
	{"on the last line, without its end", "robot: demo\ngateway: {http: :8080}", "r:2: ",
		[]string{"the value of http " + needsQuotes}},
	{"IPv6", "robot: demo\ngateway: {http: [::1]:8080, ice: x}\n", "r:2: ", []string{"the value of http " + needsQuotes}},
	{"braces in text", "robot: demo\ndevices:\n  front: {kind: camera, source: a{b}c}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"text after quotes", "robot: demo\ndevices:\n  front: {kind: camera, source: \"a\"b}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"apostrophe", "robot: demo\ndevices:\n  front: {kind: camera, source: 'it's}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"percent", "robot: demo\ndevices:\n  front: {kind: camera, source: %x}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"at sign", "robot: demo\ndevices:\n  front: {kind: camera, source: @x}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"comment", "robot: demo\ndevices:\n  front: {kind: camera, source: #x}\n  rear: {kind: camera}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"over lines", "robot: demo\ndevices:\n  front: {kind: camera,\n    source: ${CAM},\n    fps: 3}\n  rear: {kind: " +
		"camera}\n", "r:4: ",
		[]string{"the value of source " + needsQuotes, noVariables}},
	{"nested", "robot: a\ndevices:\n  m: {kind: serial, control: {safe: {left: 0}, key: ${KEY}}}\n", "r:3: ",
		[]string{"the value of key " + needsQuotes}},
	{"two mistakes", "robot: demo\ndevices:\n  front: {kind: camera, source: ${CAM}}\n  rear: {kind: camera, source: " +
		"${CAM}}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
	{"two mistakes on a line", "robot: demo\ndevices:\n  front: {kind: ${A}, source: ${B}}\n", "r:3: ",
		[]string{"the value of kind " + needsQuotes}},
	{"comma forgotten", "robot: demo\ndevices:\n  front: {kind: camera source: x}\n", "r:3: ",
		[]string{"put a comma before that"}},
	{"comma forgotten between lines", "robot: demo\ndevices:\n  front: {kind: camera,\n    source: x\n    fps: 3}\n",
		"r:4: ",
		[]string{"a comma or the closing bracket is missing"}},
	{"bracket forgotten", "robot: demo\ndevices:\n  front: {kind: camera\n  rear: {kind: camera}\n", "r:3: ",
		[]string{"the closing bracket is missing"}},
	{"wrong bracket", "robot: demo\ndevices:\n  m: {kind: serial, readKeys: [a, b}\n", "r:3: ",
		[]string{"the closing bracket is missing"}},
	{"bracket too many", "robot: demo\ndevices:\n  front: {kind: camera}}\n  rear: {kind: camera}\n", "r:3: ",
		[]string{"a bracket too many"}},
	{"block, colon", "robot: demo\ndevices:\n  front:\n    source: a: b\n", "r:4: ",
		[]string{"the value of source " + needsQuotes}},
	{"block, at sign", "robot: demo\ndevices:\n  front:\n    source: @x\n    kind: camera\n", "r:4: ",
		[]string{"the value of source " + needsQuotes}},
	{"indentation", "robot: demo\ndevices:\n  front:\n    kind: camera\n   source: x\n", "r:5: ",
		[]string{"indented otherwise"}},
	{"open quotes", "robot: demo\ndevices:\n  front:\n    source: \"x\n", "r:4: ", []string{"needs quotes"}},
	{"alias", "robot: demo\ndevices:\n  front: {kind: camera, source: *x}\n", "r:3: ",
		[]string{"the value of source " + needsQuotes}},
}

func TestSyntaxErrors(t *testing.T) {
	for _, tt := range broken {
		t.Run(tt.name, func(t *testing.T) {
			_, err := robot.Parse("r", []byte(tt.yaml))
			if err == nil || !strings.HasPrefix(err.Error(), tt.line) {
				t.Fatalf("got %v, want %s", err, tt.line)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

// TestSyntaxErrorShowsNoSecret: what needs quotes may be a password.
func TestSyntaxErrorShowsNoSecret(t *testing.T) {
	for _, text := range []string{"gateway: {token: hunter2}x}\n", "gateway: {token: ${hunter2}}\n",
		"nats: {url: nats://bob:hunter2}x@h:1}\n", "gateway: {token: @hunter2}\n",
		"gateway: {token: *hunter2}\n"} {
		_, err := robot.Parse("r", []byte("robot: a\ndevices: {f: {kind: a}}\n"+text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
