package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waldo-robot/waldo/recording/folder"
)

// findRecordings returns paths with those of recordings that are called by their names alone, as the page and
// `waldo recordings` print them, and are not in the working directory, replaced by where a recorder of this machine
// keeps them.
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
	_, missing := os.Stat(path)
	if !errors.Is(missing, fs.ErrNotExist) {
		return path, nil // what is wrong with it, if anything, is told by who reads it
	}
	if _, ok := folder.Parse(path); !ok { // also if it has a folder
		return path, nil
	}
	state, err := audited{}.folder()
	if err != nil {
		return path, nil //nolint:nilerr // without a folder of state nothing is kept there
	}
	usual := filepath.Join(state, "recordings")
	kept := filepath.Join(usual, path)
	if _, err := os.Stat(kept); err != nil {
		return "", fmt.Errorf("%s is neither here nor in %s: name its folder; "+
			"recordings of another machine can be downloaded from its page /recordings", path, usual)
	}
	return kept, nil
}
