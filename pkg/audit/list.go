package audit

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Name is which log it is.
type Name struct {
	Robot   string // empty for what concerns all robots
	Process string
}

// String returns robot/process, or process.
func (n Name) String() string { return filepath.Join(n.Robot, n.Process) }

// Path is where the log is in a folder of state.
func (n Name) Path(folder string) string { return Path(folder, n.Robot, n.Process) }

// Valid reports whether a log may have the name.
func (n Name) Valid() bool { return (n.Robot == "" || isName(n.Robot)) && isName(n.Process) }

// isName reports whether a text may be a part of the name of a log: it leads to no other folder.
func isName(s string) bool { return isLog.MatchString(s + ".jsonl") }

// isLog matches the files of logs, old ones too.
var isLog = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9._-]*)\.jsonl(\.[1-9])?$`)

// List returns the logs in a folder of state, by name. One without any log has none.
func List(folder string) ([]Name, error) {
	top := filepath.Join(folder, "audit")
	entries, err := os.ReadDir(top)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := logsIn(entries, "")
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		inner, err := os.ReadDir(filepath.Join(top, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, logsIn(inner, e.Name())...)
	}
	slices.SortFunc(found, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Robot, b.Robot), cmp.Compare(a.Process, b.Process))
	})
	return slices.Compact(found), nil
}

func logsIn(entries []fs.DirEntry, robot string) (found []Name) {
	for _, e := range entries {
		if m := isLog.FindStringSubmatch(e.Name()); m != nil && e.Type().IsRegular() {
			found = append(found, Name{robot, m[1]})
		}
	}
	return found
}
