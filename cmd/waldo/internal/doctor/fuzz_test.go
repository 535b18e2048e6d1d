package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzAccounts: whatever stands in the files of users and groups, the doctor goes on, and only who is named in one is
// found.
func FuzzAccounts(f *testing.F) {
	for _, seed := range []string{"video:x:44:rover,waldo\n", "waldo:x:997:997::/var/lib/waldo:/bin/false\n",
		"waldo:x:-1\n", ":::\n", "waldo:x:99999999999999999999:\n", "", "\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &System{Root: t.TempDir(), Units: true}
		if err := os.Mkdir(s.path("/etc"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"group", "passwd"} {
			if err := os.WriteFile(filepath.Join(s.path("/etc"), file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if s.id() >= 0 && !strings.Contains(text, unitUser+":") {
			t.Errorf("user %d of %q", s.id(), text)
		}
		for group := range s.groups() {
			if !strings.Contains(text, group) {
				t.Errorf("group %q of %q", group, text)
			}
		}
	})
}
