package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoEvents: what is no log of events is told line by line, and nothing of it is taken for an event.
func TestNoEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		data  []byte
		lines int
	}{
		"nothing":         {nil, 0},
		"binary":          {[]byte("\x1f\x8b\x08\x00\n\xff\xfe\n\x80"), 3},
		"a long line":     {bytes.Repeat([]byte("{"), 10*maxLine), 1},
		"another format":  {[]byte("<xml/>\n[]\nnull\n{}\n"), 4},
		"numbers only":    {[]byte(`{"n":3}` + "\n"), 1},
		"a line of zeros": {make([]byte, 1000), 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "front.jsonl")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			r := verify(t, path)
			if r.Events != 0 || r.Altered() || len(r.Found) != tt.lines {
				t.Fatalf("%+v", r)
			}
			for i, f := range r.Found {
				if f.File != path || f.Line != i+1 || !strings.Contains(f.Text, "this is no event") {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestFirstBadLine: of what is altered, the first line that does not follow is named.
func TestFirstBadLine(t *testing.T) {
	for name, alter := range map[string]func(l []string) []string{
		"a line changed":   func(l []string) []string { l[4] = strings.Replace(l[4], "anna", "ben", 1); return l },
		"in another order": func(l []string) []string { l[5], l[6] = l[6], l[5]; return l },
		"a line removed":   func(l []string) []string { return slices.Delete(l, 5, 6) },
		"a line inserted":  func(l []string) []string { return slices.Insert(l, 5, "{}") },
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := newLog(t, 9)
			edit(t, path, alter)
			i := slices.IndexFunc(verify(t, path).Found, func(f Finding) bool { return f.Alteration })
			if found := verify(t, path).Found; i < 0 || found[i].File != path || found[i].Line < 6 || found[i].Line > 7 {
				t.Errorf("%+v", found)
			}
		})
	}
}
