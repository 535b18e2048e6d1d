package socket

import (
	"net"
	"sync"
	"syscall"
)

// descriptor is the descriptor of a socket. It is used beside package net, which lets only one goroutine send at a
// time.
type descriptor struct {
	raw  syscall.RawConn
	v6   bool
	cuts bool // the system can cut packets

	mu     sync.RWMutex // held while fd is used
	fd     uintptr
	closed bool
}

// describe returns the descriptor of a socket, which must be closed by its close.
func describe(c *net.UDPConn) (*descriptor, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &descriptor{raw: raw}
	return d, raw.Control(func(fd uintptr) {
		local, _ := syscall.Getsockname(int(fd)) // nil is IPv4, which a socket of IPv6 would refuse
		_, d.v6 = local.(*syscall.SockaddrInet6)
		d.fd, d.cuts = fd, supported && joins(int(fd))
	})
}

// close closes the socket when nobody uses its descriptor.
func (d *descriptor) close(c *net.UDPConn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return c.Close()
}

// send sends some parts of a run, as packets of a size or with none as one.
func (d *descriptor) send(r *Run, from, until, size int) syscall.Errno {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return syscall.EBADF
	}
	happenBefore()
	return r.send(d.fd, from, until, size)
}

// sendEach sends packets of a run from one on, each as a message of its own.
func (d *descriptor) sendEach(r *Run, from int) (int, syscall.Errno) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return 0, syscall.EBADF
	}
	happenBefore()
	return r.sendEach(d.fd, from)
}

// later makes a call when the socket has room.
func (d *descriptor) later(name string, call func(fd uintptr) syscall.Errno) error {
	var errno syscall.Errno
	err := d.raw.Write(func(fd uintptr) bool {
		errno = call(fd)
		return errno != syscall.EAGAIN
	})
	return cause(name, err, errno)
}

// direct makes the system calls of a socket. It implements calls.
type direct struct{ *descriptor }

func (d *direct) segments(r *Run) error { return d.sendParts(r, 0, len(r.parts), r.size) }

func (d *direct) single(r *Run, i int) error { return d.sendParts(r, i*r.pieces, (i+1)*r.pieces, 0) }

func (d *direct) sendParts(r *Run, from, until, size int) error {
	errno := d.send(r, from, until, size)
	if errno != syscall.EAGAIN {
		return cause("sendmsg", nil, errno)
	}
	return d.later("sendmsg", func(fd uintptr) syscall.Errno { return r.send(fd, from, until, size) })
}

func (d *direct) messages(r *Run, from int) (int, error) {
	n, errno := d.sendEach(r, from)
	if errno != syscall.EAGAIN {
		return n, cause("sendmmsg", nil, errno)
	}
	return d.messagesLater(r, from)
}

func (d *direct) messagesLater(r *Run, from int) (n int, err error) {
	err = d.later("sendmmsg", func(fd uintptr) (errno syscall.Errno) {
		n, errno = r.sendEach(fd, from)
		return errno
	})
	return n, err
}
