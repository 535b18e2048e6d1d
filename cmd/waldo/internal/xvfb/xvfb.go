// Package xvfb is a screen for tests: an X server without hardware (Debian's package xvfb), whose windows the test
// finds, reads, resizes and closes, and on whose keyboard it types.
package xvfb

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// Patience is how long is waited for what must happen.
const Patience = 30 * time.Second

// Screen is a running server.
type Screen struct {
	tb   testing.TB
	cmd  *exec.Cmd
	conn *xgb.Conn
	root xproto.Window
}

// Start runs a server of 800x600 pixels, with these extensions switched off, until the test ends, and sets DISPLAY.
func Start(tb testing.TB, without ...string) *Screen {
	tb.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		tb.Fatalf("%v: install the package xvfb (make deps-test)", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	args := []string{"-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp"}
	for _, name := range without {
		args = append(args, "-extension", name)
	}
	s := &Screen{tb: tb, cmd: exec.Command(path, args...)}
	s.cmd.ExtraFiles = []*os.File{w}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = s.cmd.Start()
	_ = w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		tb.Fatalf("Xvfb does not start: %v", err)
	}
	display := ":" + strings.TrimSpace(number)
	if t, ok := tb.(interface{ Setenv(key, value string) }); ok {
		t.Setenv("DISPLAY", display)
	}
	xgb.Logger = log.New(io.Discard, "", 0) // of an authority that such a server does not want, and of its end
	if s.conn, err = xgb.NewConnDisplay(display); err != nil {
		tb.Fatal(err)
	}
	if err := xtest.Init(s.conn); err != nil {
		tb.Fatal(err)
	}
	s.root = xproto.Setup(s.conn).DefaultScreen(s.conn).Root
	return s
}

// Stop ends the server, as a crash would. It may be called more than once.
func (s *Screen) Stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	if s.conn != nil {
		s.conn.Close()
		for event, err := s.conn.WaitForEvent(); event != nil || err != nil; event, err = s.conn.WaitForEvent() {
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it was killed
}

// until waits for something that cannot be waited for in a better way.
func (s *Screen) until(what string, ok func() error) {
	s.tb.Helper()
	deadline := time.Now().Add(Patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.tb.Fatalf("not within %v: %s: %v", Patience, what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Window is one on the screen.
type Window struct {
	*Screen
	id xproto.Window
}

// Window waits for the window with a title.
func (s *Screen) Window(title string) *Window {
	s.tb.Helper()
	w := &Window{Screen: s}
	s.until("there is a window "+title, func() error {
		tree, err := xproto.QueryTree(s.conn, s.root).Reply()
		if err != nil {
			return err
		}
		for _, id := range tree.Children {
			name, err := xproto.GetProperty(s.conn, false, id, xproto.AtomWmName, xproto.AtomString, 0, 100).Reply()
			if err == nil && string(name.Value) == title && w.visible(id) {
				w.id = id
				return nil
			}
		}
		return fmt.Errorf("there are %d others", len(tree.Children))
	})
	return w
}

func (s *Screen) visible(id xproto.Window) bool {
	a, err := xproto.GetWindowAttributes(s.conn, id).Reply()
	return err == nil && a.MapState == xproto.MapStateViewable
}

// Image returns what is in the window.
func (w *Window) Image() (*image.RGBA, error) {
	g, err := xproto.GetGeometry(w.conn, xproto.Drawable(w.id)).Reply()
	if err != nil {
		return nil, err
	}
	r, err := xproto.GetImage(w.conn, xproto.ImageFormatZPixmap, xproto.Drawable(w.id),
		0, 0, g.Width, g.Height, 1<<24-1).Reply()
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, int(g.Width), int(g.Height)))
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = r.Data[i+2], r.Data[i+1], r.Data[i], 255
	}
	return img, nil
}

// Until waits until the window has a size, and about these colors at these places.
func (w *Window) Until(what string, width, height int, colors map[image.Point]color.RGBA) *image.RGBA {
	w.tb.Helper()
	var img *image.RGBA
	w.until(what, func() (err error) {
		if img, err = w.Image(); err != nil {
			return err
		}
		if img.Rect.Dx() != width || img.Rect.Dy() != height {
			return fmt.Errorf("it is %v", img.Rect.Size())
		}
		for at, want := range colors {
			if got := img.RGBAAt(at.X, at.Y); !Close(got, want) {
				return fmt.Errorf("at %v is %v, not %v", at, got, want)
			}
		}
		return nil
	})
	return img
}

// Close reports whether two colors can hardly be told apart.
func Close(a, b color.RGBA) bool {
	near := func(a, b byte) bool { return max(a, b)-min(a, b) <= 16 }
	return near(a.R, b.R) && near(a.G, b.G) && near(a.B, b.B)
}

// Resize changes the inner size.
func (w *Window) Resize(width, height int) {
	w.tb.Helper()
	w.check(xproto.ConfigureWindowChecked(w.conn, w.id, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight,
		[]uint32{uint32(width), uint32(height)}).Check())
}

// Cover puts another window before it, and takes that away again.
func (w *Window) Cover() {
	w.tb.Helper()
	id, err := xproto.NewWindowId(w.conn)
	w.check(err)
	w.check(xproto.CreateWindowChecked(w.conn, 0, id, w.root, 0, 0, 800, 600, 0, xproto.WindowClassInputOutput, 0,
		xproto.CwBackPixel, []uint32{0x123456}).Check())
	w.check(xproto.MapWindowChecked(w.conn, id).Check())
	w.check(xproto.DestroyWindowChecked(w.conn, id).Check())
}

// Delete asks the window to close, as a window manager does.
func (w *Window) Delete() {
	w.tb.Helper()
	atom := func(name string) xproto.Atom {
		r, err := xproto.InternAtom(w.conn, false, uint16(len(name)), name).Reply()
		w.check(err)
		return r.Atom
	}
	event := xproto.ClientMessageEvent{Format: 32, Window: w.id, Type: atom("WM_PROTOCOLS"),
		Data: xproto.ClientMessageDataUnionData32New([]uint32{uint32(atom("WM_DELETE_WINDOW")), 0, 0, 0, 0})}
	w.check(xproto.SendEventChecked(w.conn, false, w.id, 0, string(event.Bytes())).Check())
}

// Press presses and releases the key with a keysym while the window has the keyboard.
func (w *Window) Press(keysym xproto.Keysym) {
	w.tb.Helper()
	w.check(xproto.SetInputFocusChecked(w.conn, xproto.InputFocusParent, w.id, xproto.TimeCurrentTime).Check())
	setup := xproto.Setup(w.conn)
	keys, err := xproto.GetKeyboardMapping(w.conn, setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode+1)).Reply()
	w.check(err)
	for i, sym := range keys.Keysyms {
		if sym == keysym {
			code := byte(setup.MinKeycode) + byte(i/int(keys.KeysymsPerKeycode))
			w.check(xtest.FakeInputChecked(w.conn, xproto.KeyPress, code, 0, w.root, 0, 0, 0).Check())
			w.check(xtest.FakeInputChecked(w.conn, xproto.KeyRelease, code, 0, w.root, 0, 0, 0).Check())
			return
		}
	}
	w.check(errors.New("the keyboard has no such key"))
}

func (w *Window) check(err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}
