package folder

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/waldo-robot/waldo/recording/write"
)

// maxFiles bounds how many files of recordings a folder may have.
const maxFiles = 100_000

// group is the files of a recording.
type group struct {
	first Name // with number 1, whether that file is there or not
	files []entry
}

// entry is a file.
type entry struct {
	name   Name
	onDisk string // with .part while it is being written, or when it was left behind
}

func (e entry) part() bool { return write.Part(e.onDisk) }

// name is the name of the recording.
func (g group) name() string { return g.files[0].name.String() }

// groups returns the recordings of the folder, the oldest first.
func (f *Folder) groups() ([]group, error) {
	all, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err // it names the folder
	}
	var files []entry
	for _, one := range all {
		n, ok := Parse(strings.TrimSuffix(one.Name(), write.PartSuffix))
		if ok && one.Type().IsRegular() {
			files = append(files, entry{n, one.Name()})
		}
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("%s has more than %d files of recordings: move some elsewhere", f.path, maxFiles)
	}
	slices.SortFunc(files, func(a, b entry) int {
		return cmp.Or(a.name.Start.Compare(b.name.Start), cmp.Compare(a.name.Robot+"_", b.name.Robot+"_"), // as names sort
			cmp.Compare(a.name.Number, b.name.Number), cmp.Compare(a.onDisk, b.onDisk))
	})
	var groups []group
	for _, e := range files {
		if n := len(groups); n == 0 || groups[n-1].first != e.name.Recording() {
			groups = append(groups, group{first: e.name.Recording()})
		}
		g := &groups[len(groups)-1]
		g.files = append(g.files, e)
	}
	return groups, nil
}
