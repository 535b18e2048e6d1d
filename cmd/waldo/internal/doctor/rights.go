package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/waldo-robot/waldo/pkg/bus/permissions"
	"github.com/waldo-robot/waldo/pkg/robot"
)

const (
	unitUser = "waldo"
	token    = "/etc/waldo/token"
)

// groupOf are the groups that the hardware of a kind belongs to.
var groupOf = map[string]string{"camera": "video", "audio": "audio", "input": "input", "serial": "dialout"}

// uses tells whether a device uses hardware that belongs to its group: simulated ones need no rights, and sound
// servers have rights of their own.
func uses(d *robot.Device) bool {
	switch d.Kind {
	case "camera":
		return strings.HasPrefix(d.Text("source"), "/dev/")
	case "serial":
		return strings.HasPrefix(d.Text("port"), "/dev/")
	case "input":
		return d.Text("source") != "sim"
	case "audio":
		return strings.Contains(d.Text("source"), "hw:") || strings.Contains(d.Text("speaker"), "hw:")
	}
	return false
}

// checkGroups is about rights to hardware.
func checkGroups(_ context.Context, s *System, report report) {
	needed := map[string][]string{}
	for _, d := range s.devices() {
		if uses(&d) {
			needed[groupOf[d.Kind]] = append(needed[groupOf[d.Kind]], d.Name)
		}
	}
	members := s.groups()
	for _, group := range sorted(needed) {
		list, exists := members[group]
		names := strings.Join(needed[group], ", ")
		switch {
		case !exists:
			report(Error, "groupadd --system "+group+", and udev rules that give it the hardware: those of the package waldo",
				fmt.Sprintf("there is no group %s, which %s needs", group, names))
		case !s.Units && s.User != "root" && !slices.Contains(list, s.User):
			report(Error, fmt.Sprintf("sudo usermod --append --groups %s %s, then log in again", group, s.User),
				fmt.Sprintf("%s is not in the group %s, which %s needs", s.User, group, names))
		}
	}
	if s.Units && s.id() < 0 {
		report(Error, "install the package waldo, or: useradd --system --home-dir /var/lib/waldo waldo",
			"there is no user waldo, as which units run")
	}
}

// groups are the members of the groups of the machine.
func (s *System) groups() map[string][]string {
	groups := map[string][]string{}
	for line := range strings.Lines(s.read("/etc/group")) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 4 {
			groups[f[0]] = strings.Split(f[3], ",")
		}
	}
	return groups
}

// id is the number of the user who runs the robot, -1 if there is none of the name.
func (s *System) id() int {
	name := s.User
	if s.Units {
		name = unitUser
	}
	for line := range strings.Lines(s.read("/etc/passwd")) {
		if f := strings.Split(line, ":"); len(f) > 3 && f[0] == name {
			if id, err := strconv.Atoi(f[2]); err == nil {
				return id
			}
		}
	}
	return -1
}

// checkState is about the folder where e-stops and keys are kept.
func checkState(_ context.Context, s *System, report report) {
	info, err := os.Stat(s.path(s.State))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return // it is made when it is needed
	case err != nil:
		report(Error, "look at the rights of the folders above it", fmt.Sprintf("the state folder: %v", err))
		return
	case !info.IsDir():
		report(Error, "rename it", s.State+" is not a folder, but the robot keeps its state there")
		return
	}
	if owner, id := ownerOf(info), s.id(); id >= 0 && owner != id {
		report(Error, fmt.Sprintf("chown -R %d %s", id, s.State),
			fmt.Sprintf("%s belongs to user %d, and the robot runs as user %d: no e-stop survives a restart", s.State, owner,
				id))
	}
	if info.Mode()&0o002 != 0 {
		report(Error, "chmod o-w "+s.State, s.State+" can be changed by everybody")
	}
	if info.Mode()&0o200 == 0 {
		report(Error, "chmod u+w "+s.State, s.State+" cannot be written: no e-stop survives a restart")
	}
}

func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// secretFiles are patterns of files that only the robot may read.
func (s *System) secretFiles() []string {
	return []string{token, "/etc/waldo/robot.yaml", "/etc/waldo/units/robot.yaml", "/etc/waldo/credentials/*",
		path.Join(s.State, "*", "*.key"), path.Join(s.State, "tls", "*.key"), path.Join(s.State, "tls", "*", "*.key"),
		path.Join(s.State, "access.json")}
}

// checkSecrets is about secrets that others can read.
func checkSecrets(_ context.Context, s *System, report report) {
	for _, pattern := range s.secretFiles() {
		found, _ := filepath.Glob(s.path(pattern)) // the patterns are valid
		for _, file := range found {
			info, err := os.Stat(file)
			if err != nil || info.Mode()&0o004 == 0 {
				continue
			}
			name := "/" + strings.TrimPrefix(strings.TrimPrefix(file, filepath.Clean(s.Root)), "/")
			report(Error, "chmod o= "+name+", and if others use this machine, make new secrets",
				name+" may hold secrets, and everybody on this machine can read it")
		}
	}
}

// checkConfined is about devices that the bus lets do everything.
func checkConfined(_ context.Context, s *System, report report) {
	if s.Robot == nil || s.Robot.NATS.URL != "" {
		return
	}
	for _, name := range permissions.Unconfined(s.Robot) {
		report(Warning, "say under `may:` in robot.yaml what it needs, see docs/bus.md; `may: {}` if that is nothing",
			name+" is of a kind of your own and may do everything on the bus")
	}
}
