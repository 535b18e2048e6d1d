package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/device"
)

// fleet is a robot with a camera, a board that moves and a gateway, run by a real launcher.
type fleet struct {
	file, nats, http string
	log              string
}

// yaml describes it; rest has the devices of the test.
func (f fleet) yaml(rest string) string {
	return fmt.Sprintf("robot: demo\nnats: {listen: %q}\ngateway: {http: %q, ice: \"127.0.0.1:0\"}\ndevices:\n"+
		"  front: {kind: camera, grpc: \"127.0.0.1:0\"}\n%s", strings.TrimPrefix(f.nats, "nats://"), f.http, rest)
}

const aBoard = "  motors: {kind: serial, grpc: \"127.0.0.1:0\", actuator: true, control: {deadman: 200ms}}\n"

func newFleet(t *testing.T, rest string) fleet {
	t.Helper()
	t.Setenv("PATH", launchtest.Install(t, "waldo", "waldo-serial", "waldo-camera", "waldo-gateway", "waldo-peer"))
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir := t.TempDir()
	f := fleet{file: filepath.Join(dir, "robot.yaml"), nats: "nats://" + free(t), http: free(t),
		log: filepath.Join(dir, "log")}
	f.write(t, f.yaml(rest))
	log := open(t, f.log, os.O_CREATE|os.O_WRONLY)
	defer log.Close()
	start(t, log, "waldo", "up", f.file)
	t.Cleanup(func() {
		if text, err := os.ReadFile(f.log); t.Failed() && err == nil {
			t.Logf("the launcher printed:\n%s", text)
		}
	})
	f.list(t, 1+strings.Count(rest, "kind:"))
	t.Setenv("WALDO_NATS", f.nats) // not earlier: the robot would look for its bus there
	return f
}

func (f fleet) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(f.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// list returns the devices by name once there are n, all of them ready.
func (f fleet) list(t *testing.T, n int) map[string]listed {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		devices := map[string]listed{}
		for _, d := range ls(t, n, "--nats", f.nats) {
			if d.State == "ready" {
				devices[d.Name] = d
			}
		}
		if len(devices) == n {
			return devices
		}
	}
	t.Fatal("not all devices are ready")
	return nil
}

// pid asks for the process id of a device until it differs from this one.
func pid(t *testing.T, name string, not int) int {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		code, out, _ := waldo(t, "ls", "--pid", name)
		if got, err := strconv.Atoi(strings.TrimSpace(out)); code == 0 && err == nil && got != not {
			return got
		}
	}
	t.Fatalf("%s has no new process", name)
	return 0
}

// TestHangingProcesses stops processes with SIGSTOP: each must be replaced, and before it
// moves, the board receives its safe message.
func TestHangingProcesses(t *testing.T) {
	f := newFleet(t, aBoard)
	before := f.list(t, 2)
	hears := watch(t, "motors")
	hears.until("null") // it has arrived by now
	page := pid(t, "gateway", 0)
	for _, hangs := range []int{int(before["motors"].PID), page} {
		if err := unix.Kill(hangs, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	pid(t, "motors", int(before["motors"].PID))
	pid(t, "gateway", page)
	if code, _, err := waldo(t, "send", "motors", "[7]"); code != 0 {
		t.Errorf("send: %d, %s", code, err)
	}
	if before := hears.until("[7]"); len(before) == 0 || strings.Trim(strings.Join(before, ""), "[0]") != "" {
		t.Errorf("before it moves, the board receives %q", before)
	}
	for _, old := range []int{int(before["motors"].PID), page} {
		if launchtest.Running(old) {
			t.Errorf("%d was left behind", old)
		}
	}
	after := f.list(t, 2)
	if after["front"].Epoch != before["front"].Epoch || after["motors"].Epoch == before["motors"].Epoch {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// TestEstopOfAHangingBoard: the board must be reported, and the others are stopped.
func TestEstopOfAHangingBoard(t *testing.T) {
	f := newFleet(t, aBoard+strings.Replace(aBoard, "motors", "arm", 1))
	if err := unix.Kill(int(f.list(t, 3)["arm"].PID), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	code, _, err := waldo(t, "estop", "--timeout", "3s")
	if code != 1 || !strings.Contains(err, "demo/motors stopped") || !strings.Contains(err, "demo/arm") {
		t.Errorf("%d, %s", code, err)
	}
}

// TestMissingDevices lists devices that robot.yaml names but that are not running.
func TestMissingDevices(t *testing.T) {
	newFleet(t, aBoard)
	motors := pid(t, "motors", 0)
	if err := unix.Kill(motors, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var table string
	deadline := time.Now().Add(time.Minute)
	for ; !strings.Contains(table, "stopped on request"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not missing:\n%s", table)
		}
		_, table, _ = waldo(t, "ls")
	}
	for _, want := range []string{"missing", "stopped on request, so it is not started again: start it with " +
		"waldo restart"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in:\n%s", want, table)
		}
	}
	if code, _, err := waldo(t, "ls", "--pid", "motors"); code != 1 || !strings.Contains(err, "motors has no process: ") {
		t.Errorf("ls --pid: %d, %s", code, err)
	}
	if code, _, err := waldo(t, "estop"); code != 1 || !strings.Contains(err, "device demo/motors is not running") {
		t.Errorf("estop: %d, %s", code, err)
	}
	if code, _, err := waldo(t, "restart", "motors"); code != 0 || err != "demo/motors restarted\n" {
		t.Errorf("restart: %d, %s", code, err)
	}
	if again := pid(t, "motors", 0); again == motors {
		t.Errorf("the process is %d again", again)
	}
}

func TestRestart(t *testing.T) {
	f := newFleet(t, aBoard)
	before := f.list(t, 2)
	page := pid(t, "gateway", 0)
	for _, name := range []string{"front", "demo/motors", "gateway"} {
		if code, _, err := waldo(t, "restart", name); code != 0 || !strings.HasSuffix(err, " restarted\n") {
			t.Errorf("%s: %d, %s", name, code, err)
		}
	}
	if pid(t, "front", 0) == int(before["front"].PID) || pid(t, "motors", 0) == int(before["motors"].PID) ||
		pid(t, "gateway", 0) == page {
		t.Error("one was not restarted")
	}
	awaitAudited(t, `"event":"restarted","what":"front"`, `"event":"restarted","what":"gateway"`)
	code, _, err := waldo(t, "restart", "frnt")
	if want := "waldo: name: robot demo does not run \"frnt\"; it runs: front, motors, gateway\n"; code != 1 ||
		err != want {
		t.Errorf("%d, %s, want %s", code, err, want)
	}
	if code, _, err := waldo(t, "restart", "other/front"); code != 1 ||
		!strings.Contains(err, "there is no launcher on the bus") {
		t.Errorf("another robot: %d, %s", code, err)
	}
}

// awaitAudited waits until the audit log of the launcher has texts: what it writes comes after the answer.
func awaitAudited(t *testing.T, want ...string) {
	t.Helper()
	path := audit.Path(filepath.Join(os.Getenv("XDG_STATE_HOME"), "waldo"), "demo", "launcher")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		kept, err := os.ReadFile(path)
		if !slices.ContainsFunc(want, func(text string) bool { return !strings.Contains(string(kept), text) }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the audit log lacks one of %q: %s, %v", want, kept, err)
		}
	}
}

// TestHalfSavedFile kills everything while the file is invalid: all must come back as it was.
func TestHalfSavedFile(t *testing.T) {
	f := newFleet(t, aBoard)
	before := f.list(t, 2)
	page := pid(t, "gateway", 0)
	for _, half := range []string{"robot: demo\ndevices:\n  front: {kin", ""} {
		f.write(t, half)
		for _, name := range []string{"front", "motors", "gateway"} {
			if err := unix.Kill(pid(t, name, 0), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		pid(t, "gateway", page)
		for name, d := range before {
			pid(t, name, int(d.PID))
		}
		before = f.list(t, 2)
		page = pid(t, "gateway", 0)
		code, _, err := waldo(t, "reload")
		if code != device.ExitConfiguration || !strings.Contains(err, "nothing was changed") ||
			!strings.Contains(err, f.file) {
			t.Errorf("reload: %d, %s", code, err)
		}
	}
}

// TestReload changes the file of a running robot.
func TestReload(t *testing.T) {
	f := newFleet(t, aBoard)
	before := f.list(t, 2)
	reload := func(rest, want string) {
		t.Helper()
		f.write(t, f.yaml(rest))
		if code, _, err := waldo(t, "reload"); code != 0 || err != want {
			t.Errorf("%d, %s, want %s", code, err, want)
		}
	}
	reload("# a word\n"+aBoard, "demo already runs as the file describes\n")
	if after := f.list(t, 2); after["front"].Epoch != before["front"].Epoch ||
		after["motors"].Epoch != before["motors"].Epoch {
		t.Error("something was restarted")
	}
	changed := strings.Replace(aBoard, "200ms", "300ms", 1)
	reload(changed, "demo/motors restarted\n")
	pid(t, "motors", int(before["motors"].PID))
	reload(changed+"  rear: {kind: camera, grpc: \"127.0.0.1:0\"}\n", "demo/gateway restarted\ndemo/rear started\n")
	if after := f.list(t, 3); after["front"].Epoch != before["front"].Epoch {
		t.Error("front was restarted")
	}
	old := changed + "  rear: {kind: camera, grpc: \"127.0.0.1:0\", jpeg_quality: 7}\n"
	line := strings.Count(f.yaml(old), "\n")
	reload(old, fmt.Sprintf("warning: %s:%d: devices.rear: \"jpeg_quality\" is an old spelling: write "+
		"jpegQuality\ndemo/rear restarted\n", f.file, line))
	reload(strings.Replace(old, "jpeg_quality", "jpegQuality", 1), "demo already runs as the file describes\n")
	reload(changed, "demo/gateway restarted\ndemo/rear stopped\n")
	for name, tt := range map[string]struct{ rest, want string }{
		"unknown key": {strings.Replace(changed, "actuator", "actuater", 1),
			`devices.motors: unknown key "actuater" (did you mean "actuator"?)`},
		"bad value": {strings.Replace(changed, "300ms", "soon", 1),
			`devices.motors.control.deadman: "soon" is not a duration`},
		"no program": {changed + "  top: {kind: lidar}\n", "devices.top.kind: there is no program waldo-lidar"},
		"its bus":    {changed + "# nats\n", "nats: cannot change while the robot runs"},
		"its name":   {changed, "robot: cannot change from demo to other while the robot runs"},
	} {
		text := f.yaml(tt.rest)
		switch name {
		case "its bus":
			text = strings.Replace(text, f.nats[7:], free(t), 1)
		case "its name":
			text = strings.Replace(text, "demo", "other", 1)
		}
		f.write(t, text)
		if code, _, err := waldo(t, "reload"); code != device.ExitConfiguration || !strings.Contains(err, tt.want) {
			t.Errorf("%s: %d, %s, want %s", name, code, err, tt.want)
		}
	}
	if after := f.list(t, 2); after["front"].Epoch != before["front"].Epoch {
		t.Error("front was restarted")
	}
}
