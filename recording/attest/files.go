package attest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// entry is what logs tell of a file.
type entry struct {
	hash string // when it was completed; empty: it was deleted
	by   string // which event
	of   place
}

// place is a folder of recordings as a log tells of it. That of versions that did not name it is empty.
type place struct {
	log    audit.Name
	folder string
}

// told is what logs tell of files, by name.
type told map[string]entry

// Folders returns the folders that the logs in a folder of state name for recordings, besides those that are known. They
// may not exist.
func Folders(state string, known []string) ([]string, error) {
	names, err := audit.List(state)
	if err != nil {
		return nil, err
	}
	told, err := readTold(state, names)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, dir := range known {
		seen[resolved(dir)] = true
	}
	return slices.DeleteFunc(told.folders(), func(dir string) bool {
		again := seen[resolved(dir)]
		seen[resolved(dir)] = true
		return again
	}), nil
}

// readTold reads what logs tell of files.
func readTold(state string, names []audit.Name) (told, error) {
	all := told{}
	for _, n := range names {
		if err := audit.Read(n.Path(state), func(l audit.Line) error { all.note(n, l); return nil }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// folders are where the files were when they were completed.
func (t told) folders() (all []string) {
	for _, e := range t {
		if filepath.IsAbs(e.of.folder) {
			all = append(all, e.of.folder)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// note notes what a line tells of recordings.
func (t told) note(of audit.Name, l audit.Line) {
	e := l.Event
	by := fmt.Sprintf("event %d of %s", l.Number, of)
	switch e.Kind {
	case audit.RecordingFinished, audit.RecordingRepaired:
		if e.Kind == audit.RecordingRepaired && e.Reason != "" {
			by += " (" + e.Reason + ")"
		}
		t[e.What] = entry{e.SHA256, by, place{of, e.Folder}}
	case audit.RecordingDeleted:
		t[e.What] = entry{by: by}
		for name := range t {
			if sameRecording(name, e.What) {
				t[name] = entry{by: by}
			}
		}
	}
}

// sameRecording reports whether two files are of one recording.
func sameRecording(a, b string) bool {
	x, ok := folder.Parse(a)
	y, ok2 := folder.Parse(b)
	return ok && ok2 && x.Recording() == y.Recording()
}

// lookedAt is which folders were looked at.
type lookedAt struct {
	config  Config
	folders map[string]bool // by their absolute paths
	places  map[place]bool  // of which files were found
}

// has reports whether the files of a place would have been found.
func (l *lookedAt) has(p place) bool {
	return l.config.Named || l.places[p] || p.folder != "" && (l.config.Told || l.folders[resolved(p.folder)])
}

// resolved is the path of a folder without links, as far as it exists.
func resolved(path string) string {
	if one, err := filepath.Abs(path); err == nil {
		path = one
	}
	if one, err := filepath.EvalSymlinks(path); err == nil {
		path = one
	}
	return path
}

// checkFiles compares the files in folders with what logs tell of them.
func checkFiles(ctx context.Context, c Config, told told) (all []File, err error) {
	looked := &lookedAt{config: c, folders: map[string]bool{}, places: map[place]bool{}}
	there := map[string]bool{}
	look := func(dir string, must bool) error {
		if looked.folders[resolved(dir)] {
			return nil
		}
		looked.folders[resolved(dir)] = true
		found, err := checkFolder(ctx, dir, told)
		if !must && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, f := range found {
			there[f.Name] = true
			looked.places[told[f.Name].of] = true
		}
		all = append(all, found...)
		return err
	}
	for _, dir := range c.Folders {
		if err := look(dir, true); err != nil {
			return nil, err
		}
	}
	if c.Told {
		for _, dir := range told.folders() {
			if err := look(dir, false); err != nil {
				return nil, err
			}
		}
	}
	for name, e := range told {
		if e.hash != "" && !there[name] {
			all = append(all, e.missing(name, looked.has(e.of)))
		}
	}
	slices.SortFunc(all,
		func(a, b File) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Path, b.Path)) })
	return all, nil
}

// missing is a file that was not found, although it was looked for where it was, or because it was not.
func (e entry) missing(name string, looked bool) File {
	where := ""
	if e.of.folder != "" {
		where = " in " + e.of.folder
	}
	if looked {
		return File{Name: name, Verdict: Gone,
			Text: fmt.Sprintf("%s tells that it was completed%s, and none that it was deleted", e.by, where)}
	}
	return File{Name: name, Verdict: Elsewhere, Text: fmt.Sprintf(
		"%s tells that it was completed%s, and it is not in the folders that were looked at: name its folder with "+
			"--recordings", e.by, where)}
}

// checkFolder compares the files in a folder with what logs tell of them.
func checkFolder(ctx context.Context, dir string, told told) (all []File, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, part := strings.CutSuffix(e.Name(), write.PartSuffix)
		if !e.Type().IsRegular() || !strings.HasSuffix(name, folder.Suffix) {
			continue
		}
		f := File{Name: name, Path: filepath.Join(dir, e.Name())}
		if part {
			f.Verdict, f.Text = Incomplete, "it is being written, or was left open; a recorder that starts completes it"
		} else if err := f.check(ctx, told[name]); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}
