package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/robot"
)

type installCommand struct {
	File    string `arg:"" optional:"" help:"Description of the robot. Default: /etc/waldo/robot.yaml, below DIR with --root."`
	Root    string `placeholder:"DIR" help:"Install into the system in this folder, which does not run; for images."`
	NoStart bool   `help:"Write and enable the units, but start and restart nothing."`
	Remove  bool   `help:"Stop and remove the units. robot.yaml and what the robot has stored stay."`
}

// Help explains the command.
func (*installCommand) Help() string {
	return `Each device becomes a unit of systemd, waldo-device@<name>.service, beside waldo-gateway.service and
waldo-bus.service; waldo.target is all of them. They start with the machine and are restarted for ever; when the file
has errors nothing changes, and the exit code is 78. What runs unchanged is not restarted, so the command can be
repeated: after a change of the file, waldo reload does the same.

  sudo waldo install robot.yaml                    # copies it to /etc/waldo/robot.yaml
  systemctl status 'waldo-*'                       # what the devices do, and why one is away
  journalctl -f WALDO_DEVICE=front                 # its log
  sudo systemctl edit waldo-device@front           # settings of your own
  sudo cat /etc/waldo/token                        # the secret: http://127.0.0.1:8080/?token=…

Where there is no /etc/waldo/token, one is made, which only root can read: without a secret every program on this
machine could drive. An empty file means that there is to be none. For tokens of single people see waldo token.

Programs are found in /usr/bin, /usr/local/bin and beside waldo, but not in home folders, which units do not see.`
}

// Run installs, or removes, the units of a robot.
func (i *installCommand) Run(ctx context.Context, c console) error {
	to, err := newInstallation(i.Root)
	if err != nil {
		return err
	}
	file := cmp.Or(i.File, filepath.Join("/", to.Root, units.RobotFile))
	if i.Remove {
		return remove(ctx, to, c)
	}
	// An upgrade must not have a robot ask for a token that did not, while half of it runs as before.
	to.MakeToken = !i.NoStart || !to.Exists()
	return apply(ctx, to, file, !i.NoStart, c)
}

// newInstallation finds the programs of a system.
func newInstallation(root string) (*units.Installation, error) {
	own := root == "" || filepath.Clean(root) == "/"
	if own && os.Geteuid() != 0 {
		return nil, errors.New("units are root's: use sudo")
	}
	if !own {
		var err error
		if root, err = filepath.Abs(root); err != nil {
			return nil, fmt.Errorf("--root: %w", err)
		}
	}
	to := &units.Installation{Root: root, Waldo: "/usr/bin/waldo"}
	for _, folder := range []string{"/usr/bin", "/usr/local/bin"} {
		to.Programs = append(to.Programs, filepath.Join(root, folder))
	}
	if self, err := os.Executable(); own && err == nil && units.Sees(self) {
		to.Programs = append(to.Programs, filepath.Dir(self))
	}
	for _, folder := range to.Programs {
		if _, err := os.Stat(filepath.Join(folder, "waldo")); err == nil {
			to.Waldo = "/" + strings.TrimPrefix(filepath.Join(strings.TrimPrefix(folder, root), "waldo"), "/")
			break
		}
	}
	return to, nil
}

// apply makes the units of a file, and has systemd run them if start says so and systemd runs.
func apply(ctx context.Context, to *units.Installation, file string, start bool, c console) error {
	given, err := robot.Load(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil:
		return configurationError{fmt.Errorf("nothing was changed:\n%w", err)}
	}
	control := &units.Control{}
	plan, r, err := to.Plan(ctx, file, given.Text, to.Runs() && control.Active(ctx))
	if err != nil {
		return configurationError{fmt.Errorf("nothing was changed:\n%w", err)}
	}
	changes, err := to.Apply(plan, r)
	if err != nil {
		return err
	}
	for _, warning := range changes.Warnings {
		_, _ = fmt.Fprintln(c.err, "warning:", warning)
	}
	if changes.Token {
		_, _ = fmt.Fprintf(c.err, "%s was made, with the secret of the robot: who has it may do everything. The page asks "+
			"for it: add ?token=… to its address, with what `sudo cat %s` prints\n", units.TokenFile, units.TokenFile)
	}
	if start && to.Runs() {
		err = control.Follow(ctx, changes)
	}
	report := launchChanges{changes.Changed, changes.Added, changes.Removed}
	report.print(c, r.Name, start && to.Runs())
	return err
}

// remove stops and removes the units.
func remove(ctx context.Context, to *units.Installation, c console) error {
	control := &units.Control{}
	if to.Runs() {
		if err := control.Stop(ctx, control.Names()); err != nil {
			return err
		}
	}
	changes, err := to.Remove()
	if to.Runs() {
		err = errors.Join(err, control.Reload(ctx))
	}
	for _, name := range changes.Removed {
		_, _ = fmt.Fprintln(c.err, name, "removed")
	}
	return err
}

// launchChanges are the names of what was done to processes.
type launchChanges struct{ restarted, started, stopped []string }

// print says what was done, or that there was nothing to do. Units that do not run yet are only installed.
func (l launchChanges) print(c console, robotName string, runs bool) {
	words := [3]string{"restarted", "started", "stopped"}
	if !runs {
		words = [3]string{"changed", "installed", "removed"}
	}
	nothing := true
	for i, names := range [3][]string{l.restarted, l.started, l.stopped} {
		for _, name := range names {
			nothing = false
			_, _ = fmt.Fprintf(c.err, "%s/%s %s\n", robotName, name, words[i])
		}
	}
	switch {
	case nothing && runs:
		_, _ = fmt.Fprintf(c.err, "%s already runs as the file describes\n", robotName)
	case nothing:
		_, _ = fmt.Fprintf(c.err, "%s is already installed as the file describes\n", robotName)
	}
}
