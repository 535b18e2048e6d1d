package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waldo-robot/waldo/e2e/harness"
	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// step is how a command of a README is run.
type step struct {
	command string // what it begins with; empty for a step that the README describes in words
	do      func(t *testing.T, s *session, command string)
}

// runs runs a command to its end: it must succeed and print these texts eventually.
func runs(says ...string) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) {
		harness.Until(t, command, func() error {
			out, err := s.run(t, command, false)
			if err != nil {
				return fmt.Errorf("%w:\n%s", err, out)
			}
			return holds(out, says)
		})
	}
}

// once runs a command one time, with the network of this machine: it may download packages.
func once(t *testing.T, s *session, command string) {
	if out, err := s.run(t, command, true); err != nil {
		t.Fatalf("%s: %v:\n%s", command, err, out)
	}
}

// stays leaves a command running, and waits until it has printed these texts.
func stays(says ...string) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) {
		p := s.leave(t, strings.TrimSuffix(strings.TrimSpace(strings.Split(command, " #")[0]), "&"))
		harness.Until(t, command, func() error { return holds(p.Output(), says) })
	}
}

// of runs a step with the addresses of a device in place of <GRPC> and <METRICS>, and of any device in place of <its
// name>.
func of(device string, do func(*testing.T, *session, string)) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) { do(t, s, s.fill(t, command, device)) }
}

// kills runs a command that kills a device, and waits until another process replaces it.
func kills(device string) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) {
		var before harness.Device
		harness.Until(t, device+" is there", func() (err error) {
			before, err = s.device(t, device)
			return err
		})
		if out, err := s.run(t, command, false); err != nil {
			t.Fatalf("%s: %v:\n%s", command, err, out)
		}
		harness.Until(t, device+" is back", func() error {
			now, err := s.device(t, device)
			if err == nil && now.PID == before.PID {
				err = fmt.Errorf("still pid %d", now.PID)
			}
			return err
		})
	}
}

// exports runs a command that sets a variable for those that follow in the same terminal.
func exports(name string) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) {
		out, err := s.run(t, command+"\nprintf %s \"$"+name+"\"", false)
		if err != nil || out == "" {
			t.Fatalf("%s: %v: %q", command, err, out)
		}
		s.exported = append(s.exported, name+"="+out)
	}
}

// newTerminal forgets exported variables.
func newTerminal(_ *testing.T, s *session, _ string) { s.exported = nil }

// here runs a step with this machine in place of the README's host, which is given with a trailing colon.
func here(host string, do func(*testing.T, *session, string)) func(*testing.T, *session, string) {
	return func(t *testing.T, s *session, command string) {
		do(t, s, strings.Replace(command, " "+host, " 127.0.0.1:", 1))
	}
}

// leftOut is a command that is not run here; the reason has to convince a reader of the test.
func leftOut(reason string) func(*testing.T, *session, string) {
	return func(t *testing.T, _ *session, command string) { t.Logf("not run: %s: %s", command, reason) }
}

// stop ends everything that was left running.
func stop(t *testing.T, s *session, _ string) { s.end(t) }

// also runs a command that the README describes in words, the way another step does.
func also(command string, do func(*testing.T, *session, string)) step {
	return step{do: func(t *testing.T, s *session, _ string) { do(t, s, command) }}
}

func holds(out string, texts []string) error {
	for _, text := range texts {
		if !strings.Contains(out, text) {
			return fmt.Errorf("no %q in:\n%s", text, out)
		}
	}
	return nil
}

// describe writes a block of YAML that describes a whole robot to robot.yaml. Each device, also of a part of a
// description, is checked by its own program; how a robot with devices is driven, by the gateway.
func describe(t *testing.T, s *session, b block) {
	t.Helper()
	file, text := "robot.yaml", b.text
	switch {
	case strings.HasPrefix(text, "  "):
		file, text = "part.yaml", "robot: part\ndevices:\n"+text
	case !strings.Contains(text, "robot: "):
		file, text = "part.yaml", "robot: part\n"+text
	}
	if err := os.WriteFile(filepath.Join(s.folder, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	record(t, s, text)
	var described struct {
		Devices map[string]struct{ Kind string }
		Drive   map[string]any
	}
	if err := yaml.Unmarshal([]byte(text), &described); err != nil {
		t.Fatalf("line %d: %v", b.line, err)
	}
	var checks []string
	for name, d := range described.Devices {
		checks = append(checks, fmt.Sprintf("waldo-%s --robot-file %s --device %s --check", d.Kind, file, name))
	}
	if described.Drive != nil && described.Devices != nil {
		checks = append(checks, fmt.Sprintf("waldo-gateway --robot-file %s --check", file))
	}
	for _, check := range checks {
		if out, err := s.run(t, check, false); err != nil {
			t.Errorf("line %d: %s: %v:\n%s", b.line, check, err, out)
		}
	}
}

// record makes the recording that a text names, of a camera front and the states of motors.
func record(t *testing.T, s *session, text string) {
	t.Helper()
	path := filepath.Join(s.folder, "drive.mcap")
	if _, err := os.Stat(path); err == nil || !strings.Contains(text, filepath.Base(path)) {
		return
	}
	if err := recordingtest.Record(t, path, 30, 1000, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
}

// program writes a block of Python that is a whole program to program.py.
func program(t *testing.T, s *session, b block) {
	t.Helper()
	if !strings.HasPrefix(b.text, "import ") {
		return
	}
	if err := os.WriteFile(filepath.Join(s.folder, "program.py"), []byte(b.text), 0o600); err != nil {
		t.Fatal(err)
	}
}
