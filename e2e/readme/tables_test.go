package readme

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTables compares the tables with the READMEs, without running anything, so that a command which one of them lacks
// shows within a second.
func TestTables(t *testing.T) {
	all := files(t)
	for file := range readmes {
		if !slices.Contains(all, file) {
			t.Errorf("the table has %s, which does not exist", file)
		}
	}
	for _, file := range all {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		var commands []string
		for _, b := range blocks(string(text)) {
			if b.language == "sh" {
				for _, c := range b.commands() {
					commands = append(commands, strings.TrimSpace(c.text))
				}
			}
		}
		for _, s := range slices.Concat(readmes[file], tutorials[file]) {
			switch {
			case s.command == "":
			case len(commands) == 0:
				t.Fatalf("%s has no command %q any more", file, s.command)
			case !strings.HasPrefix(commands[0], s.command):
				t.Fatalf("%s: the table has %q next, the file %q", file, s.command, commands[0])
			default:
				commands = commands[1:]
			}
		}
		if len(commands) > 0 {
			t.Errorf("%s: the table does not say how to run %q", file, commands[0])
		}
	}
}
