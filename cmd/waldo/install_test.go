package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallRoot: what an image lacks is looked for in the image, and not on the machine that makes it.
func TestInstallRoot(t *testing.T) {
	root, file := t.TempDir(), "image/etc/waldo/robot.yaml"
	t.Chdir(root)
	t.Setenv("PATH", "/nowhere")
	image := filepath.Join(root, "image")
	code, _, said := waldo(t, "install", "--root", "image")
	if code != 1 || !strings.Contains(said, filepath.Join(root, file)) {
		t.Errorf("without a file: %d, %s", code, said)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("robot: demo\ndevices:\n  front: {kind: camera}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, said = waldo(t, "install", "--root", "image")
	for _, want := range []string{filepath.Join(root, file) + ":3: devices.front.kind: ", "in " + image + "/usr/bin or " +
		image + "/usr/local/bin (it is in the package waldo-camera)"} {
		if code != 78 || !strings.Contains(said, want) {
			t.Errorf("without programs: %d, %s, want %q", code, said, want)
		}
	}
}
