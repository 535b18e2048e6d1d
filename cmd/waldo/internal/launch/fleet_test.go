package launch

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/robot"
)

// TestLeafWithoutKey: who has no key yet is told how to make one.
func TestLeafWithoutKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hub.seed")
	_, err := Leaf(&robot.Robot{Name: "rover", Fleet: robot.Fleet{Hub: "tls://hub.example.org:7422", Key: file}}, nil)
	for _, want := range []string{"fleet.key", file, "waldo hub key"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
