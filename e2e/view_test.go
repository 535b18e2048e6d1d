package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/waldo-robot/waldo/e2e/harness"
)

// display is a screen without hardware.
type display struct {
	name string
}

func startDisplay(t *testing.T) *display {
	t.Helper()
	server := harness.Start(t, nil, "Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp")
	d := &display{}
	harness.Until(t, "the screen is there", func() error {
		number, _, whole := strings.Cut(server.Output(), "\n")
		if !whole {
			return fmt.Errorf("it says %q", server.Output())
		}
		d.name = ":" + number
		return nil
	})
	return d
}

// pixels returns what is on the screen, as ffmpeg sees it: rows of R, G, B.
func (d *display) pixels() ([]byte, error) {
	return exec.Command("ffmpeg", "-v", "error", "-f", "x11grab", "-draw_mouse", "0", "-video_size", "800x600",
		"-i", d.name, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-").Output()
}

// showsCard waits until the moving test card of 640x480 is on the screen, and has moved.
func (d *display) showsCard(t *testing.T) {
	t.Helper()
	last := ""
	harness.Until(t, "the test card moves", func() error {
		data, err := d.pixels()
		if err != nil {
			return err
		}
		at := func(x, y int) [3]byte { return [3]byte(data[3*(y*800+x):]) }
		for i, want := range [][3]byte{
			{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0}, {191, 0, 191}, {191, 0, 0}, {0, 0, 191},
		} {
			got := at(640*(2*i+1)/14, 480*23/100)
			for c := range 3 {
				if max(got[c], want[c])-min(got[c], want[c]) > 24 {
					return fmt.Errorf("bar %d is %v, want %v", i, got, want)
				}
			}
		}
		now := string(data)
		if last == "" || now == last {
			last = now
			return fmt.Errorf("it stands still")
		}
		return nil
	})
}

// TestView looks at a real camera, whose process is killed meanwhile.
func TestView(t *testing.T) {
	d := startDisplay(t)
	robot := harness.StartRobot(t, harness.Options{Devices: cameraAlone})
	front := robot.Device(t, "front")
	view := harness.Start(t, []string{"DISPLAY=" + d.name, "WALDO_NATS=" + robot.NATS},
		harness.Bin(t, "waldo"), "view", "front")
	for range 2 {
		d.showsCard(t)
		harness.Crash(t, front.PID)
		harness.Until(t, "the camera is back", func() error {
			now := robot.Device(t, "front")
			if now.Epoch == front.Epoch || now.State != "ready" {
				return fmt.Errorf("it is %+v", now)
			}
			front = now
			return nil
		})
	}
	d.showsCard(t)
	if code := view.Stop(t); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

// TestViewFromElsewhere: the devices of a robot listen on its loopback, so a viewer on another machine reads the bus.
func TestViewFromElsewhere(t *testing.T) {
	network := harness.StartNetwork(t)
	d := startDisplay(t)
	token := "WALDO_TOKEN=" + harness.Token
	bus := network.Machine(t)
	harness.Start(t, []string{token}, harness.Bin(t, "waldo"), "bus", "--listen", bus)
	harness.StartRobot(t, harness.Options{NATS: "nats://" + bus, Env: []string{token}, Devices: cameraAlone})
	program, args := network.Command(harness.Bin(t, "waldo"), "view", "front", "--nats", "nats://"+bus)
	view := harness.Start(t, []string{"DISPLAY=" + d.name, token}, program, args...)
	d.showsCard(t)
	if code := view.Stop(t); code != 0 {
		t.Errorf("it ends with %d:\n%s", code, view.Output())
	}
}
