package window

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// ErrNoDisplay says that there is nothing to show a window on.
var ErrNoDisplay = errors.New("no X11 display")

var errClosed = errors.New("the window is closed")

// quiet switches off the log of the library: what matters comes back as an error.
var quiet = sync.OnceFunc(func() { xgb.Logger = log.New(io.Discard, "", 0) })

// keyEscape is the keysym of ESC.
const keyEscape = 0xff1b

// maxSide bounds a window, in pixels.
const maxSide = 8192

// Window is described in the package comment.
type Window struct {
	conn   *xgb.Conn
	screen *xproto.ScreenInfo
	id     xproto.Window
	gc     xproto.Gcontext

	escape    map[xproto.Keycode]bool
	protocols xproto.Atom // WM_PROTOCOLS
	remove    xproto.Atom // WM_DELETE_WINDOW

	done, ended chan struct{} // see Done; the goroutine has ended
	leave       sync.Once

	mu            sync.Mutex // held while something is drawn
	width, height int
	surface       surface // nil before the first picture
	closed        bool    // by Close
	gone          bool    // the connection has ended by itself
}

// Open opens a window with an inner size in pixels, which people may change. It is smaller, in the same shape, if it
// would take more than nine tenths of the screen. The error wraps ErrNoDisplay if there is no display, or it refuses.
func Open(title string, width, height int) (*Window, error) {
	if os.Getenv("DISPLAY") == "" {
		return nil, fmt.Errorf("%w: DISPLAY is not set", ErrNoDisplay)
	}
	quiet()
	conn, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoDisplay, os.Getenv("DISPLAY"), err)
	}
	w := &Window{
		conn: conn, screen: xproto.Setup(conn).DefaultScreen(conn), done: make(chan struct{}), ended: make(chan struct{}),
	}
	w.width, w.height = roomFor(width, height, int(w.screen.WidthInPixels)*9/10, int(w.screen.HeightInPixels)*9/10)
	err = w.checkColors()
	if err == nil {
		err = w.create(title)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	go w.listen()
	return w, nil
}

// roomFor is a size, or one in the same shape that fits.
func roomFor(width, height, mostWidth, mostHeight int) (w, h int) {
	w, h = max(width, 1), max(height, 1)
	if w > mostWidth {
		w, h = mostWidth, h*mostWidth/w
	}
	if h > mostHeight {
		w, h = w*mostHeight/h, mostHeight
	}
	return min(max(w, 1), maxSide), min(max(h, 1), maxSide)
}

// checkColors checks that pixels are what [Picture] has.
func (w *Window) checkColors() error {
	setup := xproto.Setup(w.conn)
	for _, f := range setup.PixmapFormats {
		if f.Depth == w.screen.RootDepth && f.BitsPerPixel != 32 {
			return fmt.Errorf("%w: pixels have %d bits, want 32", ErrNoDisplay, f.BitsPerPixel)
		}
	}
	for _, depth := range w.screen.AllowedDepths {
		for _, v := range depth.Visuals {
			if v.VisualId == w.screen.RootVisual && v.RedMask == 0xff0000 && v.GreenMask == 0xff00 && v.BlueMask == 0xff &&
				setup.ImageByteOrder == xproto.ImageOrderLSBFirst {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: it has a depth of %d and pixels that are not B, G, R", ErrNoDisplay, w.screen.RootDepth)
}

// create puts the window on the screen.
func (w *Window) create(title string) (err error) {
	if w.id, err = xproto.NewWindowId(w.conn); err != nil {
		return err
	}
	events := uint32(xproto.EventMaskExposure | xproto.EventMaskStructureNotify | xproto.EventMaskKeyPress)
	err = xproto.CreateWindowChecked(w.conn, w.screen.RootDepth, w.id, w.screen.Root, 0, 0, uint16(w.width),
		uint16(w.height), 0, xproto.WindowClassInputOutput, w.screen.RootVisual,
		xproto.CwBackPixel|xproto.CwEventMask, []uint32{w.screen.BlackPixel, events}).Check()
	if err != nil {
		return fmt.Errorf("open a window: %w", err)
	}
	if w.gc, err = xproto.NewGcontextId(w.conn); err != nil {
		return err
	}
	if err = xproto.CreateGCChecked(w.conn, w.gc, xproto.Drawable(w.id), 0, nil).Check(); err != nil {
		return err
	}
	if err = w.name(title); err != nil {
		return err
	}
	if err = w.findEscape(); err != nil {
		return err
	}
	return xproto.MapWindowChecked(w.conn, w.id).Check()
}

// name tells the window manager what the window is, and that it wants to be told when people close it.
func (w *Window) name(title string) error {
	atoms := map[string]xproto.Atom{}
	for _, name := range []string{"WM_PROTOCOLS", "WM_DELETE_WINDOW", "_NET_WM_NAME", "UTF8_STRING"} {
		r, err := xproto.InternAtom(w.conn, false, uint16(len(name)), name).Reply()
		if err != nil {
			return err
		}
		atoms[name] = r.Atom
	}
	w.protocols, w.remove = atoms["WM_PROTOCOLS"], atoms["WM_DELETE_WINDOW"]
	text := func(property, kind xproto.Atom, value string) {
		xproto.ChangeProperty(w.conn, xproto.PropModeReplace, w.id, property, kind, 8, uint32(len(value)), []byte(value))
	}
	text(xproto.AtomWmName, xproto.AtomString, title)
	text(atoms["_NET_WM_NAME"], atoms["UTF8_STRING"], title)
	text(xproto.AtomWmClass, xproto.AtomString, "waldo\x00Waldo\x00")
	remove := make([]byte, 4)
	xgb.Put32(remove, uint32(w.remove))
	return xproto.ChangePropertyChecked(w.conn, xproto.PropModeReplace, w.id, w.protocols, xproto.AtomAtom, 32, 1,
		remove).Check()
}

// findEscape finds the keys that mean ESC.
func (w *Window) findEscape() error {
	setup := xproto.Setup(w.conn)
	count := byte(setup.MaxKeycode - setup.MinKeycode + 1)
	r, err := xproto.GetKeyboardMapping(w.conn, setup.MinKeycode, count).Reply()
	if err != nil {
		return err
	}
	w.escape = map[xproto.Keycode]bool{}
	for i, sym := range r.Keysyms {
		if sym == keyEscape {
			w.escape[setup.MinKeycode+xproto.Keycode(i/int(r.KeysymsPerKeycode))] = true
		}
	}
	return nil
}

// listen handles what the server says until the connection is closed.
func (w *Window) listen() {
	defer close(w.ended)
	defer w.leave.Do(func() { close(w.done) })
	for {
		event, err := w.conn.WaitForEvent()
		if event == nil && err == nil {
			w.mu.Lock()
			w.gone = !w.closed
			w.mu.Unlock()
			return
		}
		switch e := event.(type) { // errors are of what has been drawn on a window that is gone
		case xproto.KeyPressEvent:
			if w.escape[e.Detail] {
				w.leave.Do(func() { close(w.done) })
			}
		case xproto.ClientMessageEvent:
			if e.Type == w.protocols && e.Format == 32 && xproto.Atom(e.Data.Data32[0]) == w.remove {
				w.leave.Do(func() { close(w.done) })
			}
		case xproto.DestroyNotifyEvent:
			w.leave.Do(func() { close(w.done) })
		case xproto.ConfigureNotifyEvent:
			w.resize(int(e.Width), int(e.Height))
		case xproto.ExposeEvent:
			w.expose()
		}
	}
}

func (w *Window) resize(width, height int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.width, w.height = min(max(width, 1), maxSide), min(max(height, 1), maxSide)
}

// expose draws the last picture again.
func (w *Window) expose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.surface != nil && !w.closed {
		w.surface.copy(w.id, w.gc)
	}
}

// Size is the inner size in pixels.
func (w *Window) Size() (width, height int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.width, w.height
}

// Done is closed when people have ended the window, or the display has gone.
func (w *Window) Done() <-chan struct{} { return w.done }

// Gone reports whether the display has gone.
func (w *Window) Gone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

// Show draws a picture, which begins in the upper left corner, and returns when the server has it.
func (w *Window) Show(p *Picture) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	if w.surface == nil || !w.surface.fits(p) {
		if w.surface != nil {
			w.surface.free()
		}
		var err error
		if w.surface, err = newSurface(w.conn, w.screen, w.id, p.Width, p.Height); err != nil {
			w.surface = nil
			return fmt.Errorf("make room for a picture of %dx%d: %w", p.Width, p.Height, err)
		}
	}
	w.surface.draw(p, w.gc)
	w.surface.copy(w.id, w.gc)
	w.conn.Sync()
	return nil
}

// Close takes the window off the screen, and returns when nothing runs any more.
func (w *Window) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		if w.surface != nil {
			w.surface.free()
		}
		w.conn.Close()
	}
	w.mu.Unlock()
	<-w.ended
}
