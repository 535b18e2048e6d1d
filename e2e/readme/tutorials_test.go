package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// The robot of the tutorials, the web server of their pages, and Python are the first commands of most of them.
var (
	prepared = step{"make build venv", isPrepared}
	robot    = step{"bin/waldo up examples/robot.yaml", stays("http://127.0.0.1:8080/", "ready device=front",
		"ready device=motors", "ready device=voice", "ready device=pad")}
	pages    = step{"python3 -m http.server 3000", stays("Serving HTTP on 127.0.0.1 port 3000")}
	activate = step{". build/venv/bin/activate", exports("PATH")}
)

// tutorials are the READMEs of the tutorials, and how each command is run.
var tutorials = map[string][]step{
	"examples/01-basics/README.md": {prepared, robot, activate,
		{"python examples/01-basics/frames.py", stays("(480, 640, 3) uint8")},
		{"bin/waldo view front", leftOut("it needs a display; TestView has one")},
		{"python examples/01-basics/callback.py", stays("got frame")},
		{"python examples/01-basics/subscription.py", stays("awaited frame")},
		{"python examples/01-basics/two.py", stays("fast: frame", "slow: frame")},
		{"python examples/01-basics/sound.py", stays("12000 samples, -")},
		{"go run ./examples/01-basics http://127.0.0.1:8080/", stays("640 x 480, brightness")},
		also("kill -9 $(bin/waldo ls --pid front)", kills("front")),
		{"", goesOn("(480, 640, 3) uint8")},
		{"", goesOn("640 x 480, brightness")},
	},
	"examples/02-webrtc/README.md": {prepared, robot, pages, activate,
		{"python examples/02-webrtc/pong.py", stays()},
		looks("http://localhost:3000/02-webrtc/", func(t *testing.T, _ *session, p *harness.Page) {
			clicksUntil(t, p, "#ping", "#messages", `"from":"Python"`)
		}),
		prints("got ping"),
		{"go run ./examples/02-webrtc http://127.0.0.1:8080/", stays()},
		looks("http://localhost:3000/02-webrtc/", func(t *testing.T, _ *session, p *harness.Page) {
			clicksUntil(t, p, "#ping", "#messages", `"from":"Go"`)
		}),
	},
	"examples/03-streaming/README.md": {prepared, robot, pages, activate,
		looks("http://localhost:3000/03-streaming/", seeFront),
		{"python examples/03-streaming/gray.py", stays()},
		looks("http://localhost:3000/03-streaming/", seeGray),
		looks("http://localhost:3000/03-streaming/share.html", func(t *testing.T, _ *session, p *harness.Page) {
			p.Click(t, "#share")
			shows(t, p, "#state", "live")
		}),
		{"python examples/03-streaming/guest.py", stays("guest: 640 x 480")},
		also("kill -9 $(bin/waldo ls --pid front)", kills("front")),
		looks("http://localhost:3000/03-streaming/", seeGray),
	},
	"examples/04-remote-control/README.md": {prepared, robot, pages, activate,
		{"python examples/04-remote-control/wheels.py", stays()},
		looks("http://localhost:3000/04-remote-control/", driveByPage),
		prints("left 200, right 200"),
		{"python examples/04-remote-control/keys.py", stays()},
		looks("http://localhost:3000/04-remote-control/keys.html", func(t *testing.T, s *session, p *harness.Page) {
			p.Press(t, "KeyA")
			awaitWheels(t, s, "left -60, right 60")
			p.Release(t, "KeyA")
			awaitWheels(t, s, "left 0, right 0")
			p.Press(t, "KeyA")
			awaitWheels(t, s, "left -60, right 60")
			resume := harness.Freeze(t, s.running[len(s.running)-1].PID())
			awaitWheels(t, s, "left 0, right 0")
			resume()
		}),
		{"", ends},
		{"python examples/04-remote-control/pad.py", stays()},
		{"", func(t *testing.T, s *session, _ string) { awaitTurns(t, s) }},
	},
	"examples/05-mobile/README.md": {prepared,
		{"bin/waldo rendezvous", stays("http://127.0.0.1:8443/")},
		{"(umask 077; bin/waldo token > build/rover.token)", once},
		{"export WALDO_TOKEN=", exports("WALDO_TOKEN")},
		{"bin/waldo up examples/05-mobile/robot.yaml", stays("http://127.0.0.1:8080/", "ready device=front")},
		{"export WALDO_TOKEN=", exports("WALDO_TOKEN")},
		{"bin/waldo link --token examples/05-mobile/robot.yaml", seeLinked},
		activate,
		{"python examples/02-webrtc/pong.py", stays()},
		pages,
		looks("http://localhost:3000/05-mobile/", seeFromAnywhere),
		{"go run ./examples/01-basics", stays("640 x 480, brightness")},
	},
	"examples/06-offloading/README.md": {prepared, robot, activate,
		{"python examples/06-offloading/desktop.py", stays()},
		looks("http://127.0.0.1:8080/", func(t *testing.T, s *session, p *harness.Page) {
			p.Tile(t, "thought").WaitFrames(t, 20)
			awaitMotion(t, s)
		}),
		{"", ends},
		{"WALDO_NATS=nats://robot:4222", leftOut("it needs another machine")},
		{"python examples/06-offloading/workers.py", stays()},
		also("python examples/06-offloading/workers.py", stays()),
		{"python examples/06-offloading/results.py", stays("'lightest'")},
		{"go run ./examples/06-offloading http://127.0.0.1:8080/", stays("the robot is live")},
		looks("http://127.0.0.1:8080/", func(t *testing.T, _ *session, p *harness.Page) {
			p.Tile(t, "guest").WaitFrames(t, 20)
		}),
		{"WALDO_TOKEN=… go run ./examples/06-offloading http://robot:8080/", leftOut("it needs another machine")},
		{"WALDO_TOKEN=… go run ./examples/06-offloading 'https://server", leftOut("likewise")},
	},
	"examples/08-blocking-code/README.md": {prepared, robot, pages, activate,
		{"python examples/08-blocking-code/sensor.py", stays()},
		looks("http://localhost:3000/08-blocking-code/", func(t *testing.T, _ *session, p *harness.Page) {
			shows(t, p, "#sensor", `{"value":0.`)
		}),
		{"bin/waldo watch sensor", stays(`"value":0.`)},
		{"python examples/08-blocking-code/lamp.py", stays()},
		looks("http://localhost:3000/08-blocking-code/", func(t *testing.T, _ *session, p *harness.Page) {
			hasPictures(t, p, "#front")
			slides(t, p)
		}),
		{"python examples/08-blocking-code/together.py", stays("the output is set to", "tick, ")},
	},
	"examples/07-many-connections/README.md": {prepared, robot, pages, activate,
		{"python examples/07-many-connections/crowd.py", stays("frames a second")},
		watch("?first"), watch("?second"), watch("?third"),
		{"curl -s http://127.0.0.1:8080/metrics", runs(`waldo_gateway_viewers{device="front"} 3`,
			"waldo_gateway_relays 1")},
		looks("http://localhost:3000/04-remote-control/", func(t *testing.T, _ *session, p *harness.Page) {
			p.Click(t, "#drive")
			shows(t, p, "#state", "driving")
		}),
		{"python examples/07-many-connections/polite.py", stays("Chromium on Linux")},
		looks("http://localhost:3000/04-remote-control/", func(t *testing.T, _ *session, p *harness.Page) {
			p.Click(t, "#drive")
			shows(t, p, "#board", `"left":60,"right":-60`)
		}),
		prints("done"),
		also("kill -9 $(bin/waldo ls --pid front)", kills("front")),
		prints("front: has restarted"),
		watch("?first"), watch("?second"), watch("?third"),
	},
}

// isPrepared is `make build venv` in this copy, which uses the programs and packages that `make e2e` has made.
func isPrepared(t *testing.T, s *session, _ string) {
	for _, made := range []string{"bin/waldo", "build/venv/bin/activate"} {
		if _, err := os.Stat(filepath.Join(s.root, made)); err != nil {
			t.Fatalf("%v: run this with `make e2e`, or set WALDO_PYTHON", err)
		}
	}
}

// goesOn waits until a program that prints a text all the time has printed it again.
func goesOn(text string) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, _ string) {
		count := func() (n int) {
			for _, p := range s.running {
				n += strings.Count(p.Output(), text)
			}
			return n
		}
		before := count()
		harness.Until(t, "a program goes on with "+text, func() error {
			if now := count(); now < before+10 {
				return fmt.Errorf("%d lines, %d before", now, before)
			}
			return nil
		})
	}
}

// link is what the command for it prints.
func link(t *testing.T, s *session) string {
	t.Helper()
	out, err := s.run(t, "bin/waldo link --token examples/05-mobile/robot.yaml", false)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(out)
}

// seeLinked opens the robot's page through the server.
func seeLinked(t *testing.T, s *session, _ string) {
	address := link(t, s)
	if !strings.HasPrefix(address, "http://127.0.0.1:8443/r/rover/#key=") {
		t.Fatalf("the link is %q", address)
	}
	s.open(t, address).Tile(t, "front").WaitFrames(t, 20)
}

// seeFromAnywhere pastes the link into a page of one's own.
func seeFromAnywhere(t *testing.T, s *session, p *harness.Page) {
	harness.Eval[any](t, p, "(document.querySelector('#link').value = $1, 1)", link(t, s))
	p.Click(t, "#form button")
	hasPictures(t, p, "#front")
	clicksUntil(t, p, "#ping", "#answer", `"from":"Python"`)
	p.Click(t, "#drive")
	p.Until(t, "document.querySelector('#drive').dataset.state === 'driving'")
}

// slides moves the slider until the lamp confirms it.
func slides(t *testing.T, p *harness.Page) {
	const value = 70
	harness.Until(t, "the page shows what the lamp confirms", func() error {
		harness.Eval[any](t, p, `(() => {
		  const slider = document.querySelector('#value');
		  slider.value = $1;
		  slider.dispatchEvent(new Event('input'));
		})()`, value)
		shown := harness.Eval[string](t, p, "document.querySelector('#lamp').textContent")
		return holds(shown, []string{fmt.Sprintf(`"is":%d`, value)})
	})
}

// watch looks at the robot's picture in a window of its own.
func watch(which string) step {
	return looks("http://localhost:3000/03-streaming/"+which, func(t *testing.T, _ *session, p *harness.Page) {
		hasPictures(t, p, "#front")
	})
}

// seeFront sees the robot's picture, and hears it.
func seeFront(t *testing.T, _ *session, p *harness.Page) {
	hasPictures(t, p, "#front")
	p.Click(t, "#listen")
	shows(t, p, "#sound", "live")
	ear := p.Hear(t, "document.querySelector('#ear').srcObject.getAudioTracks()[0]")
	harness.Until(t, "the page plays the robot's tone", func() error {
		if heard := slices.Max(append(ear.Heard(t).Samples, 0)); heard < 0.05 {
			return fmt.Errorf("the loudest sample is %v", heard)
		}
		return nil
	})
}

// seeGray sees the picture that a program publishes, without colours, beside that with colours.
func seeGray(t *testing.T, _ *session, p *harness.Page) {
	hasPictures(t, p, "#front")
	hasPictures(t, p, "#gray")
	for selector, gray := range map[string]bool{"#front": false, "#gray": true} {
		c := averageColor(t, p, selector)
		if is := slices.Max(c[:])-slices.Min(c[:]) < 4; is != gray {
			t.Errorf("%s is gray: %v, with the mean color %v", selector, is, c)
		}
	}
}

// driveByPage drives with a key, and stops with the e-stop.
func driveByPage(t *testing.T, s *session, p *harness.Page) {
	hasPictures(t, p, "#front")
	holdW(t, p)
	p.Click(t, "#estop")
	shows(t, p, "#board", `"left":0`)
	p.Release(t, "KeyW")
	p.Until(t, "document.querySelector('#state').textContent.startsWith('off')")
	clicksUntil(t, p, "#clear", "#board", `"left":0`)
	harness.Until(t, "the e-stop is cleared", func() error {
		out, err := s.run(t, "bin/waldo send motors '{\"left\": 0, \"right\": 0}'", false)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// holdW drives forward: on a machine that is busy, the page may stop driving in between, because it was frozen.
func holdW(t *testing.T, p *harness.Page) {
	t.Helper()
	harness.Until(t, "the rover drives forward", func() error {
		state := harness.Eval[string](t, p, "document.querySelector('#state').textContent")
		if !strings.HasPrefix(state, "driving") {
			p.Release(t, "KeyW")
			if strings.HasPrefix(state, "off") {
				p.Click(t, "#drive")
			}
			return fmt.Errorf("the page says %q", state)
		}
		p.Press(t, "KeyW")
		board := harness.Eval[string](t, p, "document.querySelector('#board').textContent")
		return holds(board, []string{`"left":200`})
	})
}

// awaitWheels waits until the newest line about the wheels is the wanted one.
func awaitWheels(t *testing.T, s *session, want string) {
	t.Helper()
	harness.Until(t, "the wheels turn: "+want, func() error {
		lines := wheels(s)
		if len(lines) == 0 || lines[len(lines)-1] != want {
			return fmt.Errorf("got %q", lines)
		}
		return nil
	})
}

// awaitTurns waits until the wheels turn at different speeds, several times.
func awaitTurns(t *testing.T, s *session) {
	t.Helper()
	before := len(wheels(s))
	harness.Until(t, "the pad drives", func() error {
		if lines := wheels(s); len(lines) < before+10 {
			return fmt.Errorf("got %q", lines[before:])
		}
		return nil
	})
}

// awaitMotion waits until the board says that the rover turns.
func awaitMotion(t *testing.T, s *session) {
	t.Helper()
	const watch = `timeout 5 bin/waldo watch motors | grep -m 1 -E '"left":-?[1-9]'`
	harness.Until(t, "the rover turns", func() error {
		out, err := s.run(t, watch, false)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// wheels are the lines that wheels.py has printed.
func wheels(s *session) (lines []string) {
	for _, p := range s.running {
		for line := range strings.Lines(p.Output()) {
			if strings.HasPrefix(line, "left ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}
