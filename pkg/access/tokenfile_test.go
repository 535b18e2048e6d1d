package access_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/access"
)

func TestToken(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("token", "of-the-unit\n")
	credentials := map[string]string{"CREDENTIALS_DIRECTORY": folder}
	for name, tt := range map[string]struct {
		token, file string
		environ     map[string]string
		want, says  string
	}{
		"none":             {"", "", nil, "", ""},
		"given":            {"secret", write("a", "other"), credentials, "secret", ""},
		"file":             {"", write("b", " secret \n"), credentials, "secret", ""},
		"unit":             {"", "", credentials, "of-the-unit", ""},
		"unit has none":    {"", "", map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()}, "", ""},
		"empty file":       {"", write("c", "\n"), nil, "", ""},
		"no such file":     {"", "/nowhere", nil, "", "/nowhere"},
		"a folder":         {"", folder, nil, "", "the file with the token"},
		"several lines":    {"", write("d", "one\ntwo\n"), nil, "", "several lines"},
		"not a token's":    {"", write("e", strings.Repeat("x", 5000)), nil, "", "4096"},
		"endless":          {"", "/dev/zero", nil, "", "4096"},
		"characters, kept": {"", write("f", "a b"), nil, "a b", ""}, // CheckToken tells what is wrong with it
	} {
		got, err := access.Token(tt.token, tt.file, func(key string) string { return tt.environ[key] })
		if got != tt.want || (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %q, %v, want %q, %q", name, got, err, tt.want, tt.says)
		}
	}
}
