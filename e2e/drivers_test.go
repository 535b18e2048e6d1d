package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// quiet is how long the motors must receive only zeros to count as standing still: several times longer than any part
// of the path may delay a command.
const quiet = 700 * time.Millisecond

// moves accepts any command that moves a motor.
func moves(m harness.Motion) bool { return m.Moves() }

// tooLate is what examples say of a command that came too late, as happens on a busy machine: then the motors stop, and
// somebody has to start the example again.
var tooLate = regexp.MustCompile(`too late|lease|lost|froze`)

// inTime runs an example until all of its 40 commands have come in time.
func inTime(t *testing.T, example func() (string, error)) {
	t.Helper()
	harness.Until(t, "the example sends all of its commands", func() error {
		out, err := example()
		if err == nil && !strings.Contains(out, "sent 40") {
			err = fmt.Errorf("it prints %q", out)
		}
		if err != nil && !tooLate.MatchString(err.Error()) {
			t.Fatal(err)
		}
		return err
	})
}

// TestPythonDrives runs the example as its README says.
func TestPythonDrives(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: wire.Device()})
	address := robot.Device(t, "motors").GRPCAddress
	args := []string{"../examples/python/drive.py", address, `{"left": 100, "right": 90}`}

	var begin time.Time
	inTime(t, func() (string, error) {
		begin = time.Now()
		return harness.TryRun(nil, python(t), args...)
	})
	wanted := func(m harness.Motion) bool { return m.Left == 100 && m.Right == 90 }
	first := wire.AwaitMotion(t, begin, "the motors get the command", wanted)
	stopped := wire.AwaitStill(t, first.At, quiet)
	if n := len(wire.Motions(first.At)); n < 39 {
		t.Errorf("the motors received %d commands, want 39", n)
	}
	if took := stopped.Sub(first.At); took < time.Second {
		t.Errorf("they turned for %v, want 2 s", took)
	}

	// Ctrl-Z, and then fg.
	begin = time.Now()
	program := harness.Start(t, nil, python(t), args...)
	wire.AwaitMotion(t, begin, "the motors turn again", moves)
	resume := harness.Freeze(t, program.PID())
	stopped = wire.AwaitStill(t, time.Now(), quiet)
	resume()
	<-program.Done()
	wire.MustStayStill(t, stopped)
	if !tooLate.MatchString(program.Output()) { // it may have stood still for longer than its lease lasts
		t.Errorf("drive.py ended with:\n%s", program.Output())
	}
}

// TestPadrover runs the example with a simulated pad, and kills one part after another.
func TestPadrover(t *testing.T) {
	script := harness.WriteFile(t, "pad.jsonl", `{"after": "0s", "events": [{"code": "ABS_Y", "value": 0}]}
{"after": "300ms", "events": [{"code": "ABS_Y", "value": -32768}]}
{"after": "4s", "events": [{"code": "ABS_Y", "value": 0}]}
`)
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: wire.Device() + "\npad: {kind: input, source: sim, script: " +
		script + "}"})
	motors, pad := robot.Device(t, "motors"), robot.Device(t, "pad")
	padrover := filepath.Join(t.TempDir(), "padrover")
	if out, err := exec.Command("go", "build", "-o", padrover, "../examples/padrover").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	forward := func(m harness.Motion) bool { return m.Left == 180 && m.Right == 180 }
	state := throughGRPC(t, motors.GRPCAddress)
	start := func(t *testing.T) *harness.Process {
		t.Helper()
		harness.Until(t, "the previous lease has expired", func() error {
			if phase := find(state(t, getControl, `{}`).Answer, "phase", ""); phase != "CONTROL_PHASE_FREE" {
				return errors.New(phase)
			}
			return nil
		})
		begin := time.Now()
		p := harness.Start(t, nil, padrover, pad.GRPCAddress, motors.GRPCAddress)
		wire.AwaitMotion(t, begin, "the motors turn", forward)
		return p
	}

	t.Run("ends", func(t *testing.T) {
		p := start(t)
		p.Stop(t)
		wire.AwaitStill(t, time.Now(), quiet)
	})
	t.Run("is killed", func(t *testing.T) {
		p := start(t)
		p.Kill(t)
		wire.AwaitStill(t, time.Now(), quiet)
	})
	t.Run("loses the lease", func(t *testing.T) {
		p := start(t)
		harness.Run(t, []string{"WALDO_NATS=" + robot.NATS}, harness.Bin(t, "waldo"), "send", "motors",
			`{"left": 0, "right": 0}`, "--take")
		<-p.Done()
		if !strings.Contains(p.Output(), "lease") {
			t.Errorf("padrover ended with:\n%s", p.Output())
		}
		wire.AwaitStill(t, time.Now(), quiet)
	})
	t.Run("loses the pad", func(t *testing.T) {
		p := start(t)
		harness.Crash(t, robot.Device(t, "pad").PID)
		<-p.Done()
		wire.AwaitStill(t, time.Now(), quiet)
	})
}

// TestExampleFiles lets every program check its part of the files that people copy.
func TestExampleFiles(t *testing.T) {
	files, err := filepath.Glob("../cmd/waldo/examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		r, err := robot.Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		harness.Run(t, nil, harness.Bin(t, "waldo-gateway"), "--robot-file", file, "--check")
		for _, d := range r.Devices {
			harness.Run(t, nil, harness.Bin(t, "waldo-"+d.Kind), "--robot-file", file, "--device", d.Name, "--check")
		}
	}
}
