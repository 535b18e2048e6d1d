package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// colorOf is JavaScript for the colour in the middle of a tile's picture, [red, green, blue].
const colorOf = `(() => {
	const video = document.querySelector('[data-device="' + $1 + '"][data-picture] video');
	const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
	const context = canvas.getContext('2d');
	context.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
	return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()`

// isColor is JavaScript that reports whether that is $2.
const isColor = `(() => { const is = ` + colorOf + `; return is.every((v, i) => Math.abs(v - $2[i]) < 16); })()`

var orange, blue = []int{242, 129, 11}, []int{20, 80, 200}

// TestPublish has a Python program be a camera and a device with messages, which the page shows and another program
// reads. Whatever dies, they come back, and viewers keep their connection.
func TestPublish(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	program := harness.StartPuppet(t, python(t), "testdata/publish.py", robot.NATS)
	lamp := robot.Device(t, "lamp")
	page := harness.StartBrowser(t).Open(t, robot.URL)
	tile := page.Tile(t, "lamp")
	tile.WaitFrames(t, 10)
	page.Until(t, isColor, "lamp", orange)
	reads(t, lamp, "orange")
	if list := robot.Waldo(t, "ls"); !strings.Contains(list, "python sends (publish.py, grpc, 127.0.0.1:") {
		t.Errorf("waldo ls does not say who sends:\n%s", list)
	}

	// The messages are values on the page.
	page.Until(t, `document.querySelector('[data-watch="notes/messages"]')`)
	harness.Eval[bool](t, page, `(document.querySelector('[data-watch="notes/messages"]').open = true)`)
	const value = `document.querySelector('[data-watch="notes/messages"] [data-key="' + $1 + '"]')?.textContent === $2`
	page.Until(t, value, "value.color", "orange")

	same := page.Connection(t)
	for name, kill := range map[string]func(){
		"the slot's process":     func() { harness.Crash(t, robot.Device(t, "lamp").PID) },
		"that of the messages":   func() { harness.Crash(t, robot.Device(t, "notes").PID) },
		"nothing but the colour": func() {},
	} {
		t.Log("kill -9 of", name)
		kill()
		program.Order(t, "blue")
		page.Until(t, isColor, "lamp", blue)
		page.Until(t, value, "value.color", "blue")
		program.Order(t, "orange")
		page.Until(t, isColor, "lamp", orange)
		page.Until(t, value, "value.color", "orange")
		tile.WaitFrames(t, 10)
	}
	if now := page.Connection(t); !now.Same(same) {
		t.Errorf("the connection was %v, and is %v", same, now)
	}
	reads(t, robot.Device(t, "lamp"), "orange")

	// The program dies, and another takes its place at once.
	program.Kill()
	tile.WaitState(t, "stale")
	program = harness.StartPuppet(t, python(t), "testdata/publish.py", robot.NATS)
	page.Until(t, isColor, "lamp", orange)
	program.Order(t, "blue")
	page.Until(t, isColor, "lamp", blue)
	if now := page.Connection(t); !now.Same(same) {
		t.Errorf("the connection was %v, and is %v", same, now)
	}

	// The launcher dies, and with it the bus, the gateway and all devices.
	robot.Restart(t)
	page.Until(t, `document.querySelector('[data-device="lamp"][data-picture]').dataset.picture === 'live'`)
	page.Until(t, isColor, "lamp", blue)
	reads(t, robot.Device(t, "lamp"), "blue")

	// When the program ends, so do its devices, here and on the page.
	page.Until(t, `document.querySelector('#shares [data-device="lamp"]').hidden`) // a program has it
	program.Stop(t)
	harness.Until(t, "the slots are gone", func() error {
		for _, d := range robot.Devices(t) {
			if d.Name != "front" {
				return fmt.Errorf("%s is there", d.Name)
			}
		}
		return nil
	})
	page.Until(t, `document.querySelector('[data-device="lamp"][data-picture]') === null`)
	page.Until(t, `document.querySelector('tr[data-device="lamp"]') === null`)
	page.Until(t, `document.querySelector('[data-watch="notes/messages"]').hidden`)
	page.Until(t, `document.querySelector('[data-device="front"][data-picture]').dataset.picture === 'live'`)
}

// reads has a program read a device over gRPC.
func reads(t *testing.T, d harness.Device, color string) {
	t.Helper()
	out := harness.Run(t, nil, python(t), "testdata/publish_read.py", d.GRPCAddress, d.Name, color)
	if want := "(240, 320, 3) " + color; !strings.Contains(out, want) {
		t.Errorf("read %q, want %q", out, want)
	}
}
