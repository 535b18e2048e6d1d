package window

import (
	"errors"
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/xvfb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const escape, space = 0xff1b, 0x20

// open opens a window on a screen of its own.
func open(t *testing.T, without ...string) (*Window, *xvfb.Window) {
	t.Helper()
	screen := xvfb.Start(t, without...)
	w, err := Open("waldo: test", 320, 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, screen.Window("waldo: test")
}

// flag is a picture of three stripes.
func flag(width, height int) *Picture {
	p := NewPicture(width, height)
	for i := 0; i < len(p.Pix); i += 4 {
		stripe := i / 4 / width * 3 / height
		p.Pix[i+2-stripe] = 200
	}
	return p
}

// colors is what a flag looks like.
func colors(width, height int) map[image.Point]color.RGBA {
	return map[image.Point]color.RGBA{
		{0, 0}: {R: 200}, {width - 1, height/3 - 1}: {R: 200}, {width / 2, height / 2}: {G: 200},
		{0, height - 1}: {B: 200}, {width - 1, height - 1}: {B: 200},
	}
}

// TestShow: pictures are on the screen pixel by pixel, by shared memory and without it, in every size, and
// after they were covered.
func TestShow(t *testing.T) {
	for name, without := range map[string][]string{"shared memory": nil, "sent": {"MIT-SHM"}} {
		t.Run(name, func(t *testing.T) {
			w, seen := open(t, without...)
			if err := w.Show(flag(320, 200)); err != nil {
				t.Fatal(err)
			}
			if _, shares := w.surface.(*shared); shares != (without == nil) {
				t.Errorf("the surface is a %T", w.surface)
			}
			seen.Until("it is shown", 320, 200, colors(320, 200))
			seen.Cover()
			seen.Until("it is shown again", 320, 200, colors(320, 200))
			seen.Resize(701, 503)
			for begin := time.Now(); ; time.Sleep(time.Millisecond) {
				if width, height := w.Size(); width == 701 && height == 503 {
					break
				}
				if time.Since(begin) > xvfb.Patience {
					t.Fatal("the window does not know its size")
				}
			}
			for range 3 {
				if err := w.Show(flag(701, 503)); err != nil {
					t.Fatal(err)
				}
			}
			seen.Until("it is larger", 701, 503, colors(701, 503))
		})
	}
}

// TestPeopleEndIt with ESC, and as they close windows. No other key does.
func TestPeopleEndIt(t *testing.T) {
	for name, end := range map[string]func(*xvfb.Window){
		"ESC": func(w *xvfb.Window) { w.Press(space); w.Press(escape) }, "closed": (*xvfb.Window).Delete,
	} {
		t.Run(name, func(t *testing.T) {
			w, seen := open(t)
			select {
			case <-w.Done():
				t.Fatal("it has ended")
			default:
			}
			end(seen)
			await(t, w.Done())
			if w.Gone() {
				t.Error("the display is said to have gone")
			}
			w.Close()
			if err := w.Show(flag(320, 200)); !errors.Is(err, errClosed) {
				t.Errorf("a closed window shows pictures: %v", err)
			}
			w.Close()
		})
	}
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(xvfb.Patience):
		t.Fatal("it does not end")
	}
}

// TestDisplayThatGoes ends the window, and nothing hangs.
func TestDisplayThatGoes(t *testing.T) {
	w, seen := open(t)
	if err := w.Show(flag(320, 200)); err != nil {
		t.Fatal(err)
	}
	seen.Stop()
	await(t, w.Done())
	if !w.Gone() {
		t.Error("it is not noticed")
	}
	_ = w.Show(flag(320, 200)) // it may fail, and returns
	_ = w.Show(flag(100, 100))
}

func TestNoDisplay(t *testing.T) {
	for display, says := range map[string]string{"": "DISPLAY is not set", ":4711": ":4711", "nonsense": "nonsense"} {
		t.Setenv("DISPLAY", display)
		if _, err := Open("x", 10, 10); !errors.Is(err, ErrNoDisplay) || !strings.Contains(err.Error(), says) {
			t.Errorf("DISPLAY=%q: %v", display, err)
		}
	}
}

func TestRoom(t *testing.T) {
	for _, tt := range []struct{ w, h, wantW, wantH int }{
		{640, 480, 640, 480}, {1600, 900, 800, 450}, {600, 1200, 300, 600}, {0, -1, 1, 1}, {8192, 1, 800, 1},
	} {
		if w, h := roomFor(tt.w, tt.h, 800, 600); w != tt.wantW || h != tt.wantH {
			t.Errorf("%dx%d becomes %dx%d, want %dx%d", tt.w, tt.h, w, h, tt.wantW, tt.wantH)
		}
	}
}
