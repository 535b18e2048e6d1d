package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/doctor"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/access"
	"github.com/waldo-robot/waldo/pkg/bus"
	"github.com/waldo-robot/waldo/pkg/robot"
	"github.com/waldo-robot/waldo/pkg/state"
)

type doctorCommand struct {
	File string `arg:"" optional:"" help:"Description of the robot. Default: /etc/waldo/robot.yaml, if it is there."`
	JSON bool   `name:"json" help:"Print JSON: a list of objects."`

	secretFlags `embed:""`
}

const (
	// stateOfUnits is the state folder of units.
	stateOfUnits = "/var/lib/waldo"
	// askTime bounds each question to a program, or to the bus.
	askTime = 3 * time.Second
	// startTime is how long a unit that is just starting may take until it counts as one that does not get ready.
	startTime = 10 * time.Second
)

// errIll is the end of an examination that has found errors; they have been printed.
var errIll = errors.New("the robot, or a part of it, does not work like this")

// Help explains the command.
func (*doctorCommand) Help() string {
	return `It looks at: ` + strings.Join(doctor.Names(), ", ") + `. What is wrong is printed with a remedy;
the exit code is 1 if any of it is an error, and 0 if there are warnings only: the robot works. Parts of two versions, one
step apart, are a warning, as an upgrade leaves what is driven as it is. A unit that is starting has 10 s. Nothing is
changed. Root sees more, and should ask for a robot that runs as units: sudo waldo doctor.

  waldo doctor robot.yaml
  waldo doctor --json | jq -r '.[] | select(.level == "error") | .remedy'
  waldo doctor --json | jq --exit-status 'length == 0'     # fails at a warning too`
}

// Run examines the machine.
func (d *doctorCommand) Run(ctx context.Context, c console) error {
	found := doctor.Examine(ctx, d.system(ctx))
	if d.JSON {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		if err := e.Encode(found); err != nil {
			return err
		}
	} else {
		d.print(c.plain(), found)
	}
	for _, f := range found {
		if f.Level == doctor.Error {
			return errIll
		}
	}
	return nil
}

func (d *doctorCommand) print(c console, found []doctor.Finding) {
	for _, f := range found {
		problem := strings.ReplaceAll(f.Problem, "\n", "\n\t")
		_, _ = fmt.Fprintf(c.out, "%s: %s: %s\n\tremedy: %s\n", f.Level, f.Check, problem, f.Remedy)
	}
	if len(found) == 0 {
		_, _ = fmt.Fprintln(c.out, "nothing is wrong with this machine")
	}
}

// system is this machine.
func (d *doctorCommand) system(ctx context.Context) *doctor.System {
	inUnits := units.Installed() != nil && d.File == ""
	if inUnits && d.Token == "" {
		d.Token, _ = access.Token("", units.TokenFile, os.Getenv) // who may not read it sees less
	}
	s := &doctor.System{
		Root: "/", User: currentUser(), Token: d.Token,
		Version: askVersion, Listen: tryAddress, Now: time.Now, Synchronized: synchronized, Space: space,
		OpenFiles: openFiles,
	}
	s.Units = inUnits
	if s.State = stateOfUnits; !s.Units {
		s.State, _ = state.Folder("", os.Getenv) // without one, nothing is looked at
	}
	file := cmp.Or(d.File, units.RobotFile)
	s.Robot, s.RobotErr = robot.Load(file)
	if d.File == "" && errors.Is(s.RobotErr, fs.ErrNotExist) {
		s.Robot, s.RobotErr = robot.Default()
	}
	programs, err := launch.InstalledPrograms()
	s.Find = func(kind string) (string, error) {
		if err != nil {
			return "", err
		}
		return programs.Find(kind)
	}
	s.Check = func(ctx context.Context) error { return checkPrograms(ctx, s.Robot, programs, d.Token) }
	ask := sync.OnceValues(func() ([]doctor.Process, bool) { return d.running(ctx, s.Robot) }) // it may take its time
	s.Running = func(context.Context) ([]doctor.Process, bool) { return ask() }
	failed := sync.OnceValue(func() map[string]string { return failedUnits(ctx) })
	s.Failed = func(context.Context) map[string]string { return failed() }
	return s
}

// checkPrograms has the programs that there are check what the file says to them.
func checkPrograms(ctx context.Context, r *robot.Robot, programs launch.Programs, token string) error {
	plan, _ := launch.New(r, programs, launch.Config{Token: token}) // missing programs are another finding
	return plan.CheckPrograms(ctx)
}

// running asks the bus of the robot which of its devices run.
func (d *doctorCommand) running(ctx context.Context, r *robot.Robot) (list []doctor.Process, ok bool) {
	if r == nil {
		return nil, false
	}
	url, _ := r.NATS.Client()
	at := busFlags{NATS: cmp.Or(url, defaultBus), secretFlags: d.secretFlags}
	to := remote{busFlags: at, Robot: r.Name, Timeout: askTime}
	err := to.session(ctx, func(ctx context.Context, conn *bus.Conn) error {
		devices, err := to.devices(ctx, conn)
		for _, one := range devices {
			list = append(list, doctor.Process{Name: one.GetName(), Kind: one.GetKind(), Version: one.GetVersion()})
		}
		return err
	})
	return list, err == nil
}

// failedUnits asks systemd which units have no process that is ready, and why.
func failedUnits(ctx context.Context) map[string]string {
	control := &units.Control{}
	all, err := control.Settled(ctx, control.Names(), startTime)
	failed := map[string]string{}
	if err != nil {
		failed["systemd"] = err.Error()
	}
	for _, s := range all {
		if s.PID == 0 || !s.Active {
			failed[s.Name] = s.Reason
		}
	}
	return failed
}

func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// askVersion returns the last word of what a program says of its version.
func askVersion(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	if err != nil {
		return "", err
	}
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return "", errors.New("it says no version")
	}
	return words[len(words)-1], nil
}

func tryAddress(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// synchronized tells whether something sets the clock, as the kernel was told.
func synchronized() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return err != nil || t.Status&unix.STA_UNSYNC == 0
}

func space(path string) (free, whole uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

func openFiles() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return l.Max
}
