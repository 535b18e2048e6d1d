package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// darker is a function between camera and encoder, in a file that says which process runs it.
const darker = `import os, waldo

with open("pid", "w") as file:
    file.write(str(os.getpid()))

@waldo.preprocess
def darker(picture):
    return picture // 4
`

// TestPreprocess watches a camera whose pictures a Python function changes. The function's process is killed, and
// stopped, and the camera's process is killed: the picture goes on, on the same connection, pictures are changed
// again, and no process is left.
func TestPreprocess(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "darker.py"), []byte(darker), 0o600); err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("cd '%s' && exec '%s' darker.py", folder, python(t))
	robot := harness.StartRobot(t, harness.Options{
		Devices: "front: {kind: camera, source: test, width: 640, height: 480, preprocess: " + strconv.Quote(command) + "}"})
	page := harness.StartBrowser(t).Open(t, robot.URL)
	front := page.Tile(t, "front")
	front.WaitFrames(t, 30)
	connection := page.Connection(t)
	camera := robot.Device(t, "front")
	pid := runsDarker(t, robot, camera, folder, 0)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
		front.WaitFrames(t, 30)
		pid = runsDarker(t, robot, camera, folder, pid)
	}
	harness.Crash(t, camera.PID)
	harness.Until(t, "the process of the function ends with the camera", func() error {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.Join(fmt.Errorf("process %d is still there", pid), err)
		}
		return nil
	})
	awaitNewLife(t, robot, camera)
	front.WaitState(t, "live")
	runsDarker(t, robot, robot.Device(t, "front"), folder, pid)
	if after := page.Connection(t); !after.Same(connection) {
		t.Errorf("the connection changed:\n%+v\n%+v", connection, after)
	}
}

// runsDarker waits until a process other than the one before changes pictures, and returns its id.
func runsDarker(t *testing.T, robot *harness.Robot, camera harness.Device, folder string, before int) (pid int) {
	t.Helper()
	changed := func() float64 {
		return robot.Metric(t, camera, "waldo_camera_preprocess_pictures_total", `result="changed"`)
	}
	harness.Until(t, "another process runs the function", func() (err error) {
		text, err := os.ReadFile(filepath.Join(folder, "pid"))
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if err == nil && pid == before {
			err = fmt.Errorf("it is process %d", pid)
		}
		return err
	})
	first := changed()
	harness.Until(t, "pictures are changed", func() error {
		if n := changed() - first; n < 10 {
			return fmt.Errorf("%v are", n)
		}
		return nil
	})
	return pid
}
