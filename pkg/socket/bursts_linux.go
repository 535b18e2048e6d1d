//go:build linux && (amd64 || arm || arm64 || riscv64)

package socket

import (
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// joinArrivals has the system join packets that arrive. Linux can since 5.0; without, they come one by one.
func joinArrivals(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) }

// part is a piece of memory that is sent.
type part unix.Iovec

func newPart(b []byte) part {
	p := unix.Iovec{Base: unsafe.SliceData(b)}
	p.SetLen(len(b))
	return part(p)
}

func (p part) bytes() []byte { return unsafe.Slice(p.Base, p.Len) }

// send sends some parts as packets of a size, or with none as one.
func (r *Run) send(fd uintptr, from, until, size int) syscall.Errno {
	parts := r.parts[from:until]
	m := unix.Msghdr{Name: &r.to.raw[0], Namelen: r.to.length, Iov: (*unix.Iovec)(unsafe.SliceData(parts))}
	m.SetIovlen(len(parts))
	var control segmentation
	if size > 0 {
		control.set(size)
		m.Control = (*byte)(unsafe.Pointer(&control))
		m.SetControllen(int(unsafe.Sizeof(control)))
	}
	for {
		_, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// messages are the arguments of sendmmsg(2).
var messages = sync.Pool{New: func() any { return new([maxJoined]arrived) }}

// sendEach sends packets from one on, each by a message of its own, and returns how many left.
func (r *Run) sendEach(fd uintptr, from int) (int, syscall.Errno) {
	all := messages.Get().(*[maxJoined]arrived)
	defer messages.Put(all)
	defer clear(all[:r.count-from])
	for i := from; i < r.count; i++ {
		m := &all[i-from]
		m.Name, m.Namelen = &r.to.raw[0], r.to.length
		m.Iov = (*unix.Iovec)(&r.parts[i*r.pieces])
		m.SetIovlen(r.pieces)
	}
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(all)), uintptr(r.count-from),
			unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// batch is what one call of recvmmsg(2) takes.
type batch struct {
	data    []byte
	count   int
	headers [batchCount]arrived
	parts   [batchCount]unix.Iovec
	froms   [batchCount]place
	sizes   [batchCount]joined
}

// arrived is struct mmsghdr.
type arrived struct {
	unix.Msghdr
	length uint32
}

// joined is the control message that tells the size of packets that were joined.
type joined struct {
	header unix.Cmsghdr
	size   int32
	_      [4]byte // the length of control messages is a multiple of 8
}

func newBatch() *batch {
	b := &batch{data: make([]byte, batchCount*maxPacket), count: batchCount}
	for i := range b.headers {
		b.parts[i].Base = &b.data[i*maxPacket]
		b.parts[i].SetLen(maxPacket)
		h := &b.headers[i]
		h.Name, h.Iov, h.Control = &b.froms[i].raw[0], &b.parts[i], (*byte)(unsafe.Pointer(&b.sizes[i]))
		h.SetIovlen(1)
	}
	return b
}

// receive takes what has arrived. The headers of the last time are prepared again.
func (b *batch) receive(fd uintptr) syscall.Errno {
	for i := range b.count {
		h := &b.headers[i]
		h.Namelen, h.Flags = uint32(len(b.froms[i].raw)), 0
		h.SetControllen(int(unsafe.Sizeof(b.sizes[i])))
		b.sizes[i].header.Type = 0
	}
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.headers)), batchCount,
			unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.count = int(n)
			return 0
		case unix.EINTR:
		default:
			b.count = 1
			return errno
		}
	}
}

// full reports whether there may be more to take.
func (b *batch) full() bool { return b.count == batchCount }

func (b *batch) each(handle func(data []byte, size int, from netip.AddrPort)) {
	for i := range b.count {
		h := &b.headers[i]
		data, size := b.data[i*maxPacket:][:h.length], int(h.length)
		if c := &b.sizes[i]; h.Controllen > 0 && c.header.Level == unix.SOL_UDP && c.header.Type == unix.UDP_GRO {
			size = int(c.size)
		}
		from := b.froms[i].addrPort()
		handle(data, max(size, 1), netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}
