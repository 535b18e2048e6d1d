package folder_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waldo-robot/waldo/recording/folder"
)

// TestWhole: the first file of a recording stands for all of them, unless others of it are named; what is missing in
// between is found.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	at := func(n folder.Name, suffix string) string { return filepath.Join(dir, n.String()+suffix) }
	a1, a2, a4, a5 := at(name(0, 1), ""), at(name(0, 2), ""), at(name(0, 4), ""), at(name(0, 5), ".part")
	b1, c2, other := at(name(1, 1), ".part"), at(name(2, 2), ""), filepath.Join(dir, "other.mcap")
	for _, path := range []string{a1, a2, a4, a5, b1, c2, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	three := name(0, 3).String()
	for _, c := range []struct{ given, want, missing []string }{
		{[]string{a1}, []string{a1, a2, a4, a5}, []string{three}},
		{[]string{a1, a2}, []string{a1, a2}, nil},
		{[]string{a4, a2}, []string{a4, a2}, []string{three}},
		{[]string{a2}, []string{a2}, nil},
		{[]string{b1, a1}, []string{b1, a1, a2, a4, a5}, []string{three}},
		{[]string{c2, other}, []string{c2, other}, nil},
		{nil, nil, nil},
	} {
		got, err := folder.Whole(c.given)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v", c.given, got, err)
		}
		if missing := folder.Missing(got); !slices.Equal(missing, c.missing) {
			t.Errorf("%v: missing %v", c.given, missing)
		}
	}
	if _, err := folder.Whole([]string{filepath.Join(dir, "none", name(0, 1).String())}); !os.IsNotExist(err) {
		t.Error(err)
	}
}
