package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/doctor"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
)

// TestDoctor examines this machine for a robot with several things wrong. What else may be wrong with the machine does
// not matter.
func TestDoctor(t *testing.T) {
	t.Setenv("PATH", launchtest.Install(t, "waldo-camera", "waldo-gateway"))
	file := launchtest.WriteRobot(t, `robot: demo
devices:
  front: {kind: camera, source: /dev/waldo-is-not-there, grpc: "127.0.0.1:0", widht: 3}
  ear: {kind: audio, source: tone, grpc: "127.0.0.1:0"}
gateway: {http: "127.0.0.1:0"}
nats: {listen: "`+free(t)+`"}
`)
	code, out, err := waldo(t, "doctor", "--json", file)
	var found []doctor.Finding
	if jsonErr := json.Unmarshal([]byte(out), &found); jsonErr != nil || code != 1 {
		t.Fatalf("code %d, %v, %s, %s", code, jsonErr, err, out)
	}
	for check, problem := range map[string]string{
		"robot.yaml": `unknown key "widht"`,
		"programs":   "there is no program waldo-audio",
		"devices":    "/dev/waldo-is-not-there is not there",
	} {
		if !strings.Contains(problems(found, check), problem) {
			t.Errorf("%s: %q is not found, but %+v", check, problem, found)
		}
	}
	_, out, _ = waldo(t, "doctor", file)
	if want := "\tremedy: apt install waldo-audio"; !strings.Contains(out, want) {
		t.Errorf("%q is not in\n%s", want, out)
	}
}

// problems joins what a check has found.
func problems(found []doctor.Finding, check string) (text string) {
	for _, f := range found {
		if f.Check == check {
			text += f.Problem + "\n"
		}
	}
	return text
}
