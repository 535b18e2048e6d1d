package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	serialv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/serial/v1"
	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/lease"
)

// upgrading is `waldo upgrade` under way, and the processes of the device: the present one and the new one.
type upgrading struct {
	cmd  *exec.Cmd
	says strings.Builder
	pids []int
}

// beginUpgrade returns when the new process has been started. By then it may have taken over.
func beginUpgrade(t *testing.T, robot *harness.Robot, device, program string) *upgrading {
	t.Helper()
	u := &upgrading{cmd: exec.Command(harness.Bin(t, "waldo"), "upgrade", device, "--nats", robot.NATS),
		pids: harness.Children(t, robot.PID(), program)}
	if len(u.pids) != 1 {
		t.Fatalf("processes of %s: %v", device, u.pids)
	}
	u.cmd.Stderr = &u.says
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(harness.Patience); len(u.pids) < 2; {
		for _, pid := range harness.Children(t, robot.PID(), program) {
			if pid != u.pids[0] {
				u.pids = append(u.pids, pid)
			}
		}
		if time.Now().After(deadline) {
			_ = u.cmd.Process.Kill() // unless it has ended
			err := u.cmd.Wait()
			t.Fatalf("no process was started beside %v: %v: %s", u.pids, err, u.says.String())
		}
	}
	return u
}

// awaitOne waits until one process of a device is left, and serves.
func awaitOne(t *testing.T, robot *harness.Robot, device, program string) {
	t.Helper()
	harness.Until(t, "one process is left, and serves", func() error {
		left := harness.Children(t, robot.PID(), program)
		if d := robot.Device(t, device); len(left) != 1 || d.PID != left[0] {
			return fmt.Errorf("%v, and %d serves", left, d.PID)
		}
		return nil
	})
}

// refusedUpgrade runs `waldo upgrade`, which must fail, and returns what it says.
func refusedUpgrade(t *testing.T, robot *harness.Robot, device string) string {
	t.Helper()
	out, err := exec.Command(harness.Bin(t, "waldo"), "upgrade", device, "--nats", robot.NATS).CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the upgrade of %s ended with %v:\n%s", device, err, out)
	}
	return string(out)
}

// TestUpgradeToABadProgram: the present process goes on without a picture less, and the command says why.
func TestUpgradeToABadProgram(t *testing.T) {
	bin := t.TempDir()
	link := func(name string) {
		if err := os.Symlink(harness.Bin(t, name), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	waldo, err := os.ReadFile(harness.Bin(t, "waldo")) // it looks for programs where its own file is
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "waldo"), waldo, 0o755); err != nil {
		t.Fatal(err)
	}
	link("waldo-gateway")
	link("waldo-camera")
	camera, err := os.ReadFile(harness.Bin(t, "waldo-camera"))
	if err != nil {
		t.Fatal(err)
	}
	robot := harness.StartRobot(t, harness.Options{Bin: bin})
	old := robot.Device(t, "front")
	f := follow(t, robot)
	f.unbroken(t, 1)
	for _, tt := range []struct{ what, program, says string }{
		{"crashes at start", "#!/bin/sh\nexit 3\n", "code 3"},
		{"is killed", "#!/bin/sh\nkill -9 $$\n", "killed"},
		{"was cut off by a full disk", string(camera[:4096]), "the new process was killed"},
		{"does not know the configuration", "#!/bin/sh\nexec " + harness.Bin(t, "waldo-camera") + " --unknown-flag\n", "78"},
	} {
		next := filepath.Join(bin, "next")
		if err := os.WriteFile(next, []byte(tt.program), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(bin, "waldo-camera")); err != nil {
			t.Fatal(err)
		}
		if says := refusedUpgrade(t, robot, "front"); !strings.Contains(says, tt.says) {
			t.Errorf("a program that %s: %q, want %q", tt.what, says, tt.says)
		}
		f.unbroken(t, 1)
	}
	if d := robot.Device(t, "front"); d.PID != old.PID || d.Epoch != old.Epoch {
		t.Errorf("it was %+v, and is %+v", old, d)
	}
}

// TestUpgradeWhileOneIsFrozen has one of the two processes stopped by a signal in the middle of it. The launcher ends
// that one, and the other one serves.
func TestUpgradeWhileOneIsFrozen(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	robot.Device(t, "front")
	f := follow(t, robot)
	for victim, name := range []string{"the old one", "the new one"} {
		t.Run(name, func(t *testing.T) {
			f.next(t)
			u := beginUpgrade(t, robot, "front", "waldo-camera")
			harness.Freeze(t, u.pids[victim])
			err := u.cmd.Wait()
			if err != nil && !strings.Contains(u.says.String(), "front was not upgraded: ") {
				t.Errorf("%v: %s", err, u.says.String())
			}
			awaitOne(t, robot, "front", "waldo-camera")
			if left := robot.Device(t, "front").PID; left == u.pids[victim] {
				t.Errorf("process %d serves, which was stopped", left)
			}
		})
	}
}

// TestUpgradeWhileTheLauncherDies: nothing is left of it, and the next launcher finds nothing in its way.
func TestUpgradeWhileTheLauncherDies(t *testing.T) {
	robot := harness.StartRobot(t, harness.Options{})
	robot.Device(t, "front")
	random := rand.New(rand.NewPCG(14, 4))
	for range 3 {
		u := beginUpgrade(t, robot, "front", "waldo-camera")
		time.Sleep(time.Duration(random.IntN(450)) * time.Millisecond) // into the middle of it
		robot.Restart(t)
		_ = u.cmd.Process.Kill() // there is nobody to answer
		_ = u.cmd.Wait()
		awaitOne(t, robot, "front", "waldo-camera")
		for _, pid := range u.pids {
			if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil &&
				strings.Contains(program, "waldo-camera") {
				t.Errorf("process %d outlived its launcher", pid)
			}
		}
	}
}

// ghost sends full speed over the bus, again and again, under a lease that is over, until the test ends.
func ghost(t *testing.T, robot *harness.Robot, l *lease.Lease) {
	t.Helper()
	header, err := l.Header(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(bus.Config{URL: robot.NATS, Name: "ghost"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		motors := serialv1.NewSerialServiceClient(conn.Client(bus.Address{Robot: "e2e", Device: "motors"}))
		for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			one, cancel := context.WithTimeout(ctx, time.Second)
			_, _ = motors.WriteMessage(one, &serialv1.WriteMessageRequest{ // which must fail
				Body: &serialv1.WriteMessageRequest_Json{Json: `{"left": 200, "right": 200}`}, Control: header})
			cancel()
		}
	})
	t.Cleanup(func() { cancel(); running.Wait(); conn.Close() })
}

// driveMotors drives at full speed until the wire shows it.
func driveMotors(t *testing.T, robot *harness.Robot, wire *harness.Wire) *lease.Lease {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: robot.NATS, Name: "driver"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	motors := conn.Client(bus.Address{Robot: "e2e", Device: "motors"})
	var l *lease.Lease
	harness.Until(t, "the lease is granted", func() (err error) {
		l, err = lease.Take(ctx, motors, "driver", "")
		return err
	})
	var running sync.WaitGroup
	running.Go(func() {
		command := l.Neutral()
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			header, err := l.Header(ctx)
			if err != nil {
				return
			}
			r, err := serialv1.NewSerialServiceClient(motors).WriteMessage(ctx,
				&serialv1.WriteMessageRequest{Body: &serialv1.WriteMessageRequest_Json{Json: command}, Control: header})
			l.Heard(r.GetReport(), err)
			if command = `{"left": 200, "right": 200}`; err != nil {
				command = l.Neutral()
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait(); l.Close(); conn.Close() })
	wire.AwaitMotion(t, time.Now(), "the motors turn", harness.Motion.Moves)
	return l
}

// TestUpgradeOfMotorsThatIsKilled: what is driven is not upgraded. What stands still is, and whoever is killed
// meanwhile, commands of a lease that is over move nothing, in the old process, in the new one, and in between.
func TestUpgradeOfMotorsThatIsKilled(t *testing.T) {
	wire := harness.StartWire(t)
	robot := harness.StartRobot(t, harness.Options{Devices: wire.Device()})
	old := robot.Device(t, "motors")
	l := driveMotors(t, robot, wire)
	if says := refusedUpgrade(t, robot, "motors"); !strings.Contains(says, "the lease is held by") {
		t.Errorf("driven: %s", says)
	}
	if d := robot.Device(t, "motors"); d.PID != old.PID {
		t.Errorf("process %d was driven, and is %d", old.PID, d.PID)
	}
	ghost(t, robot, l)
	l.Close()
	stood := wire.AwaitStill(t, time.Now(), 500*time.Millisecond)
	robot.Waldo(t, "upgrade", "motors")
	random := rand.New(rand.NewPCG(14, 5))
	for i := range 6 {
		u := beginUpgrade(t, robot, "motors", "waldo-serial")
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // into the middle of it
		_ = syscall.Kill(u.pids[i%2], syscall.SIGKILL)                // it may have ended
		_ = u.cmd.Wait()                                              // whether it worked depends on the moment
		awaitOne(t, robot, "motors", "waldo-serial")
	}
	wire.MustStayStill(t, stood)
	driveMotors(t, robot, wire)
}
