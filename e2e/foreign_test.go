package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// What go2rtc passes on of a camera is shown, by RTSP and by RTMP, and again after go2rtc was killed.
func TestGo2rtc(t *testing.T) {
	camera, rtsp, rtmp := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
	fakeCamera(t, camera, "-clip", "high.h264")
	config := harness.WriteFile(t, "go2rtc.yaml", fmt.Sprintf(`api: {listen: ""}
rtsp: {listen: %q}
rtmp: {listen: %q}
webrtc: {listen: ""}
streams: {cam: "rtsp://%s/live"}
`, rtsp, rtmp, camera))
	program := harness.Go2rtc(t)
	relay := harness.Start(t, nil, program, "-config", config)
	robot := harness.StartRobot(t, harness.Options{Devices: fmt.Sprintf(`byrtsp: {kind: rtsp-ingest, url: "rtsp://%s/cam"}
		byrtmp: {kind: rtsp-ingest, url: "rtmp://%s/cam"}`, rtsp, rtmp)})
	devices := []string{"byrtsp", "byrtmp"}
	for _, device := range devices {
		awaitState(t, robot, device, "ready")
		if picture := robot.Waldo(t, "snapshot", device, "-o", "-"); !strings.HasPrefix(picture, "\xff\xd8") {
			t.Errorf("the snapshot of %s begins with %q", device, picture[:min(4, len(picture))])
		}
	}
	relay.Kill(t)
	for _, device := range devices {
		awaitState(t, robot, device, "away")
	}
	harness.Start(t, nil, program, "-config", config)
	for _, device := range devices {
		awaitState(t, robot, device, "ready")
	}
}

// awaitState waits until a device is in a state.
func awaitState(t *testing.T, robot *harness.Robot, device, state string) {
	t.Helper()
	harness.Until(t, device+" is "+state, func() error {
		for _, d := range robot.Devices(t) {
			if d.Name == device && d.State == state {
				return nil
			}
		}
		return fmt.Errorf("the devices are %v", robot.Devices(t))
	})
}
