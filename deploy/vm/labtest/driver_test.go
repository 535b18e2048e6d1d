package labtest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

// The camera service's own tests of its V4L2 driver, which run against a simulated kernel elsewhere, here against the
// real one.
func TestDriverConformance(t *testing.T) {
	requireLab(t)
	for name, there := range map[string]func(*testing.T) string{
		"vivid":    loadVivid,
		"uvcvideo": func(t *testing.T) string { _, device := plugIn(t, uvcsim.New()); return device },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "./v4l2.test", "-test.v", "-test.run=^TestConformanceOfARealCamera$")
			cmd.Env = append(os.Environ(), "WALDO_CAMERA="+there(t))
			out, err := cmd.CombinedOutput()
			t.Logf("\n%s", out)
			if err != nil {
				t.Error(err)
			}
			if passed := strings.Count(string(out), "--- PASS: "); passed < 2 || strings.Contains(string(out), "--- SKIP") {
				t.Errorf("%d tests passed and some may have been skipped: nothing is proven", passed)
			}
		})
	}
}

// Faults injected into the driver while somebody watches: the call stays open, and pictures resume.
func TestDriverFaults(t *testing.T) {
	requireLab(t)
	device := loadVivid(t)
	p := startCamera(t, firstAddress, "--source", device, "--format", "NV12", "--width", "320", "--height", "180",
		"--fps", "15")
	before := p.awaitReady()
	r := p.read(raw("I420", 320, 180))
	r.next()

	t.Run("half of the pictures lost", func(t *testing.T) {
		command(t, "v4l2-ctl", "-d", device, "--set-ctrl=percentage_of_dropped_buffers=50")
		checkMovingPictures(t, r, 320*180*3/2)
		command(t, "v4l2-ctl", "-d", device, "--set-ctrl=percentage_of_dropped_buffers=0")
	})
	t.Run("stream broken", func(t *testing.T) {
		command(t, "v4l2-ctl", "-d", device, "--set-ctrl=inject_fatal_streaming_error=1")
		p.awaitAway(device)
		sameProcess(t, before, p.awaitReady())
		checkMovingPictures(t, r, 320*180*3/2)
	})
	t.Run("no buffers once", func(t *testing.T) { // when the next capture starts
		command(t, "v4l2-ctl", "-d", device, "--set-ctrl=inject_vidioc_reqbufs_error=1,inject_fatal_streaming_error=1")
		p.awaitAway(device)
		sameProcess(t, before, p.awaitReady())
		checkMovingPictures(t, r, 320*180*3/2)
	})
}
