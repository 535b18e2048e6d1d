//go:build linux && (amd64 || arm || arm64 || riscv64)

package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported says whether this file is used.
const supported = true

// receive takes what has arrived. Nothing without an error is the end of a stream.
func receive(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// send gives the system as much as it has room for.
func send(fd uintptr, b []byte) (int, syscall.Errno) {
	const flags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), flags, 0, 0)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// receiveFrom takes a packet.
func receiveFrom(fd uintptr, b []byte, from *place) (int, syscall.Errno) {
	for {
		size := uint32(len(from.raw))
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&size)))
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// sendTo sends a packet, or with a size several packets of that size, the last of which may be smaller; see udp(7).
func sendTo(fd uintptr, b []byte, to *place, size int) (int, syscall.Errno) {
	var control segmentation
	part := unix.Iovec{Base: unsafe.SliceData(b)}
	part.SetLen(len(b))
	m := unix.Msghdr{Name: &to.raw[0], Namelen: to.length, Iov: &part}
	m.SetIovlen(1)
	if size > 0 {
		control.set(size)
		m.Control = (*byte)(unsafe.Pointer(&control))
		m.SetControllen(int(unsafe.Sizeof(control)))
	}
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT)
		if errno != unix.EINTR {
			return count(n, errno)
		}
	}
}

// joins reports whether the system can cut what is sent into packets. Linux can since 4.18.
func joins(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// segmentation is the control message that tells the size of packets.
type segmentation struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte // the length of control messages is a multiple of 8
}

func (s *segmentation) set(size int) {
	s.header = unix.Cmsghdr{Level: unix.SOL_UDP, Type: unix.UDP_SEGMENT}
	s.header.SetLen(unix.CmsgLen(2))
	s.size = uint16(size)
}

func count(n uintptr, errno syscall.Errno) (int, syscall.Errno) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
