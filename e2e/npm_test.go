package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// npmModules installs the npm package and what it needs, once, in a folder that TestMain removes.
var npmModules = sync.OnceValues(func() (path string, err error) {
	packages, err := filepath.Glob(filepath.Join(os.Getenv("WALDO_NPM"), "waldo-robot-*.tgz"))
	if err != nil {
		return "", err
	}
	if len(packages) != 1 {
		return "", fmt.Errorf("WALDO_NPM has the packages %v: run `make npm`, and set it to build/npm", packages)
	}
	npmFolder, err = os.MkdirTemp("", "waldo-e2e-npm-")
	if err != nil {
		return "", err
	}
	install := exec.Command("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", packages[0])
	install.Dir = npmFolder
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w\n%s", err, out)
	}
	return filepath.Join(npmFolder, "node_modules"), nil
})

// npmFolder is where npmModules are; empty if no test needed them.
var npmFolder string

// copyOf returns a folder with the files of an example, in which the npm package is installed.
func copyOf(tb testing.TB, example string) string {
	tb.Helper()
	modules, err := npmModules()
	if err != nil {
		tb.Fatal(err)
	}
	folder := tb.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../examples/"+example)); err != nil {
		tb.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		tb.Fatal(err)
	}
	return folder
}

// TestHTML opens the page of examples/html, which imports the npm package, in Chromium: it shows the camera, through a
// crash of its process, and drives until the e-stop.
func TestHTML(t *testing.T) {
	site := httptest.NewServer(http.FileServer(http.Dir(copyOf(t, "html"))))
	t.Cleanup(func() { closeSite(site) })
	robot := harness.StartRobot(t, harness.Options{
		Devices: calledDevices,
		Drive:   "{device: motors, keys: {left: {forward: 200, turn: 60}, right: {forward: 200, turn: -60}}}",
		Gateway: fmt.Sprintf(", origins: [%q]", site.URL),
	})
	front := robot.Device(t, "front")
	page := harness.StartBrowser(t).Open(t, site.URL+"?robot="+robot.URL+"/")
	page.Until(t, "document.querySelector('#picture').value.startsWith('live')")
	page.Until(t, "document.querySelector('#front').videoWidth === 640")
	page.Until(t, "document.querySelector('#name').textContent.startsWith('e2e: live')")

	board := watchBoard(t, robot, "motors")
	harness.Until(t, "W drives ahead", func() error { // a page that stood still for a moment wants it anew
		shown := harness.Eval[[2]string](t, page, "['#state', '#drive'].map((s) => document.querySelector(s).textContent)")
		if !strings.HasPrefix(shown[0], "driving") {
			page.Release(t, "KeyW")
			if shown[1] == "Drive" {
				page.Click(t, "#drive")
			}
			return fmt.Errorf("the page says %q", shown)
		}
		page.Press(t, "KeyW")
		return board.hears(`"left":200,"right":200`)
	})
	page.Release(t, "KeyW")
	board.says(t, `"left":0,"right":0`)
	page.Click(t, "#estop")
	page.Until(t, "document.querySelector('#state').value.startsWith('off Stopped by the e-stop')")

	page.Until(t, "document.querySelector('#front').currentTime > 0")
	harness.Crash(t, front.PID)
	harness.Until(t, "another process is the camera", func() error {
		if again := robot.Device(t, "front"); again.Epoch == front.Epoch {
			return fmt.Errorf("it is still %d", again.PID)
		}
		return nil
	})
	shown := harness.Eval[float64](t, page, "document.querySelector('#front').currentTime")
	page.Until(t, "document.querySelector('#front').currentTime > $1 && "+
		"document.querySelector('#picture').value.startsWith('live')", shown+1)
}
