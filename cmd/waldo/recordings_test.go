package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/recording/recordingtest"
	"github.com/waldo-robot/waldo/recording/write"
)

// TestRecordingsOfOtherNames are listed too: those that were renamed, and what claims to be one.
func TestRecordingsOfOtherNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drives [1]")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	renamed := filepath.Join(dir, "to the harbour.mcap")
	if err := recordingtest.Record(t, renamed, 30, 100, write.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"letter.mcap": "Dear Anna", "notes.txt": "nothing"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := (&recordingsCommand{Paths: []string{dir}}).local()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Name != "letter.mcap" || all[0].Problem == "" || all[1].Name != "to the harbour.mcap" ||
		all[1].Messages != 33 || all[1].Problem != "" || all[1].Folder != dir {
		t.Errorf("%+v", all)
	}
}
