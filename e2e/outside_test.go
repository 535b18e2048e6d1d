package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// own is the module path of the thermometer outside this repository.
const own = "example.org/thermometer"

// required finds the version of pkg that this tree's modules require of each other.
var required = regexp.MustCompile(`github\.com/waldo-robot/waldo/pkg (v\S+)`)

// buildOutside copies the thermometer of examples/ out of this repository, makes it a module, and builds it against
// the published modules. It returns the folder of the program.
func buildOutside(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("../examples/go.mod")
	check(t, err)
	version := required.FindSubmatch(mod)
	if version == nil {
		t.Fatal("examples/go.mod does not require pkg")
	}
	env := harness.ModuleProxy(t, string(version[1]), "api", "pkg")
	folder := t.TempDir()
	copyModule(t, "../examples/thermometer", folder)
	check(t, os.WriteFile(filepath.Join(folder, "go.mod"), fmt.Appendf(nil, "module %s\n\ngo 1.26\n", own), 0o600))
	sums, err := os.ReadFile("../examples/go.sum") // of all third-party modules
	check(t, err)
	check(t, os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600))
	goCommand := func(args ...string) {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	goCommand("mod", "edit", "-require=github.com/waldo-robot/waldo/pkg@"+string(version[1]))
	bin := t.TempDir()
	goCommand("build", "-trimpath", "-tags", "grpcnotrace", "-o", filepath.Join(bin, "waldo-thermometer"), ".")
	return bin
}

// copyModule copies files into another module.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	check(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o700); err != nil {
			return err
		}
		if strings.HasSuffix(name, ".go") { // the generated code names its path in the definitions too, which may stay
			data = []byte(strings.ReplaceAll(string(data), `"github.com/waldo-robot/waldo/examples/thermometer/gen`,
				`"`+own+"/gen"))
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o600)
	}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOutside: the unchanged programs list, watch, call, and plot a device that was built outside this repository
// against the published modules, and do so again after its restart.
func TestOutside(t *testing.T) {
	t.Setenv("PATH", buildOutside(t)+string(os.PathListSeparator)+os.Getenv("PATH"))
	sensor := harness.WriteFile(t, "temp", "21500\n")
	robot := harness.StartRobot(t, harness.Options{Devices: `front: {kind: camera, source: test}
		shade: {kind: thermometer, path: ` + sensor + `, every: 20ms}`})
	env := []string{"WALDO_NATS=" + robot.NATS}
	waldo := harness.Bin(t, "waldo")
	if d := robot.Device(t, "shade"); d.Kind != "thermometer" {
		t.Errorf("listed: %v", d)
	}
	if out := harness.Run(t, env, waldo, "watch", "shade", "-n", "2"); out != "21.5\n21.5\n" {
		t.Errorf("watched: %q", out)
	}
	if out := harness.Run(t, env, waldo, "call", "shade"); !strings.Contains(out,
		"thermometer.v1.ThermometerService/Measure") {
		t.Errorf("methods:\n%s", out)
	}
	if out := harness.Run(t, env, waldo, "call", "shade", "Measure", `{"unit": "UNIT_FAHRENHEIT"}`); !strings.Contains(out,
		`"temperature": 70.7`) {
		t.Errorf("called:\n%s", out)
	}

	page := harness.StartBrowser(t).Open(t, robot.URL)
	page.Until(t,
		`document.querySelector('tr[data-device="shade"][data-state="ready"] .kind')?.textContent === 'thermometer'`)
	page.Until(t, `document.querySelector('[data-watch="shade/temperature"]')`)
	harness.Eval[bool](t, page, `(document.querySelector('[data-watch="shade/temperature"]').open = true)`)
	const shown = `document.querySelector('[data-watch="shade/temperature"] [data-key="temperature"]')?.textContent === $1`
	page.Until(t, shown, "21.500")
	const inked = `(() => {
		const canvas = document.querySelector('[data-watch="shade/temperature"] canvas');
		return canvas.width > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v !== 0);
	})()`
	page.Until(t, inked)
	measured := harness.Eval[float64](t, page,
		`waldo.robot.call('shade', 'thermometer.v1.ThermometerService/Measure', {unit: 'UNIT_FAHRENHEIT'}).then((r) => r.temperature)`)
	if measured != 70.7 {
		t.Errorf("called by the page: %v", measured)
	}
	refused := harness.Eval[string](t, page,
		`waldo.robot.call('shade', 'thermometer.v1.ThermometerService/Measure', {units: 1}).catch((e) => e.code + ' ' + e.message)`)
	if !strings.HasPrefix(refused, "INVALID_ARGUMENT") ||
		!strings.Contains(refused, `unknown field "units"; its fields are unit`) {
		t.Errorf("refused: %s", refused)
	}

	// After a restart it is watched and called as before.
	harness.Crash(t, robot.Device(t, "shade").PID)
	check(t, os.WriteFile(sensor, []byte("24000\n"), 0o600))
	page.Until(t, shown, "24.000")
	page.Until(t,
		`waldo.robot.call('shade', 'thermometer.v1.ThermometerService/Measure', {}).then((r) => r.temperature === 24, () => false)`)
}
