package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// calledDevices are of the kinds that the examples call: a camera, a board that moves, and a sound card.
const calledDevices = `front: {kind: camera, source: test, width: 640, height: 480, fps: 30}
	motors: {kind: serial, port: sim, read: "<IhhiihHB", readKeys: [uptime, left, right, x, y, heading, battery, ` +
	`flags], startByte: 0x5A, checksum: crc8, write: "<hh", writeKeys: [left, right], writeStartByte: 0xA5, ` +
	`writeChecksum: crc8, control: {safe: {left: 0, right: 0}}}
	voice: {kind: audio, source: tone}`

// exampleCall runs an example in some language: a command with a device of a robot, and returns what it prints.
type exampleCall func(t *testing.T, robot *harness.Robot, command, device string, more ...string) (string, error)

// callCPP runs the program of examples/cpp, which `make e2e` builds.
func callCPP(t *testing.T, robot *harness.Robot, command, device string, more ...string) (string, error) {
	program := os.Getenv("WALDO_CPP")
	if program == "" {
		t.Fatal("WALDO_CPP is not set: run the tests with `make e2e`, " +
			"or set it to the program that examples/cpp/Makefile makes")
	}
	return harness.TryRun(nil, program, append([]string{command, robot.Device(t, device).GRPCAddress}, more...)...)
}

// callNode runs examples/node, with the npm package.
func callNode(t *testing.T, robot *harness.Robot, command, device string, more ...string) (string, error) {
	if command == "sound" {
		more = append(more, filepath.Join(t.TempDir(), "said.wav"))
	}
	return harness.TryRun([]string{"WALDO_NATS=" + robot.NATS}, "node",
		append([]string{filepath.Join(copyOf(t, "node"), "robot.mjs"), command, device}, more...)...)
}

// callPython runs the scripts of examples/python, over bare gRPC.
func callPython(t *testing.T, robot *harness.Robot, command, device string, more ...string) (string, error) {
	script := map[string]string{
		"camera": "frames.py", "sound": "sound.py", "serial": "messages.py", "drive": "drive.py",
	}[command]
	if command == "sound" {
		more = append(more, "record", filepath.Join(t.TempDir(), "said.wav"), "0.5")
	}
	return harness.TryRun(nil, python(t),
		append([]string{"../examples/python/" + script, robot.Device(t, device).GRPCAddress}, more...)...)
}

// TestAnyLanguage runs the examples in C++, Node and Python: a camera, sound, a board, and driving it.
func TestAnyLanguage(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{Devices: calledDevices})
	for language, call := range map[string]exampleCall{"c++": callCPP, "node": callNode, "python": callPython} {
		prints := func(t *testing.T, command, device string) string {
			t.Helper()
			out, err := call(t, robot, command, device)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		t.Run(language+"/camera", func(t *testing.T) { checkPictures(t, prints(t, "camera", "front")) })
		t.Run(language+"/sound", func(t *testing.T) {
			out := prints(t, "sound", "voice")
			if !strings.Contains(out, "8000 samples") && !strings.Contains(out, "recorded 0.50 s") {
				t.Errorf("half a second at 16 kHz is reported as %q", out)
			}
		})
		t.Run(language+"/serial", func(t *testing.T) {
			out := prints(t, "serial", "motors")
			if n := strings.Count(out, `"battery":`); n != 5 {
				t.Errorf("%d messages, want 5:\n%s", n, out)
			}
		})
		t.Run(language+"/drive", func(t *testing.T) {
			board := watchBoard(t, robot, "motors")
			inTime(t, func() (string, error) { return call(t, robot, "drive", "motors", `{"left": 120, "right": 130}`) })
			board.says(t, `"left":120,"right":130`)
			board.says(t, `"left":0,"right":0`)
		})
	}
}

func checkPictures(t *testing.T, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 10 {
		t.Errorf("%d lines, want 10", len(lines))
	}
	for _, line := range lines {
		if !strings.Contains(line, "640x480") && !strings.Contains(line, "(480, 640, 3)") {
			t.Errorf("%q is no picture of 640x480", line)
		}
		if strings.Contains(line, "brightness 0.0") || !strings.Contains(line, "mean brightness") {
			t.Errorf("%q is black", line)
		}
	}
}

// watched is what a board has said so far.
type watched struct {
	*harness.Process
	read int // how much of it the test has looked at
}

// watchBoard listens to a board until the test ends.
func watchBoard(t *testing.T, robot *harness.Robot, device string) *watched {
	t.Helper()
	bus := []string{"WALDO_NATS=" + robot.NATS}
	w := &watched{Process: harness.Start(t, bus, harness.Bin(t, "waldo"), "watch", device)}
	w.says(t, "{") // what it says from now on is seen
	return w
}

// says waits until the board says something, after what it was waited for before.
func (w *watched) says(t *testing.T, text string) {
	t.Helper()
	harness.Until(t, "the board says "+text, func() error { return w.hears(text) })
}

// hears looks for what the board shall have said since what it was waited for before.
func (w *watched) hears(text string) error {
	out := w.Output()[w.read:]
	at := strings.Index(out, text)
	if at < 0 {
		return fmt.Errorf("it says:\n%s", out[max(0, len(out)-500):])
	}
	w.read += at + len(text)
	return nil
}
