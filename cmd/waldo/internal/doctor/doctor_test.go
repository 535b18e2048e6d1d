package doctor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/doctor"
	"github.com/waldo-robot/waldo/pkg/certs/certstest"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/version"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rover = `robot: rover
devices:
  front: {kind: camera, source: /dev/video0}
  motors: {kind: serial, port: /dev/ttyACM0}
  ear: {kind: audio, source: tone}
`

// healthy is a machine on which nothing is wrong, and its root.
func healthy(t *testing.T) (*doctor.System, string) {
	t.Helper()
	root := t.TempDir()
	for file, text := range map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\npi:x:" + uid() +
			":1000::/home/pi:/bin/sh\nwaldo:x:" + uid() + ":990::/:\n",
		"etc/group":                                 "root:x:0:\nvideo:x:44:pi\ndialout:x:20:pi,other\naudio:x:29:\n",
		"dev/video0":                                "",
		"dev/video1":                                "",
		"dev/ttyACM0":                               "",
		"proc/sys/fs/inotify/max_user_instances":    "128\n",
		"proc/sys/fs/inotify/max_user_watches":      "65536\n",
		"proc/sys/net/core/rmem_max":                "2097152\n",
		"proc/sys/net/core/wmem_max":                "2097152\n",
		"proc/1/comm":                               "systemd\n",
		"var/lib/waldo/rover/motors.e-stop.json":    "{}",
		"home/pi/.local/state/waldo/rover/gate.key": "",
		"etc/waldo/units/robot.yaml":                rover,
	} {
		put(t, root, file, text, 0o640)
	}
	r, err := robot.Parse("robot.yaml", []byte(rover))
	if err != nil {
		t.Fatal(err)
	}
	return &doctor.System{
		Root: root, Robot: r, User: "pi", State: "/var/lib/waldo",
		Check:   func(context.Context) error { return nil },
		Find:    func(kind string) (string, error) { return "/usr/bin/waldo-" + kind, nil },
		Version: func(context.Context, string) (string, error) { return version.Version, nil },
		Listen:  func(string) error { return nil },
		Running: func(context.Context) ([]doctor.Process, bool) { return nil, false },
		Failed:  func(context.Context) map[string]string { return nil },
		Now:     func() time.Time { return version.Day.AddDate(0, 1, 0) }, Synchronized: func() bool { return true },
		Space:     func(string) (free, whole uint64, err error) { return 5 << 30, 30 << 30, nil },
		OpenFiles: func() uint64 { return 65536 },
	}, root
}

// uid is the user who owns the files of the test.
func uid() string { return strconv.Itoa(os.Getuid()) }

func put(t *testing.T, root, file, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func TestHealthy(t *testing.T) {
	for _, units := range []bool{false, true} {
		s, _ := healthy(t)
		s.Units = units
		if found := doctor.Examine(t.Context(), s); found == nil || len(found) > 0 {
			t.Errorf("units %v: %+v", units, found)
		}
	}
}

// ill is a machine with one thing wrong.
type ill struct {
	spoil           func(t *testing.T, s *doctor.System, root string)
	check           string
	level           doctor.Level
	problem, remedy string
}

func parse(t *testing.T, s *doctor.System, text string) {
	t.Helper()
	r, err := robot.Parse("robot.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s.Robot = r
}

var machines = map[string]ill{
	"wrong file": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Robot, s.RobotErr = nil, errors.New("robot.yaml:2: no such key")
	}, "robot.yaml", doctor.Error, "robot.yaml:2: no such key", "correct the file"},
	"wrong key of a kind": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Check = func(context.Context) error { return errors.New(`devices.front: unknown key "widht"`) }
	}, "robot.yaml", doctor.Error, "widht", "correct the file"},
	"missing package": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Find = func(kind string) (string, error) {
			if kind == "audio" {
				return "", errors.New("there is no program waldo-audio")
			}
			return "/usr/bin/waldo-" + kind, nil
		}
	}, "programs", doctor.Error, "there is no program waldo-audio", "apt install waldo-audio"},
	"old program": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Version = func(_ context.Context, program string) (string, error) {
			if strings.HasSuffix(program, "serial") {
				return "0.0.9", nil
			}
			return version.Version, nil
		}
	}, "versions", doctor.Warning, "/usr/bin/waldo-serial is version 0.0.9, waldo is " + version.Version, "one version"},
	"program that cannot run": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Version = func(_ context.Context, program string) (string, error) {
			if strings.HasSuffix(program, "gateway") {
				return "", errors.New("exec format error")
			}
			return version.Version, nil
		}
	}, "versions", doctor.Error, "waldo-gateway cannot run: exec format error", "install it again"},
	"old process": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Running = func(context.Context) ([]doctor.Process, bool) {
			return []doctor.Process{{"front", "camera", "0.0.9"}, {"mine", "thermometer", "7"}}, true
		}
	}, "versions", doctor.Warning, "front runs version 0.0.9", "waldo restart front"},
	"replaced program": {func(t *testing.T, _ *doctor.System, root string) {
		put(t, root, "proc/77/comm", "waldo-camera", 0o640)
		if err := os.Symlink("/usr/bin/waldo-camera (deleted)", filepath.Join(root, "proc/77/exe")); err != nil {
			t.Fatal(err)
		}
	}, "versions", doctor.Warning, "process 77 runs a /usr/bin/waldo-camera that is not there any more", "restart it"},
	"clock of 1970": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Now, s.Synchronized = func() time.Time { return time.Unix(60, 0) }, func() bool { return false }
	}, "clock", doctor.Error, "the clock shows 1970-01-01 00:01:00", "timedatectl set-ntp true"},
	"clock that nothing sets": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Synchronized = func() bool { return false }
	}, "clock", doctor.Warning, "nothing sets the clock", "time server"},
	"full disk": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Space = func(string) (uint64, uint64, error) { return 3 << 20, 30 << 30, nil }
	}, "disk", doctor.Error, "the disk of /var/lib/waldo has 3 MB left of 30720 MB", "no e-stop survives a restart"},
	"nearly full disk": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Space = func(string) (uint64, uint64, error) { return 100 << 20, 30 << 30, nil }
	}, "disk", doctor.Warning, "100 MB left", "make room"},
	"state of another user": {func(t *testing.T, s *doctor.System, root string) {
		put(t, root, "etc/passwd", "pi:x:4711:1000::/home/pi:/bin/sh\n", 0o640)
	}, "state", doctor.Error, "the robot runs as user 4711", "chown -R 4711 /var/lib/waldo"},
	"state that everybody can change": {func(t *testing.T, _ *doctor.System, root string) {
		if err := os.Chmod(filepath.Join(root, "var/lib/waldo"), 0o777); err != nil {
			t.Fatal(err)
		}
	}, "state", doctor.Error, "can be changed by everybody", "chmod o-w /var/lib/waldo"},
	"state that is a file": {func(t *testing.T, s *doctor.System, root string) {
		put(t, root, "var/lib/other", "", 0o640)
		s.State = "/var/lib/other"
	}, "state", doctor.Error, "is not a folder", "rename it"},
	"open secret": {func(t *testing.T, _ *doctor.System, root string) {
		put(t, root, "etc/waldo/token", "sixteen-or-more!", 0o644)
	}, "secrets", doctor.Error, "/etc/waldo/token may hold secrets", "chmod o= /etc/waldo/token"},
	"kind that nothing confines": {func(t *testing.T, s *doctor.System, _ string) {
		text := rover + "  plant: {kind: plants}\n  pot: {kind: plants, may: {}}\n"
		r, err := robot.Parse("robot.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s.Robot, s.Running = r, func(context.Context) ([]doctor.Process, bool) { return nil, false }
		put(t, s.Root, "etc/waldo/units/robot.yaml", text, 0o640)
	}, "bus", doctor.Warning, "plant is of a kind of your own and may do everything on the bus", "`may:`"},
	"authority over a domain": {func(t *testing.T, s *doctor.System, root string) {
		s.Robot.TLS.Auto = true
		old := certstest.NewAuthority(t, certstest.Permitted("localhost", "dev"))
		text, err := os.ReadFile(old.File())
		if err != nil {
			t.Fatal(err)
		}
		put(t, root, "var/lib/waldo/tls/ca.crt", string(text), 0o644)
	}, "certificates", doctor.Error, "sites of the internet, below dev", "waldo trust --new"},
	"not in the group": {func(_ *testing.T, s *doctor.System, _ string) {
		s.User = "other"
	}, "groups", doctor.Error, "other is not in the group video, which front needs",
		"usermod --append --groups video other"},
	"no such group": {func(t *testing.T, _ *doctor.System, root string) {
		put(t, root, "etc/group", "root:x:0:\nvideo:x:44:pi\n", 0o640)
	}, "groups", doctor.Error, "there is no group dialout, which motors needs", "groupadd --system dialout"},
	"no user for units": {func(t *testing.T, s *doctor.System, root string) {
		s.Units = true
		put(t, root, "etc/passwd", "root:x:0:0::/root:/bin/sh\n", 0o640)
	}, "groups", doctor.Error, "there is no user waldo", "install the package waldo"},
	"unplugged camera": {func(t *testing.T, _ *doctor.System, root string) {
		if err := os.Remove(filepath.Join(root, "dev/video0")); err != nil {
			t.Fatal(err)
		}
	}, "devices", doctor.Error, "front: source /dev/video0 is not there", "these are there: /dev/video1"},
	"unplugged board": {func(t *testing.T, _ *doctor.System, root string) {
		if err := os.Remove(filepath.Join(root, "dev/ttyACM0")); err != nil {
			t.Fatal(err)
		}
		put(t, root, "dev/tty1", "", 0o600)
		put(t, root, "dev/serial/by-id/usb-Uno", "", 0o600)
	}, "devices", doctor.Error, "motors: port /dev/ttyACM0 is not there", "these are there: /dev/serial/by-id/usb-Uno"},
	"no hardware at all": {func(t *testing.T, s *doctor.System, _ string) {
		parse(t, s, "robot: r\ndevices: {front: {kind: camera, source: /dev/v4l/by-id/x}}\n")
	}, "devices", doctor.Error, "/dev/v4l/by-id/x is not there", "none of its sort"},
	"port in use": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Listen = func(address string) error {
			if address == "127.0.0.1:8080" {
				return &os.SyscallError{Syscall: "bind", Err: syscall.EADDRINUSE}
			}
			return nil
		}
	}, "ports", doctor.Error, "gateway: http: 127.0.0.1:8080 is in use", "ss -ltnp"},
	"port of the gateway in use, while the devices run": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Units = true
		s.Running = func(context.Context) ([]doctor.Process, bool) {
			return []doctor.Process{{Name: "front", Kind: "camera", Version: version.Version}}, true
		}
		s.Failed = func(context.Context) map[string]string { return map[string]string{"gateway": "it does not get ready"} }
		s.Listen = func(string) error { return &os.SyscallError{Syscall: "bind", Err: syscall.EADDRINUSE} }
	}, "ports", doctor.Error, "gateway: http: 127.0.0.1:8080 is in use", "ss -ltnp"},
	"address of another machine": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Listen = func(address string) error {
			if address == "127.0.0.1:4222" {
				return errors.New("cannot assign requested address")
			}
			return nil
		}
	}, "ports", doctor.Error, "nats: listen: cannot assign requested address", "another address"},
	"address without a token": {func(t *testing.T, s *doctor.System, _ string) {
		parse(t, s, rover+"gateway: {http: \"10.0.0.1:80\"}\n")
	}, "ports", doctor.Error, "gateway: http:", "correct it"},
	"few watches": {func(t *testing.T, _ *doctor.System, root string) {
		put(t, root, "proc/sys/fs/inotify/max_user_instances", "8\n", 0o640)
	}, "limits", doctor.Warning, "fs.inotify.max_user_instances is 8", "fs.inotify.max_user_instances=64"},
	"small buffers": {func(t *testing.T, _ *doctor.System, root string) {
		put(t, root, "proc/sys/net/core/rmem_max", "212992\n", 0o640)
	}, "limits", doctor.Warning, "net.core.rmem_max is 212992", "net.core.rmem_max=1048576"},
	"few files": {func(_ *testing.T, s *doctor.System, _ string) { s.OpenFiles = func() uint64 { return 256 } },
		"limits", doctor.Warning, "256 files only", "ulimit -n"},
	"failed unit": {func(_ *testing.T, s *doctor.System, _ string) {
		s.Units = true
		s.Failed = func(context.Context) map[string]string {
			return map[string]string{"front": "its configuration is wrong"}
		}
	}, "units", doctor.Error, "front does not run: its configuration is wrong", "waldo restart front"},
	"changed file": {func(t *testing.T, s *doctor.System, root string) {
		s.Units = true
		put(t, root, "etc/waldo/units/robot.yaml", "robot: old\n", 0o640)
	}, "units", doctor.Warning, "robot.yaml has changed", "waldo reload"},
}

// TestIll: each illness is found, nothing else is, and the finding says what to do.
func TestIll(t *testing.T) {
	for name, tt := range machines {
		t.Run(name, func(t *testing.T) {
			s, root := healthy(t)
			tt.spoil(t, s, root)
			var all []doctor.Finding
			for _, f := range doctor.Examine(t.Context(), s) {
				if f.Check == tt.check && f.Level == tt.level && strings.Contains(f.Problem, tt.problem) &&
					strings.Contains(f.Remedy, tt.remedy) {
					return
				}
				all = append(all, f)
			}
			t.Errorf("not found, but: %+v", all)
		})
	}
}

// TestCertificates is about files of the user's own.
func TestCertificates(t *testing.T) {
	now := version.Day.AddDate(0, 1, 0)
	for name, tt := range map[string]struct {
		ends  time.Time
		names string
		level doctor.Level
		says  string
	}{
		"good":              {now.AddDate(1, 0, 0), "rover.lan", "", ""},
		"expired":           {now.Add(-time.Hour), "rover.lan", doctor.Error, "expired on"},
		"soon expired":      {now.Add(24 * time.Hour), "rover.lan", doctor.Warning, "less than two weeks"},
		"for another robot": {now.AddDate(1, 0, 0), "other.lan", doctor.Error, "rover.lan"},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := healthy(t)
			put(t, root, "etc/waldo/c.pem", "", 0o640)
			certstest.NewAuthority(t).IssueTo(filepath.Join(root, "etc/waldo/c.pem"), filepath.Join(root, "etc/waldo/k.pem"),
				[]string{tt.names}, certstest.Between(now.AddDate(0, -1, 0), tt.ends))
			parse(t, s, rover+"tls: {cert: /etc/waldo/c.pem, key: /etc/waldo/k.pem, names: [rover.lan]}\n")
			put(t, root, "etc/waldo/units/robot.yaml", string(s.Robot.Text), 0o640)
			found := doctor.Examine(t.Context(), s)
			switch {
			case tt.says == "" && len(found) > 0:
				t.Errorf("found %+v", found)
			case tt.says != "" && (len(found) != 1 || found[0].Check != "certificates" || found[0].Level != tt.level ||
				!strings.Contains(found[0].Problem, tt.says) || strings.Contains(found[0].Problem, root)):
				t.Errorf("found %+v, want %s", found, tt.says)
			}
		})
	}
}
