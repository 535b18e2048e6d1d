package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program installs a shell script as a program, and no other.
func program(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

// TestDiscover: the program for network cameras is asked, with a user that the list of processes does not show.
func TestDiscover(t *testing.T) {
	program(t, "waldo-rtsp-ingest", `echo "args: $@ user: $WALDO_USER password: $WALDO_PASSWORD"; echo note >&2`)
	t.Setenv("WALDO_PASSWORD", "hunter2")
	var out, notes strings.Builder
	if code := run(t.Context(), []string{"discover", "--user", "bob", "--wait", "1s", "--json", "10.0.0.7", "10.0.0.8"},
		console{&out, &notes}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	const want = "args: --discover --wait 1s --json -- 10.0.0.7 10.0.0.8 user: bob password: hunter2\nnote\n"
	if got := out.String() + notes.String(); got != want {
		t.Errorf("%q", got)
	}
}

func TestDiscoverFails(t *testing.T) {
	program(t, "waldo-rtsp-ingest", "echo because >&2; exit 1")
	var out, notes strings.Builder
	if code := run(t.Context(), []string{"discover"}, console{&out, &notes}); code != 1 ||
		!strings.HasPrefix(notes.String(), "because\n") {
		t.Errorf("%d, %q", code, notes.String())
	}
	program(t, "waldo-other", "")
	if code := run(t.Context(), []string{"discover"}, console{&out, &notes}); code != 1 ||
		!strings.Contains(notes.String(), "no program waldo-rtsp-ingest") {
		t.Errorf("%d, %q", code, notes.String())
	}
}
