package robot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

func TestFleet(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want robot.Fleet
	}{
		{"hub: tls://h", robot.Fleet{Hub: "tls://h:7422", Media: "tls://h:4222"}},
		{"hub: 'nats://[::1]:1', key: k", robot.Fleet{Hub: "nats://[::1]:1", Media: "nats://[::1]:4222", Key: "/etc/k"}},
		{"hub: tls://h:1, media: tls://m, ca: /c", robot.Fleet{Hub: "tls://h:1", Media: "tls://m:4222", CA: "/c"}},
	} {
		r, err := robot.Parse("/etc/robot.yaml", []byte("robot: a\ndevices: {f: {kind: a}}\nfleet: {"+tt.keys+"}\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.keys, err)
		} else if r.Fleet != tt.want || !r.Fleet.Given() {
			t.Errorf("%s: %+v, want %+v", tt.keys, r.Fleet, tt.want)
		}
	}
	if (&robot.Fleet{}).Given() {
		t.Error("nothing counts as given")
	}
}

func TestFleetKeyFile(t *testing.T) {
	folder := t.TempDir()
	environ := func(string) string { return folder }
	if _, err := (&robot.Fleet{}).KeyFile(environ); err == nil || !strings.Contains(err.Error(), "waldo hub key") {
		t.Errorf("no key: %v", err)
	}
	named := robot.Fleet{Key: "named"}
	credential := filepath.Join(folder, "hub.seed")
	// systemd makes an empty line by SetCredential
	for text, want := range map[string]string{"\n": "named", "SU": credential} {
		if err := os.WriteFile(credential, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := named.KeyFile(environ); err != nil || got != want {
			t.Errorf("with a credential %q: %q, %v, want %q", text, got, err, want)
		}
	}
}
