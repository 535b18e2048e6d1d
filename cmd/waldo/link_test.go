package main

import (
	"os"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/pkg/device"
	"github.com/waldo-robot/waldo/pkg/identity"
)

func TestLinkCommand(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", t.TempDir())
	t.Setenv("WALDO_TOKEN", "")
	const robot = "robot: rover\ndevices: {f: {kind: camera}}\n"
	near := launchtest.WriteRobot(t, robot)
	far := launchtest.WriteRobot(t, robot+"gateway: {rendezvous: {url: \"https://example.org\"}}\n")
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"link", near}, "gateway.rendezvous.url"},
		{[]string{"link", far}, "run it once"},
		{[]string{"link", "--token", far}, "WALDO_TOKEN"},
	} {
		code, out, err := waldo(t, tt.args...)
		if code != device.ExitConfiguration || out != "" || !strings.Contains(err, tt.says) {
			t.Errorf("%q: %d, %s%s", tt.args, code, out, err)
		}
	}
	path, err := identity.Path("rover", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Load(path) // as the gateway does
	if err != nil {
		t.Fatal(err)
	}
	want := "https://example.org/r/rover/#key=" + key.Fingerprint()
	if code, out, err := waldo(t, "link", far); code != 0 || out != want+"\n" {
		t.Errorf("%d, %s%s", code, out, err)
	}
	t.Setenv("WALDO_TOKEN", secret)
	if code, out, err := waldo(t, "link", "--token", far); code != 0 || out != want+"&token="+secret+"\n" {
		t.Errorf("%d, %s%s", code, out, err)
	}
}
