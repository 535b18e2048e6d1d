package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/waldo-robot/waldo/recording/folder"
	"github.com/waldo-robot/waldo/recording/write"
)

// findRecordings returns paths with those of recordings that are called by their names alone, as the page and
// `waldo recordings` print them, and are not in the working directory, replaced by where a recorder of this machine
// keeps them. A file that is being written, and has another ending, is found by the name that it will have.
func findRecordings(paths []string) ([]string, error) {
	found := make([]string, 0, len(paths))
	for _, path := range paths {
		place, err := findRecording(path)
		if err != nil {
			return nil, err
		}
		found = append(found, place)
	}
	return found, nil
}

func findRecording(path string) (string, error) {
	if found, there := lookFor(path); there {
		return found, regular(found)
	}
	name := strings.TrimSuffix(path, write.PartSuffix)
	if filepath.Base(name) != name || filepath.Ext(name) != folder.Suffix { // it has a folder, or is one
		return path, nil // what is wrong with it is told by who reads it
	}
	state, err := audited{}.folder()
	if err != nil {
		return path, nil // without a folder of state nothing is kept there
	}
	usual := filepath.Join(state, "recordings")
	found, there := lookFor(filepath.Join(usual, path))
	if !there {
		return "", fmt.Errorf("%s is neither here nor in %s: name its folder; "+
			"recordings of another machine can be downloaded from its page /recordings", path, usual)
	}
	return found, regular(found)
}

// lookFor returns where a file is: while it is being written it has another ending.
func lookFor(path string) (found string, there bool) {
	name := strings.TrimSuffix(path, write.PartSuffix)
	for _, found := range []string{path, name, name + write.PartSuffix} {
		if _, err := os.Stat(found); !errors.Is(err, fs.ErrNotExist) {
			return found, true // what else is wrong with it is told by who reads it
		}
	}
	return "", false
}

// regular refuses what is neither a file nor a folder: a pipe would be waited for.
func regular(path string) error {
	about, err := os.Stat(path)
	if err != nil || about.Mode().IsRegular() || about.IsDir() {
		return nil // who reads it tells
	}
	return fmt.Errorf("%s is not a file", path)
}
