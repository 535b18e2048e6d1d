package window

import (
	"golang.org/x/sys/unix"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xproto"
)

// Picture is what a window shows: rows from the top, without gaps, of pixels B, G, R and one byte that does not count.
type Picture struct {
	Width, Height int
	Pix           []byte
}

// NewPicture returns a black picture.
func NewPicture(width, height int) *Picture {
	return &Picture{width, height, make([]byte, 4*width*height)}
}

// surface is where a picture is kept by the server, or for it.
type surface interface {
	// fits reports whether a picture has the size of the surface.
	fits(p *Picture) bool
	// draw puts a picture on it.
	draw(p *Picture, gc xproto.Gcontext)
	// copy shows it.
	copy(id xproto.Window, gc xproto.Gcontext)
	// free gives it back.
	free()
}

// newSurface makes a surface in shared memory, or in the server if it cannot share memory with this process.
func newSurface(conn *xgb.Conn, screen *xproto.ScreenInfo, id xproto.Window, width, height int) (surface, error) {
	if s, err := newShared(conn, screen, width, height); err == nil {
		return s, nil
	}
	return newPixmap(conn, screen, id, width, height)
}

// pixmap is a surface in the server.
type pixmap struct {
	conn          *xgb.Conn
	id            xproto.Pixmap
	depth         byte
	width, height int
}

func newPixmap(conn *xgb.Conn, screen *xproto.ScreenInfo, id xproto.Window, width, height int) (*pixmap, error) {
	p := &pixmap{conn: conn, depth: screen.RootDepth, width: width, height: height}
	var err error
	if p.id, err = xproto.NewPixmapId(conn); err != nil {
		return nil, err
	}
	return p, xproto.CreatePixmapChecked(conn, p.depth, p.id, xproto.Drawable(id), uint16(width), uint16(height)).Check()
}

func (p *pixmap) fits(q *Picture) bool { return q.Width == p.width && q.Height == p.height }

// maxRequest bounds a request in bytes; all servers take this much.
const maxRequest = 4 * 65535

func (p *pixmap) draw(q *Picture, gc xproto.Gcontext) {
	const head = 24
	row := 4 * q.Width
	rows := max(1, (maxRequest-head)/row) // a row has 32 KiB at most
	for y := 0; y < q.Height; y += rows {
		n := min(rows, q.Height-y)
		xproto.PutImage(p.conn, xproto.ImageFormatZPixmap, xproto.Drawable(p.id), gc, uint16(q.Width), uint16(n), 0, int16(y),
			0, p.depth, q.Pix[y*row:(y+n)*row])
	}
}

func (p *pixmap) copy(id xproto.Window, gc xproto.Gcontext) {
	xproto.CopyArea(p.conn, xproto.Drawable(p.id), xproto.Drawable(id), gc, 0, 0, 0, 0, uint16(p.width), uint16(p.height))
}

func (p *pixmap) free() { xproto.FreePixmap(p.conn, p.id) }

// shared is a surface in memory that this process shares with the server (MIT-SHM).
type shared struct {
	conn          *xgb.Conn
	segment       shm.Seg
	memory        []byte
	depth         byte
	width, height int
}

func newShared(conn *xgb.Conn, screen *xproto.ScreenInfo, width, height int) (s *shared, err error) {
	if err := shm.Init(conn); err != nil {
		return nil, err
	}
	s = &shared{conn: conn, depth: screen.RootDepth, width: width, height: height}
	memory, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4*width*height, unix.IPC_CREAT|0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _, _ = unix.SysvShmCtl(memory, unix.IPC_RMID, nil) }() // it goes with its last user
	if s.memory, err = unix.SysvShmAttach(memory, 0, 0); err != nil {
		return nil, err
	}
	if s.segment, err = shm.NewSegId(conn); err == nil {
		err = shm.AttachChecked(conn, s.segment, uint32(memory), true).Check()
	}
	if err != nil { // it is on another machine, or belongs to somebody else
		_ = unix.SysvShmDetach(s.memory)
		return nil, err
	}
	return s, nil
}

func (s *shared) fits(p *Picture) bool { return p.Width == s.width && p.Height == s.height }

// draw changes the memory: the server has read it when the last Show returned.
func (s *shared) draw(p *Picture, _ xproto.Gcontext) { copy(s.memory, p.Pix) }

func (s *shared) copy(id xproto.Window, gc xproto.Gcontext) {
	w, h := uint16(s.width), uint16(s.height)
	shm.PutImage(s.conn, xproto.Drawable(id), gc, w, h, 0, 0, w, h, 0, 0,
		s.depth, xproto.ImageFormatZPixmap, 0, s.segment, 0)
}

func (s *shared) free() {
	shm.Detach(s.conn, s.segment)
	_ = unix.SysvShmDetach(s.memory)
}
