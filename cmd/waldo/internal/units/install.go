package units

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launch"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	// RobotFile is the file of a robot that runs as units.
	RobotFile = "/etc/waldo/robot.yaml"
	// CheckedFile is the copy of it that the units read.
	CheckedFile = "/etc/waldo/units/robot.yaml"
	// TokenFile holds the secret of the robot, if it has one. The units load it as a credential.
	TokenFile = "/etc/waldo/token"

	user = "waldo"
)

// Installation is a system on which a robot is installed.
type Installation struct {
	// Root is the folder of the system: empty or "/" for this one.
	Root string
	// Programs finds the programs of the devices; their paths are those below Root.
	Programs launch.Programs
	// Waldo is the program that runs the bus, as a path of the system.
	Waldo string
	// MakeToken has Plan and Apply make [TokenFile] if there is none and nothing else keeps strangers off the robot's own
	// bus. A file without a token is left as it is: somebody wants none.
	MakeToken bool

	fresh string // the token that Apply is to write; empty if there is one, or is to be none
}

// Changes are what Apply has done, by the names of devices, "gateway" and "bus", sorted.
type Changes struct {
	// Added and Removed are units that there were not, or are not any more; Changed those to be restarted.
	Added, Changed, Removed []string
	// Token tells that [TokenFile] was made.
	Token bool
	// Rewritten tells that any file of systemd was written or removed.
	Rewritten bool
	// Warnings are what should be changed in the file though it works.
	Warnings []string
}

// offline tells whether the system is not the one that runs.
func (i *Installation) offline() bool { return filepath.Clean("/"+i.Root) != "/" }

// Plan checks a robot.yaml as `waldo up` does. name is the file that errors are about, and text what it holds. running
// tells that the robot runs already, with the addresses of the file that was applied last.
func (i *Installation) Plan(ctx context.Context, name string, text []byte, running bool) (*launch.Plan, *robot.Robot,
	error) {
	plan, r, err := i.plan(text)
	if err != nil {
		return nil, nil, about(err, name)
	}
	if !i.Runs() {
		return plan, r, about(plan.CheckImage(ctx), name)
	}
	var before *launch.Plan
	if running {
		if old, err := os.ReadFile(i.host(CheckedFile)); err == nil {
			before, _, _ = i.plan(old) // it may be of another version; then all addresses are tried
		}
	}
	return plan, r, about(plan.CheckUnits(ctx, before), name)
}

// plan reads a file as the units will: under its name below /etc/waldo, to which relative paths refer.
func (i *Installation) plan(text []byte) (*launch.Plan, *robot.Robot, error) {
	r, err := robot.Parse(RobotFile, text)
	if err != nil {
		return nil, nil, err
	}
	if err := i.think(r); err != nil {
		return nil, nil, err
	}
	token, err := i.token()
	if err != nil {
		return nil, nil, err
	}
	config := launch.Config{Token: token, Where: "in " + strings.Join(i.Programs, " or ")}
	if i.offline() {
		config.Root = filepath.Clean(i.Root)
	}
	plan, err := launch.New(r, i.Programs, config)
	if err != nil {
		return nil, nil, err
	}
	return plan, r, nil
}

// about has errors name the file that the user gave.
func about(err error, name string) error {
	if err == nil || name == RobotFile {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), RobotFile, name))
}

// Apply writes the units of a plan that was checked, and removes those of devices that are gone. It changes nothing
// else, and starts nothing.
func (i *Installation) Apply(plan *launch.Plan, r *robot.Robot) (Changes, error) {
	gid, err := i.group()
	if err != nil {
		return Changes{}, err
	}
	list := unitsOf(r, plan, strings.TrimSuffix(filepath.Clean("/"+i.Root), "/"), i.Waldo)
	if err := i.checkUnits(list); err != nil {
		return Changes{}, err
	}
	made, err := i.keepToken()
	if err != nil {
		return Changes{}, err
	}
	if err := i.issue(r); err != nil {
		return Changes{}, fmt.Errorf("keys for the bus: %w", err)
	}
	for n := range list {
		list[n].config += i.tokenTime() + i.proofs(nameOf(list[n].name))
	}
	before := i.names()
	wanted := map[string]string{path.Join(unitFolder, "multi-user.target.wants", target): link + i.unitIn(target)}
	for n := range list {
		maps.Copy(wanted, list[n].files(i.unitIn(list[n].templateName()), i.hasKind(list[n].kind)))
	}
	for _, file := range []string{RobotFile, CheckedFile} {
		if err := i.secret(file, r.Text, gid); err != nil {
			return Changes{}, err
		}
	}
	written, err := i.write(wanted)
	gone := slices.DeleteFunc(i.present(), func(file string) bool { _, ok := wanted[file]; return ok })
	err = errors.Join(err, i.remove(gone))
	changes := compare(before, i.names(), written)
	changes.Rewritten = len(written)+len(gone) > 0
	changes.Warnings, changes.Token = plan.Warnings(), made
	return changes, err
}

// Remove deletes all that Apply has written, but for robot.yaml, which is the user's.
func (i *Installation) Remove() (Changes, error) {
	removed := i.names()
	files := append(i.present(), path.Join(unitFolder, "multi-user.target.wants", target), CheckedFile)
	err := errors.Join(i.remove(files), i.withdraw())
	return Changes{Removed: removed, Rewritten: len(removed) > 0}, err
}

// checkUnits fails if the packages' unit files are missing.
func (i *Installation) checkUnits(list []unit) error {
	needed := []string{target}
	for n := range list {
		needed = append(needed, list[n].templateName())
	}
	slices.Sort(needed)
	for _, name := range slices.Compact(needed) {
		if i.unitIn(name) == "" {
			return fmt.Errorf("there is no unit %s on this system: install the package waldo, or copy it from "+
				"deploy/systemd to %s", name, vendorFolder)
		}
	}
	return nil
}

// names lists what is installed, by name.
func (i *Installation) names() (names []string) {
	for _, file := range i.present() {
		if strings.HasSuffix(path.Dir(file), ".wants") {
			names = append(names, nameOf(path.Base(file)))
		}
	}
	slices.Sort(names)
	return names
}

// compare tells what has happened to units.
func compare(before, after, written []string) (c Changes) {
	for _, name := range after {
		switch {
		case !slices.Contains(before, name):
			c.Added = append(c.Added, name)
		case slices.ContainsFunc(written, func(file string) bool {
			return nameOf(strings.TrimSuffix(filepath.Base(filepath.Dir(file)), ".d")) == name
		}):
			c.Changed = append(c.Changed, name)
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			c.Removed = append(c.Removed, name)
		}
	}
	return c
}

// hidden are the folders that units do not see.
var hidden = []string{"/home/", "/root/", "/tmp/", "/var/tmp/", "/run/user/"}

// Sees tells whether a unit sees a program.
func Sees(program string) bool {
	return !slices.ContainsFunc(hidden, func(folder string) bool { return strings.HasPrefix(program, folder) })
}
