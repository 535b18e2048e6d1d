package tokens_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// files feed TestFiles and the seeds of FuzzFile. An empty fails means that the file is good.
var files = map[string]struct{ text, fails string }{
	"empty object": {`{}`, "version: 0"},
	"no tokens":    {`{"version":1}`, ""},
	"one": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"driver","sha256":"` + sum +
		`","created":"2026-01-02T03:04:05Z"}]}`, ""},
	"empty":     {``, "EOF"},
	"half":      {`{"version":1,"tok`, "unexpected EOF"},
	"twice":     {`{"version":1}{"version":1}`, "more follows"},
	"list":      {`[]`, "cannot unmarshal"},
	"later":     {`{"version":2}`, "version: 2 is not supported"},
	"new field": {`{"version":1,"tokens":[{"id":"abcdefghij","only":"mondays"}]}`, `unknown field "only"`},
	"bad role": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"king","sha256":"` + sum + `"}]}`,
		`tokens[0].role: "king" is not a role`},
	"bad id": {`{"version":1,"tokens":[{"id":"x","name":"a","role":"driver","sha256":"` + sum + `"}]}`, "tokens[0].id"},
	"bad hash": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"driver","sha256":"12"}]}`,
		"tokens[0].sha256"},
	"same ids": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"driver","sha256":"` + sum +
		`"},{"id":"abcdefghij","name":"b","role":"admin","sha256":"` + sum + `"}]}`, "there twice"},
	"service of nothing": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"service","sha256":"` + sum +
		`"}]}`, "tokens[0].device"},
	"bad time": {`{"version":1,"tokens":[{"id":"abcdefghij","name":"a","role":"driver","sha256":"` + sum +
		`","expires":"tomorrow"}]}`, "parsing time"},
	"zeros": {strings.Repeat("\x00", 4096), "invalid character"},
}

// TestFiles: a file that is not right lets nobody in, says why, and is never overwritten.
func TestFiles(t *testing.T) {
	for name, tt := range files {
		path := filepath.Join(t.TempDir(), "access.json")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		store := tokens.Open(path)
		err := store.Err()
		if tt.fails == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, tokens.ErrBroken) || !strings.Contains(err.Error(), tt.fails) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		checkBroken(t, name, path, store)
		if text, err := os.ReadFile(path); err != nil || string(text) != tt.text {
			t.Errorf("%s: the file was changed: %q, %v", name, text, err)
		}
	}
}

func checkBroken(t *testing.T, name, path string, store *tokens.Store) {
	t.Helper()
	authority := tokens.NewAuthority("sixteen-or-more!", store)
	_, err := authority.Check("waldo_abcdefghij_" + strings.Repeat("A", 26))
	if !errors.Is(err, tokens.ErrBroken) {
		t.Errorf("%s: a token: %v", name, err)
	}
	if s := status.Convert(tokens.Status(err)); s.Code() != codes.Unavailable || strings.Contains(s.Message(), path) {
		t.Errorf("%s: strangers are told %v", name, s)
	}
	if g, err := authority.Check("sixteen-or-more!"); err != nil || g.Role != roles.Admin {
		t.Errorf("%s: the shared token: %+v, %v", name, g, err)
	}
	if _, err := tokens.NewAuthority("", store).Check(""); err == nil {
		t.Errorf("%s: without any token it lets everybody in", name)
	}
	if _, _, err := tokens.Create(path, tokens.Request{Name: "b", Role: roles.Viewer}); !errors.Is(err, tokens.ErrBroken) {
		t.Errorf("%s: create: %v", name, err)
	}
}

// TestFolder: a folder in place of the file, and a file that grew too large, let nobody in.
func TestFolder(t *testing.T) {
	large := filepath.Join(t.TempDir(), "access.json")
	if err := os.WriteFile(large, []byte(`{"version":1}`+strings.Repeat(" ", 4<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{t.TempDir(), large} {
		if err := tokens.Open(path).Err(); !errors.Is(err, tokens.ErrBroken) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPath(t *testing.T) {
	environ := map[string]string{}
	get := func(key string) string { return environ[key] }
	if path, err := tokens.Path(get); path != "" || err == nil {
		t.Errorf("without a folder for state: %q, %v", path, err)
	}
	environ["STATE_DIRECTORY"] = "/var/lib/waldo"
	if path, err := tokens.Path(get); path != "/var/lib/waldo/access.json" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
	environ["WALDO_ACCESS_FILE"] = "/etc/waldo/access.json"
	if path, err := tokens.Path(get); path != "/etc/waldo/access.json" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
}

// FuzzFile: any content of the file either lets nobody in, or is one that this package can change.
func FuzzFile(f *testing.F) {
	for _, tt := range files {
		f.Add([]byte(tt.text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := os.CreateTemp(dir, "access-*.json")
		if err != nil {
			t.Fatal(err)
		}
		path := file.Name()
		defer func() { _, _ = os.Remove(path), os.Remove(path+".lock") }()
		if _, err := file.Write(data); err != nil || file.Close() != nil {
			t.Fatal(err)
		}
		store := tokens.Open(path)
		if _, err := store.Check("waldo_abcdefghij_" + strings.Repeat("A", 26)); err == nil {
			t.Fatal("a token that nobody made is good")
		}
		if store.Err() != nil {
			return
		}
		before, err := tokens.List(path)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := tokens.Create(path, tokens.Request{Name: "fuzzed name", Role: roles.Viewer})
		if err != nil {
			return // the name is taken, or there are too many
		}
		if g, err := store.Check(token); err != nil || g.Role != roles.Viewer {
			t.Fatalf("of %d tokens: %+v, %v", len(before), g, err)
		}
	})
}

// FuzzToken: no text but the token itself is good.
func FuzzToken(f *testing.F) {
	path := filepath.Join(f.TempDir(), "access.json")
	token, made, err := tokens.Create(path, tokens.Request{Name: "anna", Role: roles.Admin})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "waldo_", "waldo__", "waldo_" + made.ID + "_" + strings.Repeat("A", 26),
		"waldo_abcdefghij_" + strings.Repeat("A", 26), strings.Repeat("_", 100), "waldo_é"} {
		f.Add(seed)
	}
	store := tokens.Open(path)
	f.Fuzz(func(t *testing.T, guess string) {
		if grant, err := store.Check(guess); (err == nil) != (guess == token) {
			t.Fatalf("%q is %+v, %v", guess, grant, err)
		}
	})
}
