package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Stream returns a connection that reads and writes through c. A connection without a socket of its own, such as one
// of TLS, is returned as it is.
func Stream(c net.Conn) net.Conn {
	owner, ok := c.(syscall.Conn)
	if !ok || !supported {
		return c
	}
	raw, err := owner.SyscallConn()
	if err != nil {
		return c
	}
	s := &stream{Conn: c, raw: raw}
	s.in.step, s.out.step = s.in.receive, s.out.send
	return s
}

type stream struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer
}

// SyscallConn implements [syscall.Conn].
func (s *stream) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// Read implements [io.Reader].
func (s *stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno, err := s.in.run(s.raw.Read, b)
	switch {
	case err != nil || errno != 0:
		return 0, s.failed("read", "recv", err, errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements [io.Writer].
func (s *stream) Write(b []byte) (int, error) {
	n, errno, err := s.out.run(s.raw.Write, b)
	if err != nil || errno != 0 {
		return n, s.failed("write", "send", err, errno)
	}
	return n, nil
}

// failed returns the error that package net would return.
func (s *stream) failed(op, call string, err error, errno syscall.Errno) error {
	local := s.LocalAddr()
	return &net.OpError{Op: op, Net: local.Network(), Source: local, Addr: s.RemoteAddr(), Err: cause(call, err, errno)}
}

// cause is why a call failed: waiting for the socket did, with err, or the call itself, with errno. It is nil if
// neither did.
func cause(call string, err error, errno syscall.Errno) error {
	if opErr, ok := errors.AsType[*net.OpError](err); ok { // of the raw connection, which names the operation differently
		return opErr.Err
	}
	switch {
	case err != nil:
		return err
	case errno == 0:
		return nil
	case errno == syscall.EBADF: // closed meanwhile
		return net.ErrClosed
	}
	return os.NewSyscallError(call, errno)
}

// transfer is the current call in one direction. It is kept so that a call allocates nothing.
type transfer struct {
	mu    sync.Mutex
	data  []byte
	n     int
	errno syscall.Errno
	step  func(fd uintptr) (done bool)
}

// run calls step until it is done, and waits for the socket in between.
func (t *transfer) run(wait func(func(uintptr) bool) error, data []byte) (int, syscall.Errno, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data, t.n, t.errno = data, 0, 0
	err := wait(t.step)
	t.data = nil
	return t.n, t.errno, err
}

func (t *transfer) receive(fd uintptr) bool {
	t.n, t.errno = receive(fd, t.data)
	happenAfter(fd)
	return t.errno != syscall.EAGAIN
}

// send sends everything. What a socket has no room for follows when it has.
func (t *transfer) send(fd uintptr) bool {
	happenBefore()
	for len(t.data) > 0 {
		n, errno := send(fd, t.data)
		if t.errno = errno; errno != 0 {
			return errno != syscall.EAGAIN
		}
		t.n, t.data = t.n+n, t.data[n:]
	}
	return true
}
