package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
)

// TestTokens makes a token, finds it, uses it, and revokes it.
func TestTokens(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "access.json")
	t.Setenv("WALDO_ACCESS_FILE", path)
	code, out, said := waldo(t, "token", "create", "anna", "--role", "driver", "--expires", "30d")
	token := strings.TrimSuffix(out, "\n")
	if code != 0 || !strings.Contains(said, "anna, driver, until 20") || strings.Contains(said, token) {
		t.Fatalf("%d: %q, %q", code, out, said)
	}
	store := tokens.Open(path)
	grant, err := store.Check(token)
	if err != nil || grant.Role != roles.Driver || time.Until(grant.Expires).Hours() < 29*24 {
		t.Errorf("%+v, %v", grant, err)
	}
	if code, _, said := waldo(t, "token", "create", "cam", "--role", "service", "--device", "front"); code != 0 {
		t.Errorf("a service: %d, %s", code, said)
	}
	code, out, _ = waldo(t, "token", "list")
	if code != 0 || !strings.Contains(out, grant.ID) || !strings.Contains(out, "front") ||
		!strings.Contains(out, "good until it is revoked") || strings.Contains(out, token) {
		t.Errorf("listed %d: %s", code, out)
	}
	if code, _, said := waldo(t, "token", "revoke", "anna"); code != 0 || !strings.Contains(said, "anna is revoked") {
		t.Errorf("%d: %s", code, said)
	}
	if _, err := store.Check(token); !errors.Is(err, tokens.ErrRevoked) {
		t.Errorf("afterwards: %v", err)
	}
	kept, err := os.ReadFile(filepath.Join(folder, "audit", "tokens.jsonl"))
	if err != nil || strings.Count(string(kept), "token_created") != 2 ||
		strings.Count(string(kept), "token_revoked") != 1 || strings.Contains(string(kept), token) {
		t.Errorf("kept %s, %v", kept, err)
	}
}

// A token whose output cannot be written, as on a full disk, is named, so that it can be revoked.
func TestTokenWithoutOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	t.Setenv("WALDO_ACCESS_FILE", path)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var said bytes.Buffer
	code := run(t.Context(), []string{"token", "create", "anna", "--role", "driver"}, console{full, &said})
	all, err := tokens.List(path)
	if err != nil || len(all) != 1 {
		t.Fatalf("the file has %v, %v", all, err)
	}
	if want := "no space left on device: run waldo token revoke " + all[0].ID; code != 1 ||
		!strings.Contains(said.String(), want) {
		t.Errorf("%d: %s", code, &said)
	}
	said.Reset()
	code = run(t.Context(), []string{"token", "list"}, console{full, &said})
	if code != 1 || !strings.Contains(said.String(), "no space left on device: make room where the output goes") {
		t.Errorf("list: %d: %s", code, &said)
	}
}

func TestTokenMistakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.json")
	t.Setenv("WALDO_ACCESS_FILE", path)
	for name, tt := range map[string]struct {
		args  []string
		code  int
		fails string
	}{
		"no role":      {[]string{"create", "anna"}, exitUsage, "--role"},
		"unknown role": {[]string{"create", "anna", "--role", "king"}, 78, `"king" is not a role: use one of viewer`},
		"no name":      {[]string{"create", "--role", "driver"}, exitUsage, "<name>"},
		"bad time":     {[]string{"create", "anna", "--role", "driver", "--expires", "soon"}, 78, "2027-01-31"},
		"past":         {[]string{"create", "anna", "--role", "driver", "--expires", "2020-01-01"}, 1, "not in the future"},
		"for ever":     {[]string{"create", "anna", "--role", "driver", "--expires", "99999999d"}, 78, "30d"},
		"service":      {[]string{"create", "cam", "--role", "service"}, 78, "--device: "},
		"unknown": {[]string{"revoke", "anna"}, 1, path +
			" has no token with the id or name \"anna\": waldo token list"},
	} {
		if code, _, said := waldo(t, append([]string{"token"}, tt.args...)...); code != tt.code ||
			!strings.Contains(said, tt.fails) {
			t.Errorf("%s: %d, %s", name, code, said)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"token", "list"}, {"token", "revoke", "x"},
		{"token", "create", "anna", "--role", "viewer"}} {
		if code, _, said := waldo(t, args...); code == 0 || !strings.Contains(said, path) {
			t.Errorf("%v of a broken file: %d, %s", args, code, said)
		}
	}
}

// TestTokenForADevice: a service's token for a device that the robot at hand does not have is made, with a warning.
func TestTokenForADevice(t *testing.T) {
	for name, tt := range map[string]struct {
		file string // robot.yaml in the folder; empty: there is none
		args []string
		says string // "" for no warning
	}{
		"its device": {"robot: rover\ndevices: {front: {kind: camera}}\n", []string{"--device", "front"}, ""},
		"no such": {"robot: rover\ndevices: {front: {kind: camera}}\n", []string{"--device", "rear"},
			`has no device "rear"`},
		"another robot": {"robot: rover\ndevices: {front: {kind: camera}}\n", []string{"--device", "rear", "--robot", "arm"},
			""},
		"no file":     {"", []string{"--device", "rear"}, ""},
		"broken file": {"robot: [", []string{"--device", "rear"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Chdir(folder)
			t.Setenv("WALDO_ACCESS_FILE", filepath.Join(folder, "access.json"))
			if tt.file != "" {
				rewrite(t, filepath.Join(folder, "robot.yaml"), tt.file)
			}
			code, out, said := waldo(t, append([]string{"token", "create", "cam", "--role", "service"}, tt.args...)...)
			if code != 0 || out == "" || strings.Contains(said, "warning:") != (tt.says != "") ||
				!strings.Contains(said, tt.says) {
				t.Errorf("%d, %q", code, said)
			}
		})
	}
}
