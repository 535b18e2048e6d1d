package e2e

import (
	"debug/buildinfo"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestNobodyButTheLauncherLinksTheServer reads from the built programs which modules they link.
func TestNobodyButTheLauncherLinksTheServer(t *testing.T) {
	for program, want := range map[string]bool{
		"waldo": true, "waldo-audio": false, "waldo-camera": false, "waldo-gateway": false, "waldo-input": false,
		"waldo-serial": false,
	} {
		if links(t, program, "github.com/nats-io/nats-server/v2") != want {
			t.Errorf("%s links the NATS server: %v, want %v; pkg/bus/embedded is for the launcher and tests", program, !want,
				want)
		}
		if !links(t, program, "github.com/nats-io/nats.go") {
			t.Errorf("%s links no NATS client: this test is blind", program)
		}
	}
}

func links(t *testing.T, program, module string) bool {
	t.Helper()
	info, err := buildinfo.ReadFile(harness.Bin(t, program))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return true
		}
	}
	return false
}
