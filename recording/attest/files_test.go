package attest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/waldo-robot/waldo/pkg/audit"
)

// TestPlaces: a file that is missing is gone if its folder was looked at, and elsewhere if it was not.
func TestPlaces(t *testing.T) {
	const (
		inFirst  = "2026-11-30T08-10-00.000Z_rover_001.mcap"
		inSecond = "2026-11-30T09-10-00.000Z_rover_001.mcap"
	)
	for name, tt := range map[string]struct {
		silent bool // the log does not name folders, as that of older versions
		config func(c *Config, first, second string)
		alter  func(first, second string) error
		want   [2]Verdict
	}{
		"both are named": {config: func(c *Config, a, b string) { c.Folders, c.Named = []string{a, b}, true },
			want: [2]Verdict{Attested, Attested}},
		"one is looked at": {config: func(c *Config, a, _ string) { c.Folders = []string{a} },
			want: [2]Verdict{Attested, Elsewhere}},
		"one is named": {config: func(c *Config, a, _ string) { c.Folders, c.Named = []string{a}, true },
			want: [2]Verdict{Attested, Gone}},
		"none is looked at": {config: func(*Config, string, string) {}, want: [2]Verdict{Elsewhere, Elsewhere}},
		"the log names them": {config: func(c *Config, a, _ string) { c.Folders, c.Told = []string{a}, true },
			want: [2]Verdict{Attested, Attested}},
		"the log names one that is gone": {config: func(c *Config, _, _ string) { c.Told = true },
			alter: func(_, b string) error { return os.RemoveAll(b) }, want: [2]Verdict{Attested, Gone}},
		"by another path": {config: func(c *Config, a, b string) { c.Folders = []string{b, a + "-link"} },
			alter: func(a, _ string) error { return os.Symlink(a, a+"-link") }, want: [2]Verdict{Attested, Attested}},
		"by another path, and gone": {config: func(c *Config, a, _ string) { c.Folders = []string{a + "-link"} },
			alter: func(a, _ string) error {
				if err := os.Symlink(a, a+"-link"); err != nil {
					return err
				}
				return os.Remove(filepath.Join(a, inFirst))
			}, want: [2]Verdict{Gone, Elsewhere}},
		"an older log names none": {silent: true, config: func(c *Config, _, _ string) { c.Told = true },
			want: [2]Verdict{Elsewhere, Elsewhere}},
		"an older log, and one is found": {silent: true, config: func(c *Config, a, _ string) { c.Folders = []string{a} },
			want: [2]Verdict{Attested, Gone}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, state: t.TempDir()}
			top := t.TempDir()
			log := audit.Open(audit.Path(r.state, "rover", "recorder"), nil)
			defer log.Close()
			var folders []string
			for _, file := range []string{inFirst, inSecond} {
				r.folder = filepath.Join(top, file)
				if err := os.Mkdir(r.folder, 0o700); err != nil {
					t.Fatal(err)
				}
				e := audit.Event{Kind: audit.RecordingFinished, What: file, Folder: r.folder, SHA256: r.record(file, audit.Head{})}
				if tt.silent {
					e.Folder = ""
				}
				log.Write(e)
				folders = append(folders, r.folder)
			}
			log.Close()
			if tt.alter != nil {
				if err := tt.alter(folders[0], folders[1]); err != nil {
					t.Fatal(err)
				}
			}
			c := Config{State: r.state}
			tt.config(&c, folders[0], folders[1])
			got, err := Check(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Files) != 2 || got.Files[0].Verdict != tt.want[0] || got.Files[1].Verdict != tt.want[1] {
				t.Fatalf("%+v, want %v", got.Files, tt.want)
			}
			if alarm := tt.want[0] == Gone || tt.want[1] == Gone; got.Altered() != alarm {
				t.Errorf("altered: %v", got.Altered())
			}
		})
	}
}
