package main

import (
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestExamples: people copy these files, so they must be correct. Only the program of a kind can check
// its own settings.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		if _, err := robot.Load(file); err != nil {
			t.Error(err)
		}
	}
}
