package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestOffload runs the example with the simulated rover: it turns the rover, its picture is that of the device guest,
// and nothing moves when it is killed, nor does a restart of the gateway end it.
func TestOffload(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: "front: {kind: camera, source: sim, fps: 30}\n" +
		"guest: {kind: peer}\n" + wire.Device()})
	robot.Device(t, "motors")
	offload := filepath.Join(t.TempDir(), "offload")
	if out, err := exec.Command("go", "build", "-o", offload, "../examples/06-offloading").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	begin := time.Now()
	program := harness.Start(t, nil, offload, robot.URL)
	turns := func(m harness.Motion) bool { return m.Left == -m.Right && m.Left != 0 }
	wire.AwaitMotion(t, begin, "the rover turns", turns)
	snapshot := func() error {
		take := exec.Command(harness.Bin(t, "waldo"), "snapshot", "guest", "-o", filepath.Join(t.TempDir(), "guest.jpg"))
		take.Env = append(os.Environ(), "WALDO_NATS="+robot.NATS)
		out, err := take.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	harness.Until(t, "the device guest shows its picture", snapshot)

	killed := time.Now()
	harness.Crash(t, robot.Gateway(t))
	wire.AwaitMotion(t, wire.AwaitStill(t, killed, quiet), "the rover turns again", turns)
	harness.Until(t, "the device guest shows its picture again", snapshot)
	if out := program.Output(); !strings.Contains(out, "lost") || !strings.Contains(out, "not driving") {
		t.Errorf("the program does not say what happened:\n%s", out)
	}

	ended := time.Now()
	program.Kill(t)
	wire.MustStayStill(t, wire.AwaitStill(t, ended, quiet))
}
