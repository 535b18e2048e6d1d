package labtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/deploy/vm/uvcsim"
)

// patience bounds every wait of a test. It is generous: without KVM the guest is ten times slower than its host, and
// the host may be busy.
const patience = 60 * time.Second

// requireLab ends the test unless it runs in the guest.
func requireLab(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/etc/waldo-lab"); err == nil {
		return
	}
	if os.Getenv("WALDO_REQUIRE_HARDWARE") == "1" {
		t.Fatal("WALDO_REQUIRE_HARDWARE=1, but this is not the hardware lab's guest")
	}
	t.Skip("runs in the hardware lab only: make lab")
}

// command runs a program of the guest and returns its output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// eventually waits until condition holds and logs how long that took. It polls: the kernel's changes to a device do
// not come as events.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	start := time.Now()
	for !condition() {
		if time.Since(start) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%s after %.2f s", what, time.Since(start).Seconds())
}

// loadVivid loads the kernel's test driver with one camera and returns its device file.
func loadVivid(t *testing.T) string {
	t.Helper()
	command(t, "modprobe", "vivid", "n_devs=1", "node_types=0x1")
	t.Cleanup(func() {
		eventually(t, "vivid unloaded", func() bool { return exec.Command("rmmod", "vivid").Run() == nil })
	})
	return captureDevice(t, "vivid")
}

// plugIn plugs the simulated webcam in and returns its device file.
func plugIn(t *testing.T, c *uvcsim.Camera) (plugged *uvcsim.Plugged, device string) {
	t.Helper()
	command(t, "modprobe", "-a", "vhci-hcd", "uvcvideo")
	plugged, err := c.Attach()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unplug(t, plugged) })
	return plugged, captureDevice(t, uvcsim.Product)
}

// unplug pulls the webcam out, and returns when the kernel has noticed.
func unplug(t *testing.T, plugged *uvcsim.Plugged) {
	t.Helper()
	if err := plugged.Unplug(); err != nil {
		t.Errorf("webcam: %v", err)
	}
	eventually(t, "device files gone", func() bool { return len(devicesOf(uvcsim.Product)) == 0 })
}

// captureDevice waits for the camera whose name contains card and returns the device file of its pictures: the first
// of several.
func captureDevice(t *testing.T, card string) string {
	t.Helper()
	var device string
	eventually(t, card+" there", func() bool {
		all := devicesOf(card)
		if len(all) == 0 {
			return false
		}
		device = all[0]
		_, err := os.Stat(device)
		return err == nil
	})
	command(t, "udevadm", "settle")
	return device
}

// devicesOf returns the video device files whose name in sysfs contains card, in order.
func devicesOf(card string) []string {
	names, err := filepath.Glob("/sys/class/video4linux/video*/name")
	if err != nil {
		return nil
	}
	var devices []string
	for _, file := range names {
		if name, err := os.ReadFile(file); err == nil && strings.Contains(string(name), card) {
			devices = append(devices, "/dev/"+filepath.Base(filepath.Dir(file)))
		}
	}
	return devices
}
