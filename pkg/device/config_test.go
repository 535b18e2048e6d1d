package device

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// lamp is the kind whose configuration these tests read.
type lamp struct {
	Color string        `yaml:"color" help:"name of a colour"`
	Watts int           `yaml:"watts" help:"power, 1 to 100 W"`
	Blink time.Duration `yaml:"blink" help:"time between two flashes"`
	Dim   bool          `yaml:"dim" help:"half the power"`
	Fade  time.Duration `yaml:"fadeTime" help:"how long it takes to go out"`
}

func (l *lamp) Validate() error {
	if l.Watts < 1 || l.Watts > 100 {
		return robot.BadField("watts", "%d is out of range: use 1 to 100", l.Watts)
	}
	return nil
}

func lampKind() Kind[lamp] {
	return Kind[lamp]{
		Name: "lamp", Version: "1.2.3", Defaults: lamp{Color: "white", Watts: 10},
		New: func(*Kit, lamp) (Driver, error) { return nil, errors.New("these tests start nothing") },
	}
}

const robotFile = `robot: filed
devices:
  top:   {kind: lamp, grpc: "127.0.0.1:7201", color: red, watts: 20, blink: 2s}
  low:   {kind: lamp, wats: 3}
  front: {kind: camera}
nats: {url: "nats://10.0.0.2:4222"}
`

// writeRobot writes a robot.yaml and returns its name.
func writeRobot(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "robot.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func environment(pairs ...string) func(string) string {
	return func(key string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestConfigurePrecedence(t *testing.T) {
	file := writeRobot(t, robotFile)
	fromFile := []string{"--robot-file", file, "--device", "top"}
	for name, tt := range map[string]struct {
		args []string
		env  []string
		want lamp
		set  func(*Settings)
	}{
		"defaults": {
			args: []string{"--device", "top"},
			want: lamp{Color: "white", Watts: 10},
			set:  func(*Settings) {},
		},
		"file": {
			args: fromFile,
			want: lamp{Color: "red", Watts: 20, Blink: 2 * time.Second},
			set: func(s *Settings) {
				s.RobotFile, s.Robot, s.NATS, s.GRPC = file, "filed", "nats://10.0.0.2:4222", "127.0.0.1:7201"
			},
		},
		"environment over file": {
			args: nil,
			env: []string{"WALDO_ROBOT_FILE", file, "WALDO_DEVICE", "top", "WALDO_COLOR", "green", "WALDO_GRPC", "127.0.0.1:9",
				"WALDO_NATS", "nats://b:1", "WALDO_LOG_LEVEL", "debug", "WALDO_DIM", "true", "WALDO_TOKEN", "s3cret"},
			want: lamp{Color: "green", Watts: 20, Blink: 2 * time.Second, Dim: true},
			set: func(s *Settings) {
				s.RobotFile, s.Robot, s.NATS, s.GRPC = file, "filed", "nats://b:1", "127.0.0.1:9"
				s.LogLevel, s.Token = "debug", "s3cret"
			},
		},
		"flags over environment": {
			args: append(fromFile, "-color=blue", "--watts", "30", "--grpc", "127.0.0.1:8", "--dim", "--robot", "flagged",
				"--token", ""),
			env:  []string{"WALDO_COLOR", "green", "WALDO_GRPC", "127.0.0.1:9", "WALDO_DEVICE", "low", "WALDO_TOKEN", "s3cret"},
			want: lamp{Color: "blue", Watts: 30, Blink: 2 * time.Second, Dim: true},
			set: func(s *Settings) {
				s.RobotFile, s.Robot, s.NATS, s.GRPC = file, "flagged", "nats://10.0.0.2:4222", "127.0.0.1:8"
			},
		},
		"a bad value in the environment does not matter under a good flag": {
			args: []string{"--device", "top", "--watts", "30"},
			env:  []string{"WALDO_WATTS", "0"},
			want: lamp{Color: "white", Watts: 30},
			set:  func(*Settings) {},
		},
	} {
		t.Run(name, func(t *testing.T) {
			settings, config, _, err := configure(lampKind(), tt.args, environment(tt.env...), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			want := defaultSettings
			want.Device = "top"
			if tt.set(&want); settings != want {
				t.Errorf("settings:\n%+v, want\n%+v", settings, want)
			}
			if config != tt.want {
				t.Errorf("config %+v, want %+v", config, tt.want)
			}
		})
	}
}

// TestConfigureBus checks where a device started by hand looks for the bus that the launcher embeds.
func TestConfigureBus(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:5222": "nats://127.0.0.1:5222",
		":5222":          "nats://127.0.0.1:5222",
		"0.0.0.0:5222":   "nats://127.0.0.1:5222",
		"[::1]:5222":     "nats://[::1]:5222",
		"127.0.0.1:0":    defaultSettings.NATS,
	} {
		file := writeRobot(t, "robot: r\ndevices: {top: {kind: lamp}}\nnats: {listen: \""+listen+"\"}\n")
		settings, _, _, err := configure(lampKind(), []string{"--robot-file", file, "--device", "top"}, environment(),
			io.Discard)
		if err != nil || settings.NATS != want {
			t.Errorf("listen %q: bus at %q, %v, want %q", listen, settings.NATS, err, want)
		}
	}
}

// badConfigurations feed TestConfigureErrors and the seeds of FuzzCheck. FILE stands for the name of robotFile.
var badConfigurations = []struct {
	args string // separated by blanks
	env  []string
	want []string // all in the error
}{
	{"--device top --widht 3", nil, []string{"-widht", "waldo-lamp --help"}},
	{"--device", nil, []string{"-device", "waldo-lamp --help"}},
	{"--device top extra", nil, []string{`"extra"`, "--key value"}},
	{"--device top --check=maybe", nil, []string{"-check", "maybe"}},
	{"", nil, []string{"device: is missing", "--device front"}},
	{"--device Top", nil, []string{"--device: ", `"Top"`, "lower-case"}},
	{"--device top-", nil, []string{"--device: ", `"top-"`}},
	{"--device gateway", nil, []string{"--device: ", "taken"}},
	{"--device top --robot a.b", nil, []string{"--robot: ", `"a.b"`, "lower-case"}},
	{"--device top --robot=", nil, []string{"--robot: ", "lower-case"}},
	{"--device top --grpc 0.0.0.0:7101", nil, []string{"--grpc: ", "set a token"}},
	{"--device top --grpc 7101", nil, []string{"--grpc: ", "host:port"}},
	{"--device top --grpc 127.0.0.1:99999", nil, []string{"--grpc: ", "65535"}},
	{"--device top", []string{"WALDO_GRPC", "192.168.1.5:1"}, []string{"WALDO_GRPC: ", "set a token"}},
	{"--device top --token x --metrics 0.0.0.0:9090", nil, []string{"--metrics: ", "listen on 127.0.0.1"}},
	{"--device top --metrics 9090", nil, []string{"--metrics: ", "host:port"}},
	{"--device top --nats 127.0.0.1:4222", nil, []string{"--nats: ", "nats://host:4222"}},
	{"--device top --nats http://h:1", nil, []string{"--nats: ", "nats://host:4222"}},
	{"--device top --nats nats://a:1,", nil, []string{"--nats: ", "nats://host:4222"}},
	{"--device top --nats=", nil, []string{"--nats: ", "nats://host:4222"}},
	{"--device top --log-level loud", nil, []string{"--log-level: ", `"loud"`, "warn"}},
	{"--device top", []string{"WALDO_TOKEN", "two words"}, []string{"WALDO_TOKEN: ", "ASCII"}},
	{"--device top --watts many", nil, []string{"--watts: ", `"many" is not a whole number`}},
	{"--device top --watts 101", nil, []string{"--watts: ", "1 to 100"}},
	{"--device top", []string{"WALDO_WATTS", "0"}, []string{"WALDO_WATTS: ", "1 to 100"}},
	{"--device top --blink 3", nil, []string{"--blink: ", "200ms"}},
	{"--device top --dim=2", nil, []string{"--dim: ", "true nor false"}},
	{"--device Top --watts 101 --grpc x", nil, []string{"--device: ", "--watts: ", "--grpc: "}},
	{"--robot-file FILE", nil, []string{"--device: ", "robot.yaml", "front, low, top"}},
	{"--robot-file FILE --device nothing", nil, []string{"--device: ", `no device "nothing"`, "front, low, top"}},
	{"--robot-file FILE --device front", nil, []string{"robot.yaml", "devices.front.kind", `"camera"`, `"lamp"`}},
	{"--robot-file FILE --device low", nil, []string{"robot.yaml:4: ", "devices.low", `"wats"`, `did you mean "watts"`}},
	{"--robot-file FILE.missing --device low", nil, []string{"robot.yaml.missing", "no such file"}},
	{"--device low", []string{"WALDO_ROBOT_FILE", "FILE"}, []string{"robot.yaml:4: ", "devices.low"}},
}

func TestConfigureErrors(t *testing.T) {
	file := writeRobot(t, robotFile)
	for _, tt := range badConfigurations {
		args := strings.Fields(strings.ReplaceAll(tt.args, "FILE", file))
		env := append([]string(nil), tt.env...)
		for i := 1; i < len(env); i += 2 {
			env[i] = strings.ReplaceAll(env[i], "FILE", file)
		}
		for _, check := range []bool{false, true} { // both must fail before anything starts
			var out, errs strings.Builder
			if check {
				args = append([]string{"--check"}, args...)
			}
			if code := run(lampKind(), args, environment(env...), &out, &errs); code != ExitConfiguration {
				t.Errorf("%s %v: exit code %d", tt.args, tt.env, code)
			}
			for _, want := range tt.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("%s %v: the error lacks %q:\n%s", tt.args, tt.env, want, &errs)
				}
			}
			if strings.Contains(errs.String(), "start nothing") || out.Len() > 0 {
				t.Errorf("%s: it went on:\n%s%s", tt.args, &errs, &out)
			}
		}
	}
}

func TestConfigureErrorsOfTheFile(t *testing.T) {
	for text, want := range map[string][]string{
		`{kind: lamp, grpc: "0.0.0.0:7101"}`: {"robot.yaml: devices.top.grpc: ", "set a token"},
		`{kind: lamp, watts: 0}`:             {"robot.yaml:2: devices.top.watts: ", "1 to 100"},
		"\n    kind: lamp\n\n    watts: x":   {"robot.yaml:6: devices.top.watts: ", `"x" is not a whole number`},
		`{kind: lamp, watts: 1, watts: 2}`:   {"robot.yaml:2: devices.top: ", "given twice"},
		`{kind: lamp, token: abc}`:           {"robot.yaml:2: devices.top: ", `unknown key "token"`},
	} {
		file := writeRobot(t, "robot: r\ndevices: {top: "+text+"}\n")
		if strings.Contains(text, "\n") {
			file = writeRobot(t, "robot: r\ndevices:\n  top: "+text+"\n")
		}
		_, _, _, err := configure(lampKind(), []string{"--robot-file", file, "--device", "top"}, environment(), io.Discard)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error lacks %q: %v", text, w, err)
			}
		}
	}
}

// TestOldSpelling counts how often a key in its old spelling is told: by a check, and by a device that runs alone. The
// launcher has its processes checked, and prints what they said.
func TestOldSpelling(t *testing.T) {
	file := writeRobot(t, "robot: r\ndevices:\n  top: {kind: lamp, fade_time: 1s}\n")
	handed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = handed.Close() }()
	const want = `devices.top: "fade_time" is an old spelling: write fadeTime`
	tests := []struct {
		name    string
		check   bool
		handed  bool
		says    string // to be escaped as the log does
		nothing bool
	}{
		{"alone", false, false, "level=WARN msg=" + strconv.Quote(file+":3: "+want), false},
		{"alone, checked", true, false, "warning: " + file + ":3: " + want + "\n", false},
		{"by a launcher", false, true, "", true},
		{"by a launcher, checked", true, true, "warning: " + file + ":3: " + want + "\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args, env := []string{"--robot-file", file, "--device", "top"}, []string{}
			if tt.check {
				args = append(args, "--check")
			}
			if tt.handed {
				fd, err := syscall.Dup(int(handed.Fd())) // it is closed when it was read
				if err != nil {
					t.Fatal(err)
				}
				env = []string{robot.HandedFD, strconv.Itoa(fd)}
			}
			var out, errs strings.Builder
			if code := run(lampKind(), args, environment(env...), &out, &errs); tt.check && code != ExitStopped {
				t.Errorf("exit code %d", code)
			}
			if told := strings.Count(errs.String(), "old spelling"); !strings.Contains(errs.String(), tt.says) ||
				tt.nothing != (told == 0) || told > 1 {
				t.Errorf("told %d times: %s", told, &errs)
			}
		})
	}
}

func TestConfigureClash(t *testing.T) {
	type clash struct {
		Token string `yaml:"token"`
	}
	_, _, _, err := configure(Kind[clash]{Name: "odd"}, nil, environment(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), `"token" is taken`) {
		t.Fatalf("got %v", err)
	}
}

func TestRunWithoutStarting(t *testing.T) {
	file := writeRobot(t, robotFile)
	for _, tt := range []struct {
		args string
		want []string // on stdout
	}{
		{"--check --device top", nil},
		{"--device top --check --grpc :7101", nil},
		{"--check --token a-token-of-the-test --device top --grpc 0.0.0.0:7101", nil},
		{"--check --robot-file FILE --device top", nil},
		{"--version", []string{"waldo-lamp 1.2.3\n"}},
		{"--help", []string{"--color", "(default white)", "--watts", "--check", "--robot-file", "WALDO_LOG_LEVEL"}},
		{"-h", []string{"--color"}},
	} {
		var out, errs strings.Builder
		args := strings.Fields(strings.ReplaceAll(tt.args, "FILE", file))
		if code := run(lampKind(), args, environment(), &out, &errs); code != ExitStopped || errs.Len() > 0 {
			t.Errorf("%s: exit code %d:\n%s", tt.args, code, &errs)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: lacks %q:\n%s", tt.args, want, &out)
			}
		}
		if tt.want == nil && out.Len() > 0 {
			t.Errorf("%s: says %q", tt.args, &out)
		}
	}
}

// FuzzCheck gives arbitrary flags, environment and robot file to --check, which starts nothing: it accepts or explains.
func FuzzCheck(f *testing.F) {
	for _, tt := range badConfigurations {
		f.Add(tt.args, strings.Join(tt.env, "="), robotFile)
	}
	f.Add("--robot-file FILE --device top", "WALDO_WATTS=3", robotFile)
	f.Fuzz(func(t *testing.T, args, env, text string) {
		file := writeRobot(t, text)
		key, value, _ := strings.Cut(env, "=")
		words := []string{"--check"}
		for word := range strings.FieldsSeq(args) {
			if strings.Contains(word, "/") || strings.Contains(word, "check") {
				continue // read no other files, start nothing
			}
			words = append(words, strings.ReplaceAll(word, "FILE", file))
		}
		if key == "WALDO_ROBOT_FILE" {
			value = file
		}
		var out, errs strings.Builder
		code := run(lampKind(), words, environment(key, value), &out, &errs)
		switch {
		case code == ExitStopped && errs.Len() == 0:
		case code == ExitConfiguration && strings.Count(errs.String(), "\n") >= 2 &&
			!strings.Contains(errs.String(), "start nothing"):
		default:
			t.Fatalf("%q: code %d:\n%s", words, code, &errs)
		}
	})
}
