package main

import (
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/pkg/bus/embedded"
	"github.com/waldo-robot/waldo/pkg/device"
)

// TestClearReplayed: a replay has nothing to clear, whatever its state says; beside it a live actuator is cleared.
func TestClearReplayed(t *testing.T) {
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Setenv("WALDO_NATS", server.URL())
	startTurret(t, server.URL(), "live", false)
	replayed := &turret{notice: make(chan struct{}, 1)}
	start := func(kit *device.Kit, c turretConfig) (device.Driver, error) {
		kit.SetAttributes(map[string]string{device.ReplayAttribute: "drive.mcap"})
		return replayed.start(kit, c)
	}
	p, err := device.Start(device.Kind[turretConfig]{Name: "turret", Version: "1.0.0", New: start},
		device.Settings{Robot: "demo", Device: "old", NATS: server.URL()}, turretConfig{State: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	ls(t, 2)
	code, _, said := waldo(t, "estop", "--clear")
	for _, want := range []string{"demo/live cleared", "demo/old is replayed from drive.mcap: nothing can be cleared"} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit %d, %q, want %q", code, said, want)
		}
	}
	if strings.Contains(said, "demo/old cleared") {
		t.Errorf("it says %q", said)
	}
}
