package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recorderv1 "github.com/waldo-robot/waldo/api/gen/go/waldo/recorder/v1"
	"github.com/waldo-robot/waldo/recording/internal/files"
	"github.com/waldo-robot/waldo/recording/write"
)

// Folder lists the recordings in a folder.
type Folder struct {
	path string

	mu    sync.Mutex
	known map[string]known // by the name on the disk
}

// known is what was found in a file of a size and time.
type known struct {
	size     int64
	modified time.Time
	summary
}

// New returns a folder, which need not be there yet.
func New(path string) *Folder { return &Folder{path: path, known: map[string]known{}} }

// Dir is the path of the folder.
func (f *Folder) Dir() string { return f.path }

// List returns the recordings, the newest first. A file that cannot be read is told of in its recording. A folder that
// is not there has none.
func (f *Folder) List() ([]*recorderv1.Recording, error) {
	all, err := f.groups()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(all)
	list := make([]*recorderv1.Recording, 0, len(all))
	for _, g := range slices.Backward(all) {
		list = append(list, f.describe(g))
	}
	return list, nil
}

// Find returns a recording by its name. It fails with [ErrNone].
func (f *Folder) Find(name string) (*recorderv1.Recording, error) {
	all, err := f.groups()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, g := range all {
		if g.name() == name {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.describe(g), nil
		}
	}
	return nil, fmt.Errorf("%.128q: %w", name, ErrNone)
}

// File returns the path of a file of a recording, by its name there. It fails with [ErrNone].
func (f *Folder) File(name string) (string, error) {
	if _, ok := Parse(name); ok {
		for _, suffix := range []string{"", write.PartSuffix} {
			path := filepath.Join(f.path, name+suffix)
			if about, err := os.Lstat(path); err == nil && about.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%.128q: %w", name, ErrNone)
}

// forget drops what is known of files that are no more. f.mu is held.
func (f *Folder) forget(all []group) {
	there := map[string]bool{}
	for _, g := range all {
		for _, e := range g.files {
			there[e.onDisk] = true
		}
	}
	for name := range f.known {
		if !there[name] {
			delete(f.known, name)
		}
	}
}

// describe puts together what the files of a recording have. f.mu is held.
func (f *Folder) describe(g group) *recorderv1.Recording {
	r := &recorderv1.Recording{Name: g.name()}
	var first, last time.Time
	var problems []string
	for i, e := range g.files {
		s := f.summary(e)
		switch {
		case e.part() && files.InUse(filepath.Join(f.path, e.onDisk)):
			r.Open = true
			s.problem = "" // its end is being written
		case e.part() && s.messages > 0:
			s.problem = "it was not completed: a recorder that starts here repairs it"
		}
		if s.problem != "" {
			problems = append(problems, which(g, e)+s.problem)
		}
		if want := g.files[0].name.Number + i; e.name.Number != want || i == 0 && want != 1 {
			problems = append(problems, "the file before "+e.name.String()+" is missing")
		}
		r.Files = append(r.Files, e.name.String())
		r.SizeBytes += s.size
		r.MessageCount += int64(s.messages)
		r.Devices = append(r.Devices, s.devices...)
		r.Marks = append(r.Marks, s.marks[:min(len(s.marks), maxMarks-len(r.Marks))]...)
		if s.messages > 0 {
			if first.IsZero() {
				first = s.first
			}
			last = s.last
		}
	}
	slices.Sort(r.Devices)
	r.Devices = slices.Compact(r.Devices)
	if first.IsZero() {
		first, last = g.first.Start, g.first.Start
	}
	r.StartTime, r.Duration = timestamppb.New(first), durationpb.New(max(last.Sub(first), 0))
	r.Problem = strings.Join(problems[:min(len(problems), maxProblems)], "; ")
	return r
}

// which begins what is said of a file, if its recording has others.
func which(g group, e entry) string {
	if len(g.files) == 1 {
		return ""
	}
	return e.name.String() + ": "
}

// maxProblems bounds of how many files of a recording problems are told.
const maxProblems = 5

// summary returns what a file has, from memory if it has not changed. f.mu is held.
func (f *Folder) summary(e entry) known {
	path := filepath.Join(f.path, e.onDisk)
	about, err := os.Stat(path)
	if err != nil {
		return known{summary: summary{problem: "it cannot be read: " + err.Error()}}
	}
	k, has := f.known[e.onDisk]
	if !has || k.size != about.Size() || !k.modified.Equal(about.ModTime()) {
		k = known{about.Size(), about.ModTime(), summarize(path)}
		f.known[e.onDisk] = k
	}
	return k
}
