package main

import (
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestExamples: what people copy must be right. What belongs to a kind of device only its own program can check.
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
