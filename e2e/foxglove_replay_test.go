package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// TestFoxgloveOutlivesCrashes: the session of a client of Foxglove's own package, which ends with its connection, goes
// on while the player of a replay and its devices are killed: what is recorded comes again from the process that
// follows.
func TestFoxgloveOutlivesCrashes(t *testing.T) {
	replay := startReplay(t, "--loop", recordDrive(t, 3*time.Second))
	client := harness.StartPuppet(t, "node", "readers/foxglove.mjs", looked{replay.URL + "/foxglove", "foxglove.sdk.v1",
		[]string{"/front/video", "/motors/rx"}})
	flows := func() {
		t.Helper()
		client.Discard()
		for range 30 {
			client.Await(t, "/front/video")
		}
		for range 5 {
			client.Await(t, "/motors/rx")
		}
	}
	flows()
	for _, name := range []string{"player", "front", "motors"} {
		before := replay.Device(t, name)
		harness.Crash(t, before.PID)
		harness.Until(t, "another process is "+name, func() error {
			if replay.Device(t, name).Epoch == before.Epoch {
				return errors.New("it is the same process")
			}
			return nil
		})
		flows()
	}
	if state := player(t, replay, "GetPlayer"); !state.GetPlaying() || !state.GetLoop() {
		t.Errorf("the player goes on as %v", state)
	}
}
