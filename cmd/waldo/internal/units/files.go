package units

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waldo-robot/waldo/pkg/state"
)

// vendorFolder is where packages put units; systemFolders are where else they may be.
const vendorFolder = "/usr/lib/systemd/system"

var systemFolders = []string{unitFolder, "/usr/local/lib/systemd/system", vendorFolder, "/lib/systemd/system"}

// owned are patterns of the files that Apply writes, and removes when they are not wanted any more.
var owned = []string{
	path.Join(unitFolder, ofDevice("*")+".d", kindFile),
	path.Join(unitFolder, ofDevice("*")+".d", robotFile),
	path.Join(unitFolder, gatewayUnit+".d", robotFile),
	path.Join(unitFolder, busUnit+".d", robotFile),
	path.Join(unitFolder, target+".wants", ofDevice("*")),
	path.Join(unitFolder, target+".wants", gatewayUnit),
	path.Join(unitFolder, target+".wants", busUnit),
}

// host is the path of a file of the system below root.
func (i *Installation) host(file string) string { return filepath.Join(i.Root, file) }

// unitIn finds a unit file of the packages, "" if there is none.
func (i *Installation) unitIn(name string) string {
	for _, folder := range systemFolders {
		file := path.Join(folder, name)
		if info, err := os.Stat(i.host(file)); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// hasKind tells whether the packages say what a kind of device may do.
func (i *Installation) hasKind(kind string) bool {
	_, err := os.Stat(i.host(path.Join(kindFolder, kind+".conf")))
	return kind != "" && err == nil
}

// read returns what is at a path, in the form of [unit.files]; ok is false if there is nothing.
func (i *Installation) read(file string) (content string, ok bool) {
	if to, err := os.Readlink(i.host(file)); err == nil {
		return link + to, true
	}
	data, err := os.ReadFile(i.host(file))
	return string(data), err == nil
}

// write makes the files what they should be, and reports which of them it had to change.
func (i *Installation) write(files map[string]string) (changed []string, err error) {
	var errs []error
	for file, content := range files {
		if now, ok := i.read(file); ok && now == content {
			continue
		}
		changed = append(changed, file)
		errs = append(errs, i.put(file, content))
	}
	return changed, errors.Join(errs...)
}

func (i *Installation) put(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(i.host(file)), 0o755); err != nil { // systemd's folders are public
		return err
	}
	to, isLink := strings.CutPrefix(content, link)
	if !isLink {
		return state.Replace(i.host(file), []byte(content), 0o644)
	}
	if err := os.Remove(i.host(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(to, i.host(file))
}

// present lists the files that an earlier Apply has written.
func (i *Installation) present() (files []string) {
	for _, pattern := range owned {
		found, _ := filepath.Glob(i.host(pattern)) // the patterns are valid
		for _, f := range found {
			files = append(files, "/"+strings.TrimPrefix(strings.TrimPrefix(f, filepath.Clean("/"+i.Root)), "/"))
		}
	}
	return files
}

// remove deletes files, and folders that are empty then.
func (i *Installation) remove(files []string) error {
	var errs []error
	for _, file := range files {
		if err := os.Remove(i.host(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		_ = os.Remove(filepath.Dir(i.host(file))) // not empty: others have files there
	}
	return errors.Join(errs...)
}

// group finds the group "waldo" of the system, whose members may read robot.yaml.
func (i *Installation) group() (gid int, err error) {
	data, err := os.ReadFile(i.host("/etc/group"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) == 4 && fields[0] == user {
			return strconv.Atoi(fields[2])
		}
	}
	return 0, fmt.Errorf("there is no user %s on this system: install the package waldo, which makes it", user)
}

// secret writes a file that root changes and the robot's processes read.
func (i *Installation) secret(file string, content []byte, gid int) error {
	if now, err := os.ReadFile(i.host(file)); err == nil && string(now) == string(content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(i.host(file)), 0o755); err != nil { // what is in it is protected
		return err
	}
	if err := state.Replace(i.host(file), content, 0o640); err != nil {
		return err
	}
	return os.Chown(i.host(file), -1, gid)
}
