package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everything is what `waldo up` has printed once the built-in robot is complete.
var everything = []string{"http://127.0.0.1:8080/", "ready device=front", "ready device=map", "ready device=motors",
	"ready device=voice"}

// tutorial is what it has printed once the robot of the tutorials is complete.
var tutorial = []string{"http://127.0.0.1:8080/", "ready device=front", "ready device=motors", "ready device=voice"}

// readmes are the READMEs with commands, and how each command is run.
var readmes = map[string][]step{
	"README.md": {
		{"make run", stays(everything...)},
		{"bin/waldo ls", runs("front", "voice", "motors", "ready")},
		{"kill -9 $(bin/waldo ls --pid front)", kills("front")},
		{"kill -9 $(bin/waldo ls --pid voice)", kills("voice")},
		{"kill -9 $(bin/waldo ls --pid motors)", kills("motors")},
		{"bin/waldo estop --reason", runs()},
		also("bin/waldo estop --clear", runs()),
		{"", stop},
		{"sudo apt install", leftOut("`make packages-test` installs, upgrades and purges the packages")},
		{"sudo nano", leftOut("likewise")},
		{"systemctl status", leftOut("likewise")},
		{"journalctl -f", leftOut("likewise")},
		{"sudo cat /etc/waldo/token", leftOut("likewise")},
		{"waldo doctor", leftOut("likewise")},
		{"bin/waldo up robot.yaml", stays("front", "http://127.0.0.1:8080/")},
		{"", stop},
		also("bin/waldo up examples/robot.yaml", stays(tutorial...)), // whose driver need not see
		{"bin/waldo watch motors", stays(`"message":{`)},
		{"bin/waldo send motors", runs()},
		{"bin/waldo recordings", leftOut("TestRecordings in cmd/waldo lists some")},
		{"bin/waldo replay 2026-", leftOut("TestReplay records and replays a drive")},
		{"bin/waldo export 2026-", leftOut("TestExport in cmd/waldo has a recording")},
		also("build/venv/bin/python program.py", stays()),
		prints(`"left":-40,"right":40`),
		{"", ends},
		{"make tools", once},
		{"bin/tools/grpcurl -plaintext 127.0.0.1:7101 list", runs("waldo.camera.v1.CameraService")},
		{"bin/tools/grpcurl -plaintext 127.0.0.1:7101 waldo.camera.v1.CameraService/ListFormats", runs("nativeFormats")},
		{"bin/waldo call front ListFormats", runs("nativeFormats")},
		{"bin/waldo snapshot front -o front.jpg", runs()},
		{"bin/waldo view front", leftOut("it needs a display; TestView in cmd/waldo has one")},
		{"", stop},
		{"export WALDO_TOKEN=", exports("WALDO_TOKEN")},
		{"bin/waldo up --http :8080 robot.yaml", stays("rear", "connected to the bus")},
		{"", stop},
		also("bin/waldo up --http :8080 part.yaml", stays("serving")),
		{"bin/tools/grpcurl -plaintext -H", here("robot:", runs("waldo.camera.v1.CameraService"))},
		{"", stop},
		{"bin/waldo token create anna --role driver --expires 30d", runs("waldo_")},
		{"bin/waldo token list", runs("anna", "driver")},
		{"bin/waldo token revoke anna", runs()},
		also("echo 'tls: auto' >> robot.yaml", runs()), // which the README shows alone
		also("bin/waldo up robot.yaml", stays("serving")),
		{"", stop},
		{"bin/waldo trust robot.yaml", runs("https://127.0.0.1:8080/", "SHA-256")},
		{"waldo rendezvous --listen :443",
			leftOut("it needs a public machine; TestRendezvous and the tests of NATs run one")},
		{"waldo hub hub.yaml", leftOut("it needs a public machine; TestHub in cmd/waldo runs one")},
		{"waldo token create anna", runs("waldo_")},
		{"waldo-gateway --fleet", leftOut("it needs a hub; the gateway's tests have one")},
		{"", newTerminal},
		{"bin/waldo bus &", stays("nats://")},
		{"bin/waldo-camera --robot rover --device front --source test &", stays("ready")},
		{"bin/waldo-gateway --robot rover", stays("http://127.0.0.1:8080/")},
	},
	"RELEASING.md": {
		{"scripts/release prepare", leftOut("this copy of the sources has no history to release")},
		{"git commit", leftOut("likewise")},
		{"scripts/release check", leftOut("likewise")},
		{"scripts/release tag", leftOut("likewise")},
		{"make npm", leftOut("`make e2e` does it")},
		{"npm publish build/npm/", leftOut("it cannot be undone")},
		{"git checkout", leftOut("`make packages-test` builds the packages")},
		{"(cd build/packages", leftOut("likewise")},
		{"skopeo copy", leftOut("it needs a registry")},
		{"scripts/release next", leftOut("this copy of the sources has no history to release")},
		{"git commit", leftOut("likewise")},
	},
	"api/README.md": {
		{"make generate", leftOut("`make check` compares what it would generate")},
		{"make check", leftOut("CI runs it")},
	},
	"clients/python/README.md": {
		also("make build", once),
		{"make run", stays(everything...)},
		{"python3 -m venv .venv", once},
		{".venv/bin/pip install ./clients/python", once},
		{".venv/bin/python program.py", stays("(540, 960, 3)", "ms old")},
		{"python -m waldo.workers", leftOut("it needs a function of one's own; the package's tests run such processes")},
		{"python -m waldo.lerobot", leftOut("it needs a recording; test_lerobot.py makes some")},
	},
	"clients/npm/README.md": {
		{"npm install waldo-robot", leftOut("TestHTML and TestAnyLanguage install the package of this tree")},
	},
	"cmd/waldo/README.md": {
		{"bin/waldo up", stays(everything...)},
		{"bin/waldo ls", runs("front", "voice", "motors", "ready")},
		{"bin/waldo discover", runs()},
		{"bin/waldo snapshot front -o front.jpg", runs()},
		{"bin/waldo view front", leftOut("it needs a display; TestView in cmd/waldo has one")},
		{"bin/waldo watch motors", stays(`"message":{`)},
		{"bin/waldo call front ListFormats", runs("nativeFormats")},
		{"bin/waldo estop --reason", runs()},
		also("bin/waldo estop --clear", runs()),
		{"bin/waldo restart front", runs()},
		{"bin/waldo upgrade", runs()},
		{"bin/waldo recordings", leftOut("TestRecordings in cmd/waldo lists some")},
		{"bin/waldo replay drive.mcap", leftOut("TestReplay records and replays a drive")},
		{"bin/waldo export drive.mcap", leftOut("TestExport in cmd/waldo has a recording")},
		{"bin/waldo audit", runs()},
		{"bin/waldo rendezvous", stays("http://127.0.0.1:8443/")},
		{"bin/waldo --help", runs("Exit codes: 0 done")},
	},
	"deploy/grafana/README.md": {
		{"deploy/grafana/targets", leftOut("it writes a file of Prometheus; TestDashboardTargets runs it")},
	},
	"docs/audit.md": {
		{"sudo waldo audit", leftOut("it needs an installed robot; TestAudit has one that drove")},
		{"sudo waldo audit 3", leftOut("TestAudit asks for a drive")},
		{"sudo waldo audit 2026", leftOut("TestAuditDrives in cmd/waldo asks for a time")},
		{"sudo waldo audit --device", leftOut("TestAuditDrives in cmd/waldo prints JSON")},
		{"sudo waldo audit verify", leftOut("TestAudit verifies")},
	},
	"docs/fleet.md": {
		{"waldo hub key gateway.seed", runs("U")},
		{"waldo hub hub.yaml", leftOut("it needs a certificate; TestHub in cmd/waldo runs a hub")},
		{"waldo hub key hub.seed", runs("U")},
		{"waldo token create anna", runs("waldo_")},
		{"waldo-gateway --fleet", leftOut("it needs a hub; the gateway's tests have one")},
	},
	"docs/recordings.md": {
		{"bin/waldo recordings", leftOut("TestRecordings in cmd/waldo lists some")},
		{"bin/waldo recordings ./recordings", leftOut("see above")},
		{"bin/waldo recordings --json", leftOut("see above")},
		{"bin/waldo replay drive.mcap", leftOut("it needs a recording; TestReplay makes and replays one")},
		{"bin/waldo replay drive.mcap --start", leftOut("see above")},
		{"WALDO_NATS=nats://127.0.0.1:PORT bin/waldo watch motors", leftOut("see above")},
		{"WALDO_NATS=nats://127.0.0.1:PORT bin/waldo call player Seek", leftOut("see above")},
		{"bin/waldo export drive.mcap --to drive.mp4", leftOut("TestExport in cmd/waldo has a recording")},
		{"bin/waldo export drive.mcap --to videos/", leftOut("see above")},
		{"bin/waldo export drive.mcap --to csv/", leftOut("see above")},
		{`pip install "./clients/python[lerobot]"`, leftOut("test_lerobot.py has the same packages")},
		{"python -m waldo.lerobot drive.mcap", leftOut("it needs a recording; test_lerobot.py makes some")},
	},
	"docs/rendezvous.md": {
		{"export WALDO_RENDEZVOUS_TOKEN=", exports("WALDO_RENDEZVOUS_TOKEN")},
		{"waldo rendezvous --listen :443",
			leftOut("it needs a public machine; TestRendezvous and the tests of NATs run one")},
	},
	"docs/tls.md": {
		also("waldo up robot.yaml", stays("serving")),
		{"waldo trust robot.yaml", runs("https://127.0.0.1:8080/", "SHA-256")},
		{"waldo trust --pem robot.yaml > ca.crt", runs()},
		also("cat ca.crt", runs("BEGIN CERTIFICATE")),
		{"waldo trust --new robot.yaml", runs("SHA-256")},
	},
	"e2e/README.md": {
		{"make e2e", leftOut("`make test` runs it, and this test with it")},
		{"make e2e TESTFLAGS=", leftOut("it is the previous line for a selection of tests")},
		{"make promises", leftOut("CI runs it")},
		{"make build venv", leftOut("`make e2e` does it")},
		{"cd e2e && WALDO_BIN=", leftOut("`make e2e` runs the same command")},
		{"cd e2e && WALDO_BIN=$PWD/../bin WALDO_BASE_BIN=", leftOut("it needs the programs of another build")},
		{"make e2e TESTFLAGS='-v -run TestMemoryStays'", leftOut("`make e2e` runs it for a shorter time")},
		{"make bench BENCH=Networks", leftOut("it takes 20 minutes; TestRoughNetworks drives over the same networks")},
	},
	"examples/cpp/README.md": {
		{"sudo apt install", leftOut("`make deps-test` installs them")},
		{"cd examples/cpp && make -j2", leftOut("`make cpp` does it, and TestAnyLanguage runs the program")},
		{"../../bin/waldo up ../robot.yaml &", leftOut("see above")},
		{"../../bin/waldo ls", leftOut("see above")},
		{"build/robot camera 127.0.0.1:7101", leftOut("see above")},
		{"build/robot sound 127.0.0.1:7103", leftOut("see above")},
		{"build/robot serial 127.0.0.1:7102", leftOut("see above")},
		{"build/robot drive 127.0.0.1:7102", leftOut("see above")},
	},
	"examples/html/README.md": {
		{"make npm", leftOut("`make e2e` does it, and TestHTML opens the page")},
		{"cd examples/html && npm install", leftOut("see above")},
		{"../../bin/waldo up ../robot.yaml &", leftOut("see above")},
		{"python3 -m http.server 3000", leftOut("see above")},
	},
	"examples/node/README.md": {
		{"make npm", once},
		{"cd examples/node && npm install", once},
		{"../../bin/waldo up ../robot.yaml &", stays("http://127.0.0.1:8080/")},
		{"node robot.mjs camera front", runs("640x480 mean brightness")},
		{"node robot.mjs sound voice said.wav", runs("8000 samples in said.wav")},
		{"node robot.mjs serial motors", runs(`"battery":`)},
		{"node robot.mjs drive motors", runs("sent 40 times; driving")},
	},
	"examples/padrover/README.md": {
		{"bin/waldo up examples/robot.yaml", stays(tutorial...)},
		also("bin/waldo-input --robot tutorial --device mine --source sim", stays("ready")),
		{"bin/waldo-input --robot tutorial --device mine", leftOut("it needs a gamepad: --source sim, which its comment " +
			"names, is run instead")},
		{"bin/waldo ls", runs("mine", "motors")},
		{"go run ./examples/padrover", of("", stays())},
		also("grpcurl -plaintext 127.0.0.1:7102 waldo.control.v1.ControlService/GetControl", runs(`"holder": "padrover"`)),
	},
	"examples/python/README.md": {
		{"cd examples/python", once},
		{"python3 -m venv .venv && .venv/bin/pip install", once},
		{"../../bin/waldo up ../robot.yaml &", stays(tutorial...)},
		{".venv/bin/python frames.py 127.0.0.1:7101", runs("uint8 mean brightness")},
		{".venv/bin/python messages.py 127.0.0.1:7102", runs(`"battery":`)},
		{".venv/bin/python drive.py 127.0.0.1:7102", stays()},
		{".venv/bin/python sound.py 127.0.0.1:7103 record said.wav 5", runs()},
		{".venv/bin/python sound.py 127.0.0.1:7103 play said.wav", runs()},
	},
	"examples/thermometer/README.md": {
		{"echo 21500 > /tmp/temp", runs()},
		{"make build", once},
		{"bin/waldo bus", stays("nats://")},
		{"go run ./examples/thermometer --robot demo", stays("ready", "connected to the bus")},
		{"bin/waldo ls", runs("demo", "shade", "thermometer", "ready")},
		{"go run ./examples/thermometer/watch demo shade", stays("21.5 °C")},
		{"rm /tmp/temp", runs()},
		also("bin/waldo ls", runs("away")),
		{"echo 24000 > /tmp/temp", runs()},
		also("bin/waldo ls", runs("ready")),
		{"curl -s <METRICS>/metrics", of("shade", runs("waldo_device_published"))},
		{"go build -o bin/waldo-thermometer", once},
		{"", stop},
		{"bin/waldo up robot.yaml", stays("shade", "http://127.0.0.1:8080/")},
		{"kill -9 $(bin/waldo ls --pid shade)", kills("shade")},
		{"grpcurl -plaintext <GRPC>", of("shade", runs("thermometer"))},
		{"bin/waldo call shade", runs("thermometer.v1.ThermometerService/Measure")},
		{"bin/waldo call shade Measure", runs(`"temperature": 75.2`)},
		{"bin/waldo watch shade", stays("24")},
		{"go mod init", leftOut("TestOutside builds the thermometer this way, against a proxy made from this tree")},
		{"go get", leftOut("see above")},
		{"go build -o waldo-thermometer", leftOut("see above")},
	},
	"firmware/README.md": {
		{"arduino-cli compile",
			leftOut("it is not in Debian; `make firmware` compiles the same sketch with the same compiler")},
		{"arduino-cli upload", leftOut("it needs an Arduino")},
		{"avrdude", leftOut("it needs an Arduino")},
		{"make firmware", once},
		{"build/firmware/simuno build/firmware/rover.elf", stays("pty /dev/pts/")},
		{"make firmware", once},
		{"cd firmware && WALDO_FIRMWARE=$PWD/../build/firmware go test -race ./...", leftOut("`make test` runs it")},
		{"WALDO_FIRMWARE=$PWD/../build/firmware go test -run '^$' -bench", leftOut("`make bench` runs it")},
	},
	"services/audio/README.md": {
		also("bin/waldo bus", stays("nats://")),
		{"waldo-audio --robot-file robot.yaml --device voice",
			leftOut("it needs a sound card; the next line does not")},
		{"waldo-audio --device voice --source tone", stays("ready", "connected to the bus")},
		{"waldo-audio --robot-file robot.yaml --device voice --check", runs()},
		{"waldo watch voice", stays("{")},
		{"grpcurl -plaintext 127.0.0.1:7104",
			leftOut("the address is that of a whole robot; README.md has a similar line")},
	},
	"services/camera/README.md": {
		also("bin/waldo bus", stays("nats://")),
		{"waldo-camera --robot-file robot.yaml --device front", stays("ready")},
		{"waldo-camera --device front --source /dev/video0", stays("away")},
		{"waldo-camera --robot-file robot.yaml --device front --check", runs()},
	},
	"services/input/README.md": {
		also("bin/waldo bus", stays("nats://")),
		{"waldo-input --robot-file robot.yaml --device pad", stays("away")},
		{"waldo-input --device pad --match gamepad --name xbox", stays("away")},
		{"waldo-input --robot-file robot.yaml --device pad --check", runs()},
		{"", stop},
		also("bin/waldo-input --device sim --source sim --grpc 127.0.0.1:7101", stays("ready")),
		{"grpcurl -plaintext 127.0.0.1:7101 waldo.input.v1.InputService/ListInputs", runs()},
		{"grpcurl -plaintext 127.0.0.1:7101 waldo.input.v1.InputService/GetInput", runs()},
		{"grpcurl -plaintext 127.0.0.1:7101 waldo.input.v1.InputService/StreamReports", stays("{")},
	},
	"services/rtsp-ingest/README.md": {
		also("bin/waldo bus", stays("nats://")),
		{"(umask 077; echo secret", runs()},
		{"waldo-rtsp-ingest --robot-file robot.yaml --device doorcam", stays("away")},
		{"WALDO_PASSWORD=secret waldo-rtsp-ingest", stays("away")},
		{"waldo-rtsp-ingest --robot-file robot.yaml --device doorcam --check", runs()},
		{"WALDO_PASSWORD=secret bin/waldo discover", runs()},
		{"(umask 077; openssl rand -hex 16 > stream.key)", runs()},
		{"", stop},
		also("bin/waldo bus", stays("nats://")),
		also("waldo-rtsp-ingest --robot-file part.yaml --device studio", stays("waiting for a publisher")),
		{"ffmpeg -re -f lavfi", stays()},
		also("bin/waldo ls --robot part", runs("studio", "ready")),
		{"waldo call ball TakePicture", leftOut("it needs a camera; insta360/service has a test with a fake one")},
		{"waldo call ball StartCapture", leftOut("see above")},
		{"waldo call ball GetCameraInfo", leftOut("see above")},
		{"waldo call ball ListFiles", leftOut("see above")},
		{"waldo watch ball --stream insta360-events", leftOut("see above")},
		{"waldo watch ball --stream imu", leftOut("see above")},
		also("fakecam --rtsp 127.0.0.1:8554 --onvif 127.0.0.1:8000", stays("onvif")),
		also("waldo-rtsp-ingest --robot part --device doorcam --url rtsp://127.0.0.1:8554/live "+
			`--ptz '{onvif: "http://127.0.0.1:8000"}'`, stays("ready")),
		{"waldo send doorcam", runs()},
	},
	"services/player/README.md": {
		{"bin/waldo call player Pause", leftOut("it needs a recording; TestReplay makes and replays one")},
		{"bin/waldo call player Seek", leftOut("see above")},
		{"waldo-player --robot-file robot.yaml --device player --check", runs()},
	},
	"services/recorder/README.md": {
		{"bin/waldo record start", leftOut("TestRecord records, marks and stops")},
		{"bin/waldo record mark", leftOut("see above")},
		{"bin/waldo record status", leftOut("see above")},
		{"bin/waldo record stop", leftOut("see above")},
		{"waldo-recorder --robot-file robot.yaml --device recorder --check", runs()},
	},
	"services/replay/README.md": {
		{"waldo-replay --robot-file robot.yaml --device front --check", runs()},
	},
	"services/serial/README.md": {
		also("bin/waldo up examples/robot.yaml", stays(tutorial...)),
		{"bin/waldo watch motors", stays(`"message":{`)},
		{"bin/waldo send motors", runs()},
	},
	"services/uplink/README.md": {
		{"waldo-uplink --robot-file robot.yaml --device uplink", leftOut("it needs a hub; the package's tests have one")},
		{"waldo-uplink --robot-file robot.yaml --device uplink --check", runs()},
	},
	"services/webrtc-gateway/README.md": {
		also("bin/waldo bus", stays("nats://")),
		{"bin/waldo-gateway --robot-file robot.yaml", stays("http://127.0.0.1:8080/")},
		{"bin/waldo-gateway --robot-file robot.yaml --check", runs()},
	},
	"services/webrtc-gateway/web/README.md": {
		{"npm ci && npx tsc", leftOut("`make lint` runs it")},
		{"node --test tests/*.test.js", leftOut("`make test` runs it")},
	},
}

// TestReadmes follows each README.
func TestReadmes(t *testing.T) {
	for _, file := range files(t) {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("../..", file))
			if err != nil {
				t.Fatal(err)
			}
			steps, found := readmes[file]
			if !found {
				steps = tutorials[file]
			}
			if steps == nil && !hasCommands(string(text)) {
				return
			}
			follow(t, start(t), string(text), steps)
		})
	}
}

// files lists the Markdown files of the project.
func files(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", "../..", "ls-files", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func hasCommands(text string) bool {
	for _, b := range blocks(text) {
		if b.language == "sh" {
			return true
		}
	}
	return false
}

// follow goes through a README from top to bottom.
func follow(t *testing.T, s *session, text string, steps []step) {
	t.Helper()
	defer s.end(t)
	for _, b := range blocks(text) {
		switch b.language {
		case "":
			t.Errorf("line %d: name the language of this block: sh for commands, text for what is neither code nor a command",
				b.line)
		case "yaml":
			if file := b.file(); file == "" || file == "robot.yaml" { // others are for other programs
				describe(t, s, b)
			}
		case "python":
			program(t, s, b)
		case "sh":
			for _, c := range b.commands() {
				steps = words(t, s, steps)
				if len(steps) == 0 || !strings.HasPrefix(strings.TrimSpace(c.text), steps[0].command) {
					t.Fatalf("line %d: the table does not say how to run %q", c.line, c.text)
				}
				t.Log(c.text)
				steps[0].do(t, s, c.text)
				steps = steps[1:]
			}
		}
	}
	if steps = words(t, s, steps); len(steps) > 0 {
		t.Errorf("the README has no command %q any more", steps[0].command)
	}
}

// words runs the next steps that the README only describes in words.
func words(t *testing.T, s *session, steps []step) []step {
	t.Helper()
	for len(steps) > 0 && steps[0].command == "" {
		steps[0].do(t, s, "")
		steps = steps[1:]
	}
	return steps
}
