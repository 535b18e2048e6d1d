package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/launchtest"
	"github.com/waldo-robot/waldo/cmd/waldo/internal/xvfb"
	"github.com/waldo-robot/waldo/pkg/bus/embedded"
)

// keysyms
const keyEscape, keySpace = 0xff1b, 0x20

// eyeUp runs a robot with a camera `front` until the test ends, and sets WALDO_NATS.
func eyeUp(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", launchtest.Install(t, "waldo-eye")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	server, err := embedded.Start(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Setenv("WALDO_NATS", server.URL())
	file := launchtest.WriteRobot(t, "robot: demo\ndevices:\n  front: {kind: eye, grpc: \"127.0.0.1:0\"}\n")
	ctx, cancel := context.WithCancel(t.Context())
	var up sync.WaitGroup
	log := &lines{}
	up.Go(func() { run(ctx, []string{"up", "--no-gateway", file}, console{&bytes.Buffer{}, log}) })
	t.Cleanup(func() {
		cancel()
		up.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	ls(t, 1)
}

// view runs `waldo view` until it ends.
type view struct {
	t    *testing.T
	code chan int
	out  lines
}

// lines is what was printed.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(b)
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

func startView(t *testing.T, args ...string) *view {
	v := &view{t: t, code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var running sync.WaitGroup
	running.Go(func() { v.code <- run(ctx, append([]string{"view"}, args...), console{&bytes.Buffer{}, &v.out}) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return v
}

// says waits until something has been printed so many times.
func (v *view) says(what string, times int) {
	v.t.Helper()
	for begin := time.Now(); strings.Count(v.out.String(), what) < times; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > xvfb.Patience {
			v.t.Fatalf("it does not say %q %d times, but:\n%s", what, times, v.out.String())
		}
	}
}

// ends waits for the exit code.
func (v *view) ends(want int) {
	v.t.Helper()
	select {
	case code := <-v.code:
		if code != want {
			v.t.Errorf("it ends with %d, want %d:\n%s", code, want, v.out.String())
		}
	case <-time.After(xvfb.Patience):
		v.t.Fatal("it does not end")
	}
}

// wall is what the window of an eye shows: a color in a place of this size, with black around it.
func wall(c color.RGBA, width, height, left, top int) map[image.Point]color.RGBA {
	places := map[image.Point]color.RGBA{
		{left + 1, height - top - 2}: c, {width - left - 2, height - top - 2}: c, {width / 2, height / 2}: c,
		{width - left - 2, height/2 + 1}: c,
	}
	if left > 0 {
		places[image.Pt(left-2, height/2)], places[image.Pt(width-left+1, height-1)] = color.RGBA{}, color.RGBA{}
	}
	return places
}

// captioned reports whether there is light text on dark ground in the corner.
func captioned(img *image.RGBA) bool {
	dark, light := false, false
	for y := range 24 {
		for x := range 60 {
			c := img.RGBAAt(x, y)
			dark, light = dark || max(c.R, c.G, c.B) < 80, light || min(c.R, c.G, c.B) > 200
		}
	}
	return dark && light
}

// TestView is what people see: the picture in the size of the camera, then in a window of another shape, and still
// there when the camera's process is killed, until its next life goes on.
func TestView(t *testing.T) {
	screen := xvfb.Start(t)
	eyeUp(t)
	v := startView(t, "front")
	w := screen.Window("waldo: demo/front")
	img := w.Until("the picture is shown", 160, 120, wall(launchtest.EyeRaw, 160, 120, 0, 0))
	if !captioned(img) {
		t.Error("there is no line in the corner")
	}
	v.says("pictures of front come", 1)
	w.Resize(400, 150)
	w.Until("it is shown in its shape", 400, 150, wall(launchtest.EyeRaw, 400, 150, 100, 0))
	w.Resize(100, 300) // smaller than the camera's own
	w.Until("a smaller one is shown", 100, 300, wall(launchtest.EyeRaw, 100, 300, 0, 112))

	for life := 1; life < 3; life++ {
		front := ls(t, 1)[0]
		if err := syscall.Kill(int(front.PID), syscall.SIGSTOP); err != nil { // so that it stays away for a while
			t.Fatal(err)
		}
		v.says("front is not running, or not reachable", life)
		w.Until("the last picture stays", 100, 300, wall(launchtest.EyeRaw, 100, 300, 0, 112))
		if err := syscall.Kill(int(front.PID), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		v.says("pictures of front come", life+1)
		if now := ls(t, 1)[0]; now.PID == front.PID || now.Epoch == front.Epoch {
			t.Fatalf("it is still %+v", now)
		}
	}
	w.Press(keySpace)
	w.Press(keyEscape)
	v.ends(0)
}

// TestViewOverTheBus reads JPEG, in a window of a size that is asked for, and ends when the window is closed.
func TestViewOverTheBus(t *testing.T) {
	screen := xvfb.Start(t, "MIT-SHM")
	eyeUp(t)
	v := startView(t, "demo/front", "--stream", "video-jpeg", "--size", "320x240", "--fps", "10")
	w := screen.Window("waldo: demo/front")
	w.Until("the picture is shown", 320, 240, wall(launchtest.EyeJPEG, 320, 240, 0, 0))
	w.Delete()
	v.ends(0)
}

// TestViewIsStopped by a signal, which is no failure; a display that goes is one.
func TestViewIsStopped(t *testing.T) {
	screen := xvfb.Start(t)
	eyeUp(t)
	v := startView(t, "front", "--stream", "video")
	v.says(`front: the stream "video" is not one of JPEG; those are: video-jpeg`, 1)
	screen.Window("waldo: demo/front")
	screen.Stop()
	v.ends(1)
	v.says("waldo: the display has gone", 1)
}

// TestViewRefuses what cannot be shown, with a remedy.
func TestViewRefuses(t *testing.T) {
	eyeUp(t)
	for says, args := range map[string][]string{
		"DISPLAY is not set: run it in a desktop (Wayland's XWayland":    {"front"},
		"/mjpeg/front in a browser, or take a picture":                   {"front", "--size", "64x48"},
		`there is no device "rear" on the bus; there are: demo/front`:    {"rear"},
		`"64" is not a size: use one like 640x480`:                       {"front", "--size", "64"},
		`"0x48" is not a size`:                                           {"front", "--size", "0x48"},
		`"64x9000" is not a size: use one like 640x480, up to 8192x8192`: {"front", "--size", "64x9000"},
		"--fps: -1 is not a rate: use a number up to 1000":               {"front", "--fps=-1"},
		"--fps: NaN is not a rate":                                       {"front", "--fps=NaN"},
	} {
		t.Setenv("DISPLAY", "")
		code, out, err := waldo(t, append([]string{"view"}, args...)...)
		if !strings.Contains(err, says) || out != "" || code != 1 && code != exitUsage {
			t.Errorf("%q: %d, %q, %s, want %q", args, code, out, err, says)
		}
	}
	if code, _, err := waldo(t, "view", "front", "--nats", "nats://"+free(t), "--timeout", "100ms"); code != 1 ||
		!strings.Contains(err, "no bus at nats://") {
		t.Errorf("without a bus: %d, %s", code, err)
	}
}

func TestPictureSize(t *testing.T) {
	usual := windowSize{1280, 720}
	for text, want := range map[string]windowSize{
		"640x480": {640, 480}, "x": usual, "0x0": usual, "1e3x7": usual, "99999x1": usual,
	} {
		width, height, _ := strings.Cut(text, "x")
		if got := pictureSize(map[string]string{"width_px": width, "height_px": height}, usual); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if got := pictureSize(nil, usual); got != usual {
		t.Errorf("of a device without attributes: %v", got)
	}
}
