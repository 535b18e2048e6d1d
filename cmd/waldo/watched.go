package main

import "os"

// watched is a file that is looked at again and again.
type watched struct {
	path string
	seen os.FileInfo // when it was last looked at; nil if there was none
}

// watchFiles looks at files, which may not be there.
func watchFiles(paths ...string) (files []*watched) {
	for _, path := range paths {
		w := &watched{path: path}
		w.changed()
		files = append(files, w)
	}
	return files
}

// changed reports whether the file is another one than when it was last looked at.
func (w *watched) changed() bool {
	now, err := os.Stat(w.path)
	if err != nil {
		now = nil
	}
	before := w.seen
	w.seen = now
	if before == nil || now == nil {
		return (before == nil) != (now == nil)
	}
	return !os.SameFile(before, now) || !before.ModTime().Equal(now.ModTime()) || before.Size() != now.Size()
}

// anyChanged looks at all of the files.
func anyChanged(files []*watched) (changed bool) {
	for _, w := range files {
		changed = w.changed() || changed
	}
	return changed
}
