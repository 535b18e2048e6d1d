package units

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deploy is where the unit files are.
const deploy = "../../../../deploy/systemd"

// newSystem is a folder with what packages install: unit files, kinds, the user, and programs that do nothing.
func newSystem(t *testing.T) *Installation {
	t.Helper()
	root := t.TempDir()
	for from, to := range map[string]string{"*.service": vendorFolder, "*.target": vendorFolder, "kinds/*": kindFolder,
		"pause": path.Dir(kindFolder)} {
		files, err := filepath.Glob(filepath.Join(deploy, from))
		if err != nil || len(files) == 0 {
			t.Fatal("there are no unit files", err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			mode := os.FileMode(0o644)
			if from == "pause" {
				mode = 0o755
			}
			write(t, filepath.Join(root, to, filepath.Base(f)), string(data), mode)
		}
	}
	write(t, filepath.Join(root, "etc/group"), "root:x:0:\nwaldo:x:"+"0"+":\n", 0o644)
	for _, p := range []string{"waldo", "waldo-gateway", "waldo-camera", "waldo-serial", "waldo-lidar"} {
		write(t, filepath.Join(root, programs, p), "#!/bin/sh\n", 0o755)
	}
	return &Installation{Root: root, Programs: launch.Programs{filepath.Join(root, programs)}, Waldo: "/usr/bin/waldo"}
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// install applies a file.
func install(t *testing.T, i *Installation, text string) Changes {
	t.Helper()
	plan, r, err := i.Plan(t.Context(), "given.yaml", []byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := i.Apply(plan, r)
	if err != nil {
		t.Fatal(err)
	}
	changes.Warnings = nil // programs cannot check a file in another system without their libraries
	return changes
}

const rover = `robot: rover
devices:
  front: {kind: camera, source: test}
  motors: {kind: serial, port: /dev/ttyACM0}
`

// TestApply follows a robot through changes of its file.
func TestApply(t *testing.T) {
	i := newSystem(t)
	last := strings.Replace(rover, "front", "rear", 1) + "nats: {url: \"nats://10.0.0.2\"}\n"
	for _, step := range []struct {
		name, text string
		want       Changes
	}{
		{"at first", rover, Changes{Added: []string{"bus", "front", "gateway", "motors"}, Rewritten: true}},
		{"again", rover, Changes{}},
		{"in other words", "# mine\n" + rover, Changes{}},
		{"a device changes", strings.Replace(rover, "source: test", "source: /dev/video0", 1),
			Changes{Changed: []string{"front"}, Rewritten: true}},
		{"a device moves to another kind", strings.Replace(rover, "kind: serial", "kind: lidar", 1),
			Changes{Changed: []string{"front", "gateway", "motors"}, Rewritten: true}},
		{"a device goes, one comes", strings.Replace(rover, "front", "rear", 1),
			Changes{Added: []string{"rear"}, Changed: []string{"gateway", "motors"}, Removed: []string{"front"},
				Rewritten: true}},
		{"another bus", last,
			Changes{Changed: []string{"gateway", "motors", "rear"}, Removed: []string{"bus"}, Rewritten: true}},
	} {
		if got := install(t, i, step.text); !reflect.DeepEqual(got, step.want) {
			t.Errorf("%s: %+v, want %+v", step.name, got, step.want)
		}
		if data, _ := os.ReadFile(i.host(CheckedFile)); string(data) != step.text {
			t.Errorf("%s: the units read %q", step.name, data)
		}
	}
	write(t, i.host(TokenFile), "sixteen-or-more!\n", 0o600)
	if got, want := install(t, i, last), (Changes{Changed: []string{"gateway", "motors", "rear"},
		Rewritten: true}); !reflect.DeepEqual(got, want) {
		t.Errorf("with a token: %+v, want %+v", got, want)
	}
	write(t, i.host(unitFolder+"/waldo-device@rear.service.d/override.conf"), "[Service]\n", 0o644)
	changes, err := i.Remove()
	if want := []string{"gateway", "motors", "rear"}; err != nil || !slices.Equal(changes.Removed, want) {
		t.Errorf("removed %v, %v, want %v", changes.Removed, err, want)
	}
	if left := tree(t, i.host(unitFolder)); !slices.Equal(left, []string{"waldo-device@rear.service.d/override.conf"}) {
		t.Errorf("left: %q", left)
	}
}

// tree lists the files below a folder.
func tree(t *testing.T, folder string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDropIn checks what units get that a robot.yaml asks for.
func TestDropIn(t *testing.T) {
	i := newSystem(t)
	if err := os.Rename(i.host(programs+"/waldo-lidar"), i.host("/usr/local-lidar")); err != nil {
		t.Fatal(err)
	}
	write(t, i.host("/usr/local/bin/waldo-lidar"), "#!/bin/sh\n", 0o755)
	i.Programs = append(i.Programs, filepath.Join(i.Root, "/usr/local/bin"))
	write(t, i.host(TokenFile), "sixteen-or-more!\n", 0o600)
	install(t, i, rover+`  roof: {kind: lidar, grpc: ":700"}
  door: {kind: camera, grpc: "10.0.0.1:7105"}
gateway: {http: ":443"}
`)
	for unit, want := range map[string][]string{
		"waldo-device@front.service": {},
		"waldo-device@door.service":  {"IPAddressDeny=\nIPAddressAllow="},
		"waldo-device@roof.service": {"ExecStart=\nExecStart=/usr/local/bin/waldo-lidar --device %i", "IPAddressDeny=",
			"AmbientCapabilities=CAP_NET_BIND_SERVICE"},
		"waldo-gateway.service": {"CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbient"},
		"waldo-bus.service":     {},
	} {
		text, ok := i.read(unitFolder + "/" + unit + ".d/" + robotFile)
		if !ok {
			t.Errorf("%s has no drop-in", unit)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s has no %q:\n%s", unit, w, text)
			}
		}
		if len(want) == 0 && (strings.Contains(text, "IPAddress") || strings.Contains(text, "Exec")) {
			t.Errorf("%s gets more than it needs:\n%s", unit, text)
		}
	}
	if to, _ := i.read(unitFolder + "/waldo-device@front.service.d/" + kindFile); to != link+kindFolder+"/camera.conf" {
		t.Errorf("the kind of front is %s", to)
	}
}

// TestBad: what is wrong is said, in the words of the file that was given, and nothing changes.
func TestBad(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		spoil func(*Installation) error
		says  string
	}{
		"not a robot": {"robots: x\n", nil, "given.yaml:1"},
		"missing package": {rover + "  ear: {kind: audio}\n", nil,
			"given.yaml:5: devices.ear.kind: there is no program waldo-audio"},
		"its package": {rover + "  ear: {kind: audio}\n", nil, "(it is in the package waldo-audio)"},
		"no gateway": {rover, func(i *Installation) error { return os.Remove(i.host(programs + "/waldo-gateway")) },
			"waldo-gateway"},
		"no user": {rover, func(i *Installation) error { return os.WriteFile(i.host("/etc/group"), nil, 0o600) },
			"there is no user waldo"},
		"no units": {rover, func(i *Installation) error { return os.Remove(i.host(vendorFolder + "/" + template)) },
			"there is no unit waldo-device@.service on this system: install the package waldo"},
		"bad token": {rover, func(i *Installation) error {
			return errors.Join(os.MkdirAll(i.host("/etc/waldo"), 0o750), os.WriteFile(i.host(TokenFile), []byte("a\nb"), 0o600))
		}, "several lines"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newSystem(t)
			if tt.spoil != nil {
				if err := tt.spoil(i); err != nil {
					t.Fatal(err)
				}
			}
			plan, r, err := i.Plan(t.Context(), "given.yaml", []byte(tt.text), false)
			if err == nil {
				_, err = i.Apply(plan, r)
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), RobotFile) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
			if files := i.present(); len(files) > 0 {
				t.Errorf("it has written %q", files)
			}
		})
	}
}

// TestFollow checks what systemd is told.
func TestFollow(t *testing.T) {
	var said []string
	c := &Control{Systemctl: func(_ context.Context, args ...string) (string, error) {
		said = append(said, strings.Join(args, " "))
		return "", nil
	}}
	err := c.Follow(t.Context(), Changes{Added: []string{"rear"}, Changed: []string{"front", "gateway"},
		Removed: []string{"old"}, Rewritten: true})
	want := []string{
		"stop waldo-device@old.service", "daemon-reload",
		"reset-failed waldo-device@front.service waldo-gateway.service",
		"restart waldo-device@front.service waldo-gateway.service", "start waldo.target",
	}
	if err != nil || !slices.Equal(said, want) {
		t.Errorf("said %q, %v, want %q", said, err, want)
	}
	said = nil
	if err := c.Follow(t.Context(), Changes{}); err != nil || !slices.Equal(said, []string{"start waldo.target"}) {
		t.Errorf("without changes it said %q, %v", said, err)
	}
}

func TestList(t *testing.T) {
	c := &Control{Systemctl: func(context.Context, ...string) (string, error) {
		return `Id=waldo-device@front.service
MainPID=12
ActiveState=active
SubState=running
Result=success
ExecMainStatus=0
StatusText=away: no camera = nothing

Id=waldo-gateway.service
MainPID=0
ActiveState=failed
SubState=failed
Result=exit-code
ExecMainStatus=78

Id=waldo-bus.service
MainPID=0
ActiveState=activating
SubState=auto-restart
Result=watchdog

Id=waldo-device@off.service
MainPID=0
ActiveState=inactive
Result=success
`, nil
	}}
	got, err := c.List(t.Context(), []string{"front", "gateway"})
	want := []Status{
		{"front", 12, true, "away: no camera = nothing", false},
		{"gateway", 0, false, "its configuration is wrong: journalctl -u waldo-gateway.service tells why", false},
		{"bus", 0, false, "its unit is auto-restart (watchdog): journalctl -u waldo-bus.service tells why", true},
		{"off", 0, false, "its unit is inactive", false},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestUnitFiles has systemd itself look at the units of a robot: nothing in them is unknown, and each is exposed less
// than 3.0 of 10 by its own measure.
func TestUnitFiles(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	i := newSystem(t)
	kinds, err := filepath.Glob(i.host(kindFolder + "/*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := "robot: rover\ngateway: {http: \"127.0.0.1:443\"}\ndevices:\n"
	for _, f := range kinds {
		kind := strings.TrimSuffix(filepath.Base(f), ".conf")
		write(t, i.host(programs+"/waldo-"+kind), "#!/bin/sh\n", 0o755)
		text += "  a-" + kind + ": {kind: " + kind + ", grpc: \"127.0.0.1:0\"}\n"
	}
	install(t, i, text)
	units := []string{target, gatewayUnit, busUnit}
	for _, f := range kinds {
		units = append(units, ofDevice("a-"+strings.TrimSuffix(filepath.Base(f), ".conf")))
	}
	folder := flatten(t, i, units)
	for _, u := range units {
		cmd := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", filepath.Join(folder, u))
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+folder+":")
		out, err := cmd.CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "waldo") {
				t.Errorf("%s: %s", u, line)
			}
		}
		if err != nil {
			t.Errorf("%s: verify: %v\n%s", u, err, out)
		}
		if u == target {
			continue
		}
		cmd = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=30",
			filepath.Join(folder, u))
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+folder+":")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", u, err, out)
		}
	}
}

// flatten writes each unit with its drop-ins into one folder, in which programs are those of the system's folder:
// systemd-analyze looks for files on this machine.
func flatten(t *testing.T, i *Installation, units []string) string {
	t.Helper()
	folder := t.TempDir()
	for _, u := range units {
		file := u
		if strings.HasPrefix(u, "waldo-device@") {
			file = template
		}
		text, _ := i.read(vendorFolder + "/" + file)
		write(t, filepath.Join(folder, file), inRoot(i, text), 0o644)
		for _, dropIn := range []string{kindFile, robotFile} {
			text, ok := i.read(unitFolder + "/" + u + ".d/" + dropIn)
			if to, isLink := strings.CutPrefix(text, link); isLink {
				text, ok = i.read(to)
			}
			if ok {
				write(t, filepath.Join(folder, u+".d", dropIn), inRoot(i, text), 0o644)
			}
		}
	}
	return folder
}

func inRoot(i *Installation, text string) string {
	return strings.NewReplacer("ExecStart=/usr", "ExecStart="+i.host("/usr"), "+/usr", "+"+i.host("/usr")).Replace(text)
}
